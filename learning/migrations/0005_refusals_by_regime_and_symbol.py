"""Count refusals by regime and symbol, and what was published in the same columns.

Rows of before keep no regime and an empty symbol. What they said of the day's signals beside each reason becomes a row
of its own, counted from the signals, which are all still there.
"""

from django.db import migrations, models

PUBLISHED = """
INSERT INTO rejection_learning_metrics (day, timeframe, reason, regime, symbol, shadows, good, missed, neutral, void,
    sum_net_r, sum_squared_net_r, signals, signals_sum_net_r)
SELECT day, timeframe, '', NULL, '', count(id), count(*) FILTER (WHERE net_r < -0.1),
    count(*) FILTER (WHERE net_r > 0.1), count(*) FILTER (WHERE abs(net_r) <= 0.1),
    count(id) FILTER (WHERE net_r IS NULL), coalesce(sum(net_r), 0), coalesce(sum(net_r * net_r), 0), 0, 0
FROM (SELECT DISTINCT day, timeframe FROM rejection_learning_metrics) AS counted
LEFT JOIN (SELECT id, timeframe, net_r, (opened_at AT TIME ZONE 'UTC')::date AS day FROM signals) AS published
    USING (day, timeframe)
GROUP BY day, timeframe
"""
# The way back counts again what the former rows cannot hold.
WITHDRAW = """
DELETE FROM rejection_learning_metrics WHERE regime IS NOT NULL OR reason = '';
UPDATE rejection_learning_metrics AS m SET signals = found.signals, signals_sum_net_r = found.total
FROM (
    SELECT timeframe, (opened_at AT TIME ZONE 'UTC')::date AS day, count(*) AS signals, sum(net_r) AS total
    FROM signals WHERE net_r IS NOT NULL GROUP BY 1, 2
) AS found WHERE found.day = m.day AND found.timeframe = m.timeframe
"""
REGIMES = [(-1, "unknown"), (0, "trending"), (1, "ranging"), (2, "volatile"), (3, "breakout"), (4, "quiet")]
BARRIERS = ("target", "stop", "timeout")
FLOATS = (
    *("opportunity_cost_r", "avoided_loss_r"),
    *(f"{barrier}_net_{unit}" for unit in ("r", "pct") for barrier in BARRIERS),
)
TABLE = "rejectionlearningmetrics"


class Migration(migrations.Migration):
    dependencies = [("learning", "0004_more_kinds"), ("signals", "0001_initial")]

    operations = [
        migrations.RemoveConstraint(TABLE, "one_row_a_day_and_reason"),
        migrations.AlterField(TABLE, "reason", models.TextField(blank=True)),
        migrations.AddField(TABLE, "regime", models.SmallIntegerField(null=True, choices=REGIMES)),
        migrations.AddField(TABLE, "symbol", models.TextField(blank=True, default="")),
        *(migrations.AddField(TABLE, f"{barrier}s", models.IntegerField(null=True)) for barrier in BARRIERS),
        *(migrations.AddField(TABLE, name, models.FloatField(null=True)) for name in FLOATS),
        migrations.AddField(TABLE, "matured_at", models.DateTimeField(null=True)),
        # On the way back these two are there before the rows are withdrawn, so they need a default for a moment.
        migrations.AlterField(TABLE, "signals", models.IntegerField(default=0)),
        migrations.AlterField(TABLE, "signals_sum_net_r", models.FloatField(default=0.0)),
        migrations.RunSQL(PUBLISHED, WITHDRAW),
        migrations.RemoveField(TABLE, "signals"),
        migrations.RemoveField(TABLE, "signals_sum_net_r"),
        migrations.AddConstraint(
            TABLE,
            models.UniqueConstraint(
                fields=["day", "timeframe", "reason", "regime", "symbol"],
                name="one_row_a_day_gate_and_market",
                nulls_distinct=False,
            ),
        ),
    ]
