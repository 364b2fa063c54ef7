"""The market, kept complete: gaps found and settled, symbols listed, feeds fetched, partitions made in time."""

from datetime import timedelta

from celery import shared_task

from alphapulse_site.clock import market_now
from alphapulse_site.hints import hint
from alphapulse_site.jobs import beat
from ingestion import bars, feed_fetch, gaps, listing, partitions, rereading
from ingestion.rest import ExchangeBusyError, ExchangeDownError

MONTHS_AHEAD = timedelta(days=62)
# A scan looks back 43 days at most: two blocks of 128 candles of 4h.
BARS_KEPT = timedelta(days=50)


@shared_task(name="ingestion.check_gaps")
def check_gaps() -> None:
    """Fill or explain what is missing up to the exchange's time; send for the next run if seconds are not enough.

    Safe to run twice.
    """
    done = gaps.check_gaps()
    beat("gap_backfill", **done.figures())
    if done.is_unfinished:
        hint("ingestion.check_gaps")


@shared_task(name="ingestion.fetch_feeds", autoretry_for=(ExchangeDownError,), retry_backoff=True, max_retries=5)
def fetch_feeds() -> None:
    """Fetch the feeds of the futures market that are due, with the holes in them. Safe to run twice."""
    done = feed_fetch.fetch_feeds()
    beat("feed_fetch", **done.figures())
    done.raise_if_down()


@shared_task(name="ingestion.refresh_universe", autoretry_for=(ExchangeDownError,), retry_backoff=True, max_retries=5)
def refresh_universe() -> None:
    """Bring the symbols in line with the exchange's list, once a market day; else its word on each, such as a halt."""
    # 25 MB that only a process that asks the exchange should pay.
    from ingestion.binance import SpotDoor

    try:
        with SpotDoor() as door:
            run = listing.refresh_of_the_day(door=door)
            changed = 0 if run else listing.note_statuses(door=door)
    except ExchangeBusyError as busy:
        # Nothing went wrong: the exchange wants quiet, and the next tick asks again.
        return beat("universe", waits=str(busy))
    beat("universe", refreshed=run is not None, changed=changed)


@shared_task(name="ingestion.reread_day")
def reread_day() -> None:
    """Take over what the exchange has corrected of yesterday, once a market day. Safe to run twice."""
    from ingestion.binance import SpotDoor

    with SpotDoor() as door:
        run = rereading.reread_day(door=door)
    beat("rereading", **(run.report if run else {}))


@shared_task(name="ingestion.upkeep_partitions")
def upkeep_partitions() -> None:
    """Make the partitions of this month and the next two, and forget bars that nobody reads. Safe to run twice."""
    now = market_now()
    if now is not None:
        made = {table: partitions.ensure_partitions(table, now, now + MONTHS_AHEAD) for table in partitions.tables()}
        forgotten = bars.forget_old(now - BARS_KEPT)
        beat("partition_upkeep", made=sum(made.values()), bars_forgotten=forgotten)
