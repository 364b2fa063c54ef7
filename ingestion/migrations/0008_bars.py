"""Full bars kept beside the minutes they are made of, and the trigger that forgets them when a minute changes."""

from django.db import migrations, models

# No bar is longer than a day. The lock is that of ingestion.bars: who makes bars holds it shared, from before reading
# the minutes until the bars are stored, so that what was made of the old minutes is there to be forgotten.
FORGET = """
CREATE FUNCTION forget_bars() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7246302);
    DELETE FROM bars WHERE symbol = OLD.symbol AND timeframe IN ('5m', '15m', '1h', '4h', '1d')
        AND open_time > OLD.open_time - interval '1 day' AND open_time <= OLD.open_time;
    RETURN NULL;
END $$;
CREATE TRIGGER bars_forgotten
    AFTER DELETE OR UPDATE OF symbol, open_time, open, high, low, close, volume, quote_volume, trades, taker_base,
        taker_quote ON candles
    FOR EACH ROW EXECUTE FUNCTION forget_bars();
"""
REMEMBER = """
DROP TRIGGER bars_forgotten ON candles;
DROP FUNCTION forget_bars();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ingestion", "0007_gaps_asked_again"),
    ]

    operations = [
        migrations.CreateModel(
            name="Bar",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "symbol",
                        "timeframe",
                        "open_time",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("symbol", models.TextField()),
                ("timeframe", models.TextField()),
                ("open_time", models.DateTimeField()),
                ("open", models.FloatField()),
                ("high", models.FloatField()),
                ("low", models.FloatField()),
                ("close", models.FloatField()),
                ("volume", models.FloatField()),
                ("quote_volume", models.FloatField()),
                ("trades", models.FloatField()),
                ("taker_base", models.FloatField()),
                ("taker_quote", models.FloatField()),
            ],
            options={
                "db_table": "bars",
            },
        ),
        migrations.RunSQL(FORGET, REMEMBER),
    ]
