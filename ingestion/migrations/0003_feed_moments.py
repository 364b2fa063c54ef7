"""Each reading says what moment it speaks of: until now that was the moment from which it could be used."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = (("ingestion", "0002_candles"),)

    operations = (
        migrations.RemoveConstraint("marketfeed", "market_feed_once"),
        migrations.AddField("marketfeed", "as_of", models.DateTimeField(null=True)),
        migrations.RunSQL("UPDATE market_feeds SET as_of = available_at", migrations.RunSQL.noop),
        migrations.AlterField("marketfeed", "as_of", models.DateTimeField()),
        migrations.AddConstraint(
            "marketfeed", models.UniqueConstraint(fields=("name", "symbol", "as_of"), name="market_feed_once")
        ),
        migrations.AddConstraint(
            "marketfeed",
            models.CheckConstraint(condition=Q(available_at__gte=F("as_of")), name="market_feed_not_before_its_moment"),
        ),
    )
