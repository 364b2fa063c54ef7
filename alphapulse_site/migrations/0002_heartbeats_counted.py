"""How many signs of life each heartbeat has given."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alphapulse_site", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="heartbeat",
            name="beats",
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
