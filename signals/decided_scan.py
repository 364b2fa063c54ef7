"""A decided scan under its scan_id, for the admin, whose pages need a key of one column."""

from typing import Any

from django.db import models

from signals.models import ScanHistory


class DecidedScan(models.Model):
    """A row of `scan_history`, to look at only: the table belongs to ScanHistory, whose key has three columns.

    A scan whose serial gates were not asked yet has no scan_id, and no place here.
    """

    scan_id = models.UUIDField(primary_key=True)
    symbol = models.TextField()
    timeframe = models.TextField()
    close_time = models.DateTimeField()
    lean = ScanHistory._meta.get_field("lean").clone()
    win_probability = models.FloatField(null=True)
    expected_r = models.FloatField(null=True)
    rejection = ScanHistory._meta.get_field("rejection").clone()
    regime = ScanHistory._meta.get_field("regime").clone()
    reference_price = models.FloatField()
    risk = models.FloatField()
    missing_minutes = models.IntegerField()
    weight_version = models.IntegerField()
    waited_too_long = models.BooleanField()
    source = models.TextField()

    class Meta:
        db_table = "scan_history"
        managed = False
        verbose_name = "scan"
        verbose_name_plural = "scans"

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} {self.close_time:%Y-%m-%d %H:%M}"

    @property
    def scan(self) -> Any:
        """The whole row, with its votes and gates."""
        return ScanHistory.objects.get(symbol=self.symbol, timeframe=self.timeframe, close_time=self.close_time)
