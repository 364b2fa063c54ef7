"""The state of a model over scan_history that the admin looks through; no table of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("signals", "0002_scan_history"),
    ]

    operations = [
        migrations.CreateModel(
            name="DecidedScan",
            fields=[
                ("scan_id", models.UUIDField(primary_key=True, serialize=False)),
                ("symbol", models.TextField()),
                ("timeframe", models.TextField()),
                ("close_time", models.DateTimeField()),
                ("lean", models.SmallIntegerField(choices=[(-1, "short"), (0, "none"), (1, "long")])),
                ("win_probability", models.FloatField(null=True)),
                ("expected_r", models.FloatField(null=True)),
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
                ("weight_version", models.IntegerField()),
                ("waited_too_long", models.BooleanField()),
                ("source", models.TextField()),
            ],
            options={
                "verbose_name": "scan",
                "db_table": "scan_history",
                "managed": False,
            },
        ),
    ]
