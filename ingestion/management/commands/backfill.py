"""Missing minutes filled and explained by hand, to the end."""

import json
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from alphapulse_site.arguments import progress_bar, symbol_list, utc_time
from alphapulse_site.clock import is_recording, market_now
from ingestion.candles import to_ms
from ingestion.explaining import LOOKS
from ingestion.gaps import EVERYTHING, GapCheck, Scope, check_gaps, open_minutes
from ingestion.importing import list_symbol
from ingestion.models import Symbol

UNUSABLE = 1
MINUTES_LEFT = 3
INTERRUPTED = 130
SHORT = "%Y-%m-%d %H:%M"
# A check of this command, and one of everything else after it: new holes of other symbols must not wait for hours.
SECONDS, SECONDS_FOR_THE_REST = 20.0, 5.0
SECONDS_BESIDE_ANOTHER = 0.5
# If the exchange wants to be left alone for longer, the command ends and says so.
LONGEST_WAIT = timedelta(minutes=2)


@dataclass
class _Totals:
    """What all checks of the command have brought together."""

    candles: int = 0
    requests: int = 0
    weight: int = 0
    open: int = 0
    error: str = ""
    explained: Counter[str] = field(default_factory=Counter)

    def add(self, done: GapCheck) -> None:
        self.candles += done.filled
        self.requests += done.requests
        self.weight += done.weight
        self.open, self.error = done.open, done.error
        self.explained.update(done.reasons)


class Command(BaseCommand):
    """`manage.py backfill`."""

    help = """Fill and explain missing minutes now, from the exchange and its archive, beside a running stream.

A symbol's history is extended with --since; without it, what is missing since its listing is filled. A backfill that
was broken off goes on when it is run again.

Exit code 0: every minute is a candle or explained. 3: some minutes stay open, since the exchange may still bring
them. 1: it could not be done, or not to the end. 130: interrupted.

Example: manage.py backfill --symbols BTCUSDT,ETHUSDT --since 2024-01-01"""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--symbols", type=symbol_list, help="only these, such as BTCUSDT,ETHUSDT (all)")
        parser.add_argument("--since", type=utc_time, help="from this UTC time on, also before the listing we know")
        parser.add_argument("--until", type=utc_time, help="leave out minutes that open at or after this UTC time")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")

    def handle(
        self,
        *args: Any,
        symbols: list[str] | None,
        since: datetime | None,
        until: datetime | None,
        **options: Any,
    ) -> None:
        self.is_quiet: bool = options["json"]
        since, until = _on_the_grid(since), _on_the_grid(until)
        _refuse_nonsense(symbols, since, until)
        if since is not None:
            _extend_history(symbols, since)
        scope = Scope(
            symbols=None if symbols is None else tuple(sorted(set(symbols))),
            since_ms=0 if since is None else to_ms(since),
            until_ms=None if until is None else to_ms(until),
        )
        totals, began = _Totals(), time.monotonic()
        try:
            self._fill(scope, totals)
        except KeyboardInterrupt:
            self.stderr.write(f"interrupted; {totals.candles:,} candles came and are kept; run it again to go on")
            raise SystemExit(INTERRUPTED) from None
        self._tell(totals, time.monotonic() - began)
        if totals.error:
            raise SystemExit(UNUSABLE)
        if totals.open:
            raise SystemExit(MINUTES_LEFT)

    def _fill(self, scope: Scope, totals: _Totals) -> None:
        """Check after check, until nothing is left, all was asked for often enough, or the exchange does not answer."""
        rounds = 0
        with progress_bar(quiet=self.is_quiet) as show:
            missing = max(open_minutes(scope), 1)
            # A row that cannot be read has to be met by several checks before it explains its minute.
            while rounds < LOOKS:
                settled = totals.candles + totals.explained.total()
                done = check_gaps(seconds=SECONDS, scope=scope, progress=_share(show, settled, missing))
                if done.is_elsewhere:
                    time.sleep(SECONDS_BESIDE_ANOTHER)
                    continue
                totals.add(done)
                if not self._goes_on(done):
                    break
                rounds += not (done.is_unfinished or done.busy_until)
                if scope != EVERYTHING:
                    check_gaps(seconds=SECONDS_FOR_THE_REST)
            show("filling", 1.0)

    def _goes_on(self, done: GapCheck) -> bool:
        if not done.error:
            return bool(done.open)
        if done.busy_until is None or done.busy_until - timezone.now() > LONGEST_WAIT:
            return False
        time.sleep(max(0.0, (done.busy_until - timezone.now()).total_seconds()))
        return True

    def _tell(self, totals: _Totals, seconds: float) -> None:
        figures = {
            "candles": totals.candles,
            "requests": totals.requests,
            "weight": totals.weight,
            "seconds": round(seconds, 3),
            "candles_per_second": round(totals.candles / seconds) if seconds else 0,
            "explained_minutes": totals.explained.total(),
            "explained_minutes_by_reason": dict(totals.explained.most_common()),
            "open_minutes": totals.open,
            "error": totals.error,
        }
        if self.is_quiet:
            self.stdout.write(json.dumps(figures))
            return
        self.stdout.write(
            f"{totals.candles:,} candles in {seconds:.1f} s ({figures['candles_per_second']:,} a second),"
            f" {totals.requests:,} requests, weight {totals.weight:,}"
        )
        self.stdout.write(f"{totals.explained.total():,} missing minutes explained, {totals.open:,} stay open")
        for reason, minutes in totals.explained.most_common():
            self.stdout.write(f"  {minutes:,} x {reason}")
        if totals.error:
            self.stderr.write(f"not to the end: {totals.error}; what came is kept, run it again to go on")


def _share(show: Callable[[str, float], None], settled: int, missing: int) -> Callable[[int], None]:
    return lambda candles: show("filling", min(1.0, (settled + candles) / missing))


def _on_the_grid(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(second=0, microsecond=0)


def _refuse_nonsense(symbols: list[str] | None, since: datetime | None, until: datetime | None) -> None:
    known = set(Symbol.objects.values_list("name", flat=True))
    if not known:
        raise CommandError("no symbol is listed yet; start with manage.py up, or import candles", returncode=UNUSABLE)
    if unknown := sorted(set(symbols or ()) - known):
        some = ", ".join(sorted(known)[:10])
        raise CommandError(f"not listed: {', '.join(unknown)}; there is {some}, ...", returncode=UNUSABLE)
    now = (market_now() if is_recording() else None) or timezone.now()
    if since is not None and since >= now:
        raise CommandError(
            f"--since {since:%Y-%m-%d %H:%M} has not come yet: the market stands at {now:%Y-%m-%d %H:%M}"
        )
    if since is not None and until is not None and since >= until:
        raise CommandError(f"--since {since:{SHORT}} is not before --until {until:{SHORT}}")


def _extend_history(symbols: list[str] | None, since: datetime) -> None:
    """Expect candles from then on, of symbols whose listing we know to be later."""
    later = Symbol.objects.filter(Q(listed_at__isnull=True) | Q(listed_at__gt=since))
    wanted = later.filter(delisted_at=None) if symbols is None else later.filter(name__in=symbols)
    for name in wanted.values_list("name", flat=True):
        list_symbol(name, since)
