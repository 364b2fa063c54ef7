"""scan_history as a native table, partitioned by month of its close time: retention drops whole months."""

import django.contrib.postgres.fields
from django.db import migrations, models

CREATE = """
CREATE TABLE scan_history (
    symbol text NOT NULL,
    timeframe text NOT NULL,
    close_time timestamptz NOT NULL,
    scan_id uuid,
    directions smallint[] NOT NULL,
    probabilities double precision[] NOT NULL,
    confidences double precision[] NOT NULL,
    log_odds double precision NOT NULL CHECK (log_odds > '-Infinity' AND log_odds < 'Infinity'),
    lean smallint NOT NULL CHECK (lean IN (-1, 0, 1)),
    win_probability double precision CHECK (win_probability >= 0 AND win_probability <= 1),
    expected_r double precision CHECK (expected_r > '-Infinity' AND expected_r < 'Infinity'),
    margins double precision[] NOT NULL,
    passed boolean[] NOT NULL,
    rejection text,
    regime smallint NOT NULL,
    reference_price double precision NOT NULL CHECK (reference_price > 0 AND reference_price < 'Infinity'),
    risk double precision NOT NULL CHECK (risk > 0 AND risk < 'Infinity'),
    missing_minutes integer NOT NULL CHECK (missing_minutes >= 0),
    candle_digest bytea NOT NULL,
    weight_version integer NOT NULL,
    waited_too_long boolean NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (symbol, timeframe, close_time)
) PARTITION BY RANGE (close_time);
CREATE INDEX scan_history_close ON scan_history (timeframe, close_time);
CREATE INDEX scan_history_scan ON scan_history (scan_id);
"""


class Migration(migrations.Migration):
    dependencies = [("signals", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, "DROP TABLE scan_history")],
            state_operations=[
                migrations.CreateModel(
                    name="ScanHistory",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "symbol",
                                "timeframe",
                                "close_time",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("symbol", models.TextField()),
                        ("timeframe", models.TextField()),
                        ("close_time", models.DateTimeField()),
                        ("scan_id", models.UUIDField(null=True)),
                        (
                            "directions",
                            django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None),
                        ),
                        (
                            "probabilities",
                            django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None),
                        ),
                        (
                            "confidences",
                            django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None),
                        ),
                        ("log_odds", models.FloatField()),
                        ("lean", models.SmallIntegerField(choices=[(-1, "short"), (0, "none"), (1, "long")])),
                        ("win_probability", models.FloatField(null=True)),
                        ("expected_r", models.FloatField(null=True)),
                        (
                            "margins",
                            django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None),
                        ),
                        (
                            "passed",
                            django.contrib.postgres.fields.ArrayField(base_field=models.BooleanField(), size=None),
                        ),
                        (
                            "rejection",
                            models.TextField(
                                choices=[
                                    ("", ""),
                                    ("stale_data", "stale_data"),
                                    ("no_consensus", "no_consensus"),
                                    ("low_quality", "low_quality"),
                                    ("regime_limit", "regime_limit"),
                                    ("cooldown", "cooldown"),
                                    ("risk_limit", "risk_limit"),
                                ],
                                null=True,
                            ),
                        ),
                        (
                            "regime",
                            models.SmallIntegerField(
                                choices=[
                                    (-1, "unknown"),
                                    (0, "trending"),
                                    (1, "ranging"),
                                    (2, "volatile"),
                                    (3, "breakout"),
                                    (4, "quiet"),
                                ]
                            ),
                        ),
                        ("reference_price", models.FloatField()),
                        ("risk", models.FloatField()),
                        ("missing_minutes", models.IntegerField()),
                        ("candle_digest", models.BinaryField()),
                        ("weight_version", models.IntegerField()),
                        ("waited_too_long", models.BooleanField(default=False)),
                        ("source", models.TextField(choices=[("live", "live"), ("bootstrap", "bootstrap")])),
                    ],
                    options={
                        "verbose_name": "scan",
                        "verbose_name_plural": "scan history",
                        "db_table": "scan_history",
                        "managed": True,
                    },
                ),
            ],
        )
    ]
