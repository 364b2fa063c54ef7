"""The evaluation made: periods from candle files, each walked on its own, then scored alone and together."""

from collections.abc import Mapping

from ingestion.timeframes import MINUTE_MS, Candles, Timeframe
from learning.evaluating.period import Period, Progress, distinct, joined, looked_at, walked
from learning.evaluating.permuting import permuted
from learning.evaluating.report import Evaluation, daily_of, result_of, verdicts_of
from learning.head_looks import TooShortError
from learning.head_study import Recordings, origins
from learning.lessons import HEAD_NAMES
from signals.scan import Rules


def evaluate(
    found: Recordings,
    timeframe: Timeframe,
    rules: Rules,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    shuffles: int,
    progress: Progress = lambda step, share: None,
) -> Evaluation:
    """Walk and score every period; raises TooShortError if none of them has a scored scan."""
    walks: dict[str, Period] = {}
    skipped: list[str] = []
    for name, minutes in found.items():
        period = _walked(minutes, timeframe, rules, since_ms, until_ms, progress)
        if period is None:
            skipped.append(name)
        else:
            walks[name] = period
    if not walks:
        raise TooShortError(_too_short(timeframe, rules))
    limit_ms = timeframe.ms * rules.bracket.limit_bars
    apart = distinct(list(walks.values()))
    together = joined(apart)
    permutation = permuted(
        [(period.events, period.counted) for period in apart],
        HEAD_NAMES,
        shuffles=shuffles,
        progress=lambda share: progress("shuffles", share),
    )
    results = {name: result_of(period, limit_ms) for name, period in walks.items()}
    whole = result_of(together, limit_ms) if len(walks) > 1 else next(iter(results.values()))
    return Evaluation(
        origins=origins(found),
        skipped=tuple(skipped),
        timeframe=timeframe.name,
        rules=rules,
        periods=results,
        together=whole,
        permutation=permutation,
        verdicts=verdicts_of(whole, permutation),
        daily=daily_of(together),
        trials=tuple(together.trials),
    )


def _walked(
    minutes: Mapping[str, Candles],
    timeframe: Timeframe,
    rules: Rules,
    since_ms: int | None,
    until_ms: int | None,
    progress: Progress,
) -> Period | None:
    """The period, None where the times asked for lie outside it."""
    first_ms = min(int(candles.open_ms[0]) for candles in minutes.values())
    last_ms = max(int(candles.open_ms[-1]) for candles in minutes.values()) + MINUTE_MS
    first_close_ms = first_ms if since_ms is None else max(first_ms, since_ms)
    last_close_ms = (last_ms if until_ms is None else min(last_ms, until_ms)) // timeframe.ms * timeframe.ms
    if last_close_ms < first_close_ms:
        return None
    return walked(looked_at(minutes, timeframe, rules, first_close_ms, last_close_ms, progress), progress)


def _too_short(timeframe: Timeframe, rules: Rules) -> str:
    return (
        f"{timeframe.name}: nothing to score: a scan needs {timeframe.block} bars of candles before it, in their window"
        f" up to twice as many, and its whole time limit of {rules.bracket.limit_bars} bars behind it; name longer"
        " candles, an earlier --from, a later --to or a shorter timeframe"
    )
