"""The scan of a close in two phases, and the following of what was decided. Each task may run twice or never.

scan_due -> look_chunk (one a chunk of symbols) -> decide_close -> scan_due ...
One wakes the next by a hint: what it wrote stays where the broker is out of reach, and the reconciler goes on from it.
"""

from datetime import datetime

from celery import shared_task

from alphapulse_site.clock import market_now
from alphapulse_site.hints import hint
from alphapulse_site.jobs import beat
from learning import selectors as learning
from signals import services
from signals.models import RejectedSignal, Signal


@shared_task(name="signals.scan_due")
def scan_due() -> None:
    """Open the next undecided close and send its chunks out; the reconciler sends this again if anything is lost."""
    close = services.next_due_close()
    if close is None:
        return
    version = learning.version_for(close, tried_since=services.first_try(close=close))
    if version is None:  # the night before this close is still being learned
        hint("learning.resume_jobs")
        return
    chunks = services.open_close(close=close, version=version)
    for chunk in chunks:
        hint("signals.look_chunk", close.isoformat(), chunk)
    if not chunks:
        hint("signals.decide_close", close.isoformat())


@shared_task(name="signals.resume_scans")
def resume_scans() -> None:
    """The reconciler's tick: whatever a lost message left undone is found from the tables."""
    scan_due()
    scan_late()


@shared_task(name="signals.scan_late")
def scan_late() -> None:
    """Scan what was late for its close and has come since."""
    for close in services.late_closes():
        services.scan_late(close=close, version=learning.version_of(services.opened(close=close)))


@shared_task(name="signals.look_chunk")
def look_chunk(close: str, chunk: int) -> None:
    """Write the votes, pool and symbol gates of one chunk; whoever completes the close has it decided."""
    at = datetime.fromisoformat(close)
    if services.look_chunk(close=at, chunk=chunk, version=learning.version_of(services.opened(close=at))):
        hint("signals.decide_close", close)


@shared_task(name="signals.decide_close")
def decide_close(close: str) -> None:
    """Decide one close, once, and go on to the next."""
    at = datetime.fromisoformat(close)
    signals = services.decide_close(close=at, version=learning.version_of(services.opened(close=at)))
    if signals is not None:
        beat("scan", close=close, signals=signals)
        hint("learning.resume_jobs")
        if signals:  # whoever waits for one hears of it now and not within a minute
            hint("analytics.notify")
        hint("signals.scan_due")


@shared_task(name="signals.track_signals")
def track_signals() -> None:
    """Resolve open signals from the candles since they were last checked."""
    _track(Signal, "outcome_monitor")


@shared_task(name="signals.track_shadows")
def track_shadows() -> None:
    """Resolve open shadows from the candles since they were last checked."""
    _track(RejectedSignal, "shadow_monitor")


def _track(model: type[Signal] | type[RejectedSignal], heartbeat: str) -> None:
    now = market_now()
    ended = services.track(model, until=now) if now else 0
    beat(heartbeat, ended=ended)
