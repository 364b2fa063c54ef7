"""The market, stored: what is listed, its 1m candles, what is missing and why, what was refused."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Symbol(models.Model):
    """A market of the exchange, such as BTCUSDT. `listed_at` is the first minute we expect a candle for.

    `is_active`: scanned. Every symbol without `delisted_at` is streamed and kept complete, scanned or not, since
    decisions on it may still be open. `trading_status` is the exchange's own word, such as TRADING or BREAK.

    Every minute of [listed_at, complete_until) is known to be a candle or an explained gap, so that nobody has to
    look there again; the gap check moves it on.
    """

    name = models.TextField(primary_key=True)
    base_asset = models.TextField()
    quote_asset = models.TextField()
    is_active = models.BooleanField(default=True)
    trading_status = models.TextField(default="TRADING")
    listed_at = models.DateTimeField(null=True, blank=True)
    delisted_at = models.DateTimeField(null=True, blank=True)
    complete_until = models.DateTimeField(null=True, blank=True)
    tick_size = models.FloatField(null=True, blank=True)
    step_size = models.FloatField(null=True, blank=True)
    min_notional = models.FloatField(null=True, blank=True)

    class Meta:
        db_table = "symbols"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class CandleSource(models.TextChoices):
    """Where a candle came from, lowest rank first: a higher one may correct a lower one (`candles.store_candles`)."""

    IMPORT = "import"
    STREAM = "stream"
    REST = "rest"
    ARCHIVE = "archive"


class Candle(models.Model):
    """A closed 1m candle. The table is made by SQL (partitioned, with its checks) in migration 0002.

    The last four figures are NULL where the source did not have them. Written by COPY only (`candles.py`).
    """

    pk = models.CompositePrimaryKey("symbol", "open_time")
    symbol = models.TextField()
    open_time = models.DateTimeField()
    close_time = models.DateTimeField()
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField()
    quote_volume = models.FloatField(null=True)
    trades = models.BigIntegerField(null=True)
    taker_base = models.FloatField(null=True)
    taker_quote = models.FloatField(null=True)
    off_grid = models.BooleanField(default=False)
    source = models.TextField(choices=CandleSource)

    class Meta:
        db_table = "candles"

    def __str__(self) -> str:
        return f"{self.symbol} {self.open_time:%Y-%m-%d %H:%M}"


class CandleRevision(models.Model):
    """What a stored candle said before a higher source said something else. One row a replacement, never changed."""

    symbol = models.TextField()
    open_time = models.DateTimeField()
    noted_at = models.DateTimeField(db_default=Now())
    old_source = models.TextField(choices=CandleSource)
    new_source = models.TextField(choices=CandleSource)
    old_figures = ArrayField(models.FloatField(null=True), help_text="in the order of candles.FIGURES")
    new_figures = ArrayField(models.FloatField(null=True), help_text="in the order of candles.FIGURES")

    class Meta:
        db_table = "candle_revisions"
        verbose_name = "corrected candle"
        verbose_name_plural = "corrected candles"
        ordering = ("-noted_at", "-id")
        indexes = (models.Index(fields=("symbol", "open_time"), name="candle_revision_of"),)

    def __str__(self) -> str:
        return f"{self.symbol} {self.open_time:%Y-%m-%d %H:%M}: {self.old_source} -> {self.new_source}"


class Bar(models.Model):
    """A full bar of a longer timeframe as the scan makes it from its minutes, kept so that it need not be made again.

    Never the truth: a trigger of `candles` forgets the bars around a minute that is corrected or deleted.
    """

    pk = models.CompositePrimaryKey("symbol", "timeframe", "open_time")
    symbol = models.TextField()
    timeframe = models.TextField()
    open_time = models.DateTimeField()
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField()
    # NaN where the source did not have it.
    quote_volume = models.FloatField()
    trades = models.FloatField()
    taker_base = models.FloatField()
    taker_quote = models.FloatField()

    class Meta:
        db_table = "bars"

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} {self.open_time:%Y-%m-%d %H:%M}"


class CandleGap(models.Model):
    """Minutes [start, end) of a symbol that are no candles: being filled, or explained with evidence."""

    class Status(models.TextChoices):
        FILLING = "filling"
        EXPLAINED = "explained"

    class Reason(models.TextChoices):
        EXCHANGE_OUTAGE = "exchange_outage", "every symbol lacks these minutes"
        SOURCE_HAS_NO_CANDLE = "source_has_no_candle", "the source has no candle"
        ROW_QUARANTINED = "row_quarantined", "the source's row was refused"
        NOT_LISTED = "not_listed", "the symbol was not traded"
        HALTED = "halted", "the exchange had halted trading in the symbol"

    symbol = models.TextField()
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="exclusive")
    status = models.TextField(choices=Status)
    reason = models.TextField(choices=Reason, blank=True)
    evidence = models.JSONField(default=dict)
    checks = models.PositiveIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_checked = models.DateTimeField()
    wanted_at = models.DateTimeField(
        null=True, blank=True, help_text="when a person wanted it asked for again; done once it was checked later"
    )

    class Meta:
        db_table = "candle_gaps"
        verbose_name = "gap in candles"
        verbose_name_plural = "gaps in candles"
        ordering = ("-start", "symbol")
        constraints = (
            models.UniqueConstraint(fields=("symbol", "start"), name="candle_gap_once"),
            models.CheckConstraint(condition=Q(end__gt=models.F("start")), name="candle_gap_has_minutes"),
            models.CheckConstraint(
                condition=Q(status="filling", reason="") | (Q(status="explained") & ~Q(reason="")),
                name="candle_gap_explained_has_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.symbol} {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}: {self.reason or self.status}"


class QuarantinedMessage(models.Model):
    """A row or message we refused, with the reason; kept for people to look at, once."""

    source = models.TextField(choices=CandleSource)
    file = models.TextField(blank=True)
    line = models.PositiveBigIntegerField(default=0)
    payload = models.TextField()
    payload_digest = models.CharField(max_length=64, help_text="sha256 of the payload, hexadecimal")
    reason = models.TextField()
    received_at = models.DateTimeField()

    class Meta:
        db_table = "quarantined_messages"
        verbose_name = "refused message"
        verbose_name_plural = "refused messages"
        ordering = ("-received_at", "-id")
        constraints = (
            models.UniqueConstraint(fields=("file", "line", "payload_digest"), name="quarantined_message_once"),
        )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.file else self.reason


class BackfillRun(models.Model):
    """One attempt to fill [start, end) of a symbol, and what it brought; `progress_at` when it last brought a page."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    symbol = models.TextField()
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="exclusive")
    source = models.TextField(choices=CandleSource, default=CandleSource.REST)
    status = models.TextField(choices=Status)
    candles = models.PositiveBigIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    weight = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    started_at = models.DateTimeField()
    progress_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "backfill_runs"
        ordering = ("-started_at", "-id")
        indexes = (models.Index(fields=("symbol", "-progress_at"), name="backfill_progress_of"),)

    def __str__(self) -> str:
        return f"{self.symbol} {self.start:%Y-%m-%d %H:%M}: {self.status}, {self.candles} candles"


class RequestPause(models.Model):
    """Until when a host gets no request of ours, because it said so; in the database, so that all processes know."""

    host = models.TextField(primary_key=True)
    until = models.DateTimeField()
    reason = models.TextField()
    noted_at = models.DateTimeField()

    class Meta:
        db_table = "request_pauses"

    def __str__(self) -> str:
        return f"{self.host} until {self.until:%Y-%m-%d %H:%M:%S}: {self.reason}"


class RequestBudget(models.Model):
    """What all processes together have spent of a host's request weight in the minute that began at `window_start`.

    `most` is the exchange's own limit a minute; `told` the last figure that it put into a header.
    """

    host = models.TextField(primary_key=True)
    window_start = models.DateTimeField()
    used = models.PositiveIntegerField(default=0)
    most = models.PositiveIntegerField()
    told = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "request_budgets"

    def __str__(self) -> str:
        return f"{self.host} {self.window_start:%Y-%m-%d %H:%M}: {self.used} of {self.most}"


class MarketFeed(models.Model):
    """One reading of a named feed, of a symbol or ('') of the whole market; usable only from `available_at`.

    `as_of` is the moment it speaks of. Of two readings of one moment the first that was stored counts.
    """

    name = models.TextField()
    symbol = models.TextField(blank=True, default="")
    as_of = models.DateTimeField()
    available_at = models.DateTimeField()
    values = ArrayField(models.FloatField())

    class Meta:
        db_table = "market_feeds"
        verbose_name = "reading of a feed"
        verbose_name_plural = "readings of feeds"
        constraints = (
            models.UniqueConstraint(fields=("name", "symbol", "as_of"), name="market_feed_once"),
            models.CheckConstraint(
                condition=Q(available_at__gte=models.F("as_of")), name="market_feed_not_before_its_moment"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.symbol} {self.as_of:%Y-%m-%d %H:%M}"


class FeedSeries(models.Model):
    """One feed of one symbol ('' for the whole market) that is fetched: from when it is wanted, how far it is known.

    Every moment of [wanted_since, complete_until) has a reading or an explained gap. A symbol that is not on the
    futures exchange is not asked for again before `not_listed_until`.
    """

    name = models.TextField()
    symbol = models.TextField(blank=True, default="")
    wanted_since = models.DateTimeField()
    complete_until = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    not_listed_until = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="why the last answer was of no use")

    class Meta:
        db_table = "feed_series"
        ordering = ("name", "symbol")
        verbose_name_plural = "feed series"
        constraints = (models.UniqueConstraint(fields=("name", "symbol"), name="feed_series_once"),)

    def __str__(self) -> str:
        return f"{self.name} {self.symbol}".strip()


class FeedGap(models.Model):
    """Moments [start, end) without a reading of a feed: being filled, or explained with evidence."""

    class Status(models.TextChoices):
        FILLING = "filling"
        EXPLAINED = "explained"

    class Reason(models.TextChoices):
        SOURCE_HAS_NO_READING = "source_has_no_reading", "the source has no reading"
        READING_QUARANTINED = "reading_quarantined", "the source's reading was refused"
        BEYOND_RETENTION = "beyond_retention", "the source does not keep readings that long"
        NOT_LISTED = "not_listed", "the symbol has no contract on the futures exchange"

    name = models.TextField()
    symbol = models.TextField(blank=True, default="")
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="exclusive")
    status = models.TextField(choices=Status)
    reason = models.TextField(choices=Reason, blank=True)
    evidence = models.JSONField(default=dict)
    checks = models.PositiveIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_checked = models.DateTimeField()

    class Meta:
        db_table = "feed_gaps"
        verbose_name = "gap in a feed"
        verbose_name_plural = "gaps in feeds"
        ordering = ("-start", "name", "symbol")
        constraints = (
            models.UniqueConstraint(fields=("name", "symbol", "start"), name="feed_gap_once"),
            models.CheckConstraint(condition=Q(end__gt=models.F("start")), name="feed_gap_has_moments"),
            models.CheckConstraint(
                condition=Q(status="filling", reason="") | (Q(status="explained") & ~Q(reason="")),
                name="feed_gap_explained_has_reason",
            ),
        )

    def __str__(self) -> str:
        what = f"{self.name} {self.symbol}".strip()
        return f"{what} {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}: {self.reason or self.status}"
