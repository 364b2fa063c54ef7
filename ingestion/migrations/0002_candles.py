"""The candle table by hand: partitioned by time, its checks inside. Django only learns its shape."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations.state import StateApps

# `x >= 0` alone would let NaN in: PostgreSQL takes NaN for larger than any number. Below 'Infinity' shuts out both.
CREATE_TABLE = """
CREATE TABLE candles (
    symbol text NOT NULL,
    open_time timestamptz NOT NULL,
    close_time timestamptz NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision NOT NULL,
    quote_volume double precision,
    trades bigint,
    taker_base double precision,
    taker_quote double precision,
    off_grid boolean NOT NULL DEFAULT false,
    source text NOT NULL,
    PRIMARY KEY (symbol, open_time),
    CONSTRAINT candle_prices_finite CHECK (
        low > 0 AND open > 0 AND close > 0 AND high < 'Infinity' AND open < 'Infinity' AND close < 'Infinity'
        AND low < 'Infinity' AND high > 0),
    CONSTRAINT candle_high_is_highest CHECK (high >= greatest(open, close, low)),
    CONSTRAINT candle_low_is_lowest CHECK (low <= least(open, close, high)),
    CONSTRAINT candle_volume_finite CHECK (volume >= 0 AND volume < 'Infinity'),
    CONSTRAINT candle_quote_volume_finite CHECK (quote_volume >= 0 AND quote_volume < 'Infinity'),
    CONSTRAINT candle_trades_counted CHECK (trades >= 0),
    CONSTRAINT candle_taker_base_finite CHECK (taker_base >= 0 AND taker_base < 'Infinity'),
    CONSTRAINT candle_taker_quote_finite CHECK (taker_quote >= 0 AND taker_quote < 'Infinity'),
    CONSTRAINT candle_on_grid CHECK (
        off_grid OR open_time = date_bin('1 minute', open_time, '2000-01-01 00:00:00+00'::timestamptz)),
    CONSTRAINT candle_is_a_whole_minute CHECK (close_time - open_time = interval '59.999 seconds'),
    CONSTRAINT candle_source_known CHECK (source IN ('import', 'stream', 'rest', 'archive'))
)"""

NATIVE = "storage: native_partitions"
TIMESCALE = "storage: timescaledb"

# Without its preload library CREATE EXTENSION would end the connection, so "available" alone is not enough.
TIMESCALE_IS_USABLE = """
SELECT installed_version IS NOT NULL OR current_setting('shared_preload_libraries') LIKE '%timescaledb%'
FROM pg_available_extensions WHERE name = 'timescaledb'"""


def create_candles(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A hypertable where TimescaleDB is there, native monthly partitions elsewhere; the choice is the table's comment."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(TIMESCALE_IS_USABLE)
        usable = cursor.fetchone()
        if usable and usable[0]:
            create_hypertable(cursor)
        else:
            cursor.execute(f"{CREATE_TABLE} PARTITION BY RANGE (open_time)")
            cursor.execute(f"COMMENT ON TABLE candles IS '{NATIVE}'")


def create_hypertable(cursor: CursorWrapper) -> None:
    cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    cursor.execute(CREATE_TABLE)
    cursor.execute("SELECT create_hypertable('candles', 'open_time', chunk_time_interval => interval '7 days')")
    cursor.execute(f"COMMENT ON TABLE candles IS '{TIMESCALE}'")


def drop_candles(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute("DROP TABLE candles CASCADE")


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(create_candles, drop_candles)],
            state_operations=[
                migrations.CreateModel(
                    name="Candle",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "symbol",
                                "open_time",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("symbol", models.TextField()),
                        ("open_time", models.DateTimeField()),
                        ("close_time", models.DateTimeField()),
                        ("open", models.FloatField()),
                        ("high", models.FloatField()),
                        ("low", models.FloatField()),
                        ("close", models.FloatField()),
                        ("volume", models.FloatField()),
                        ("quote_volume", models.FloatField(null=True)),
                        ("trades", models.BigIntegerField(null=True)),
                        ("taker_base", models.FloatField(null=True)),
                        ("taker_quote", models.FloatField(null=True)),
                        ("off_grid", models.BooleanField(default=False)),
                        (
                            "source",
                            models.TextField(
                                choices=[
                                    ("import", "Import"),
                                    ("stream", "Stream"),
                                    ("rest", "Rest"),
                                    ("archive", "Archive"),
                                ]
                            ),
                        ),
                    ],
                    options={"db_table": "candles"},
                ),
            ],
        ),
    ]
