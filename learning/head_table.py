"""The head report as text: the columns that the page shows too, and lines for a terminal."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from ingestion.candles import to_datetime
from learning.evaluation import Estimate
from learning.head_report import FrameResult, HeadReport, HeadResult

Cell = Callable[[HeadResult], str]

UNKNOWN = "-"


def figure(value: float | None, form: str = ".3f") -> str:
    return UNKNOWN if value is None else f"{value:{form}}"


def with_interval(estimate: Estimate, form: str = ".3f") -> str:
    """The value and its 95 % interval, as far as they are known."""
    value = figure(estimate.value, form)
    if estimate.ci_low is None:
        return value
    return f"{value} [{figure(estimate.ci_low, form)}, {figure(estimate.ci_high, form)}]"


def in_thousandths(estimate: Estimate) -> Estimate:
    value, low, high = (
        None if each is None else 1000.0 * each for each in (estimate.value, estimate.ci_low, estimate.ci_high)
    )
    return Estimate(value, estimate.n, low, high)


OUTCOMES: tuple[tuple[str, Cell], ...] = (
    ("votes", lambda head: f"{head.figures.vote_share:.1%}"),
    ("long", lambda head: figure(head.figures.long_share, ".0%")),
    ("with outcome", lambda head: f"{head.figures.labelled:,}"),
    ("hit rate", lambda head: with_interval(head.figures.hit_rate)),
    ("base", lambda head: figure(head.figures.base_rate)),
    ("net R", lambda head: with_interval(head.figures.net_r.alone, "+.3f")),
    ("net R over base", lambda head: with_interval(head.figures.excess_r.alone, "+.3f")),
)
PROBABILITIES: tuple[tuple[str, Cell], ...] = (
    ("log-loss", lambda head: figure(head.figures.stated.log_loss)),
    ("base", lambda head: figure(head.figures.stated.base_log_loss)),
    ("gain", lambda head: with_interval(head.figures.stated.log_loss_gain.alone, "+.3f")),
    ("Brier gain", lambda head: with_interval(head.figures.stated.brier_gain, "+.3f")),
    ("slope", lambda head: figure(head.figures.stated.slope, ".2f")),
    ("pool owes it, nat/1000", lambda head: with_interval(in_thousandths(head.contribution), "+.2f")),
    ("ms/1000 bars", lambda head: figure(head.ms_per_1000_bars, ".1f")),
)


def moment(ms: int) -> str:
    at: datetime = to_datetime(ms)
    return f"{at:%Y-%m-%d %H:%M}"


def table(report: HeadReport) -> Iterator[str]:
    """Lines for a terminal: the data, then each timeframe with its verdicts first."""
    for origin in report.origins:
        yield (
            f"{origin.name}: {origin.candles:,} candles of {', '.join(origin.symbols)},"
            f" {moment(origin.first_ms)} to {moment(origin.last_ms)} UTC"
        )
    yield bracket_words(report)
    yield report.caution()
    for frame in report.frames:
        yield ""
        yield frame_words(frame)
        yield base_words(frame)
        yield ""
        yield from (f"{head.name}: {head.verdict.words}" for head in frame.heads)
        for columns in (OUTCOMES, PROBABILITIES):
            yield ""
            yield from aligned([["head", *(title for title, _ in columns)], *_rows(frame, columns)])


def _rows(frame: FrameResult, columns: Sequence[tuple[str, Cell]]) -> Iterator[list[str]]:
    for head in frame.heads:
        yield [head.name, *(cell(head) for _, cell in columns)]


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells])


def bracket_words(report: HeadReport) -> str:
    bracket, costs = report.rules.bracket, report.rules.costs
    return (
        f"Bracket: stop {bracket.stop_atr:g} ATR within {bracket.min_stop:.1%} and {bracket.max_stop:.1%} of price,"
        f" target {bracket.target_r:g} R, limit {bracket.limit_bars} bars; costs a side: fee {costs.fee:.2%},"
        f" slippage {costs.slippage:.2%}."
    )


def frame_words(frame: FrameResult) -> str:
    days = "one day" if frame.block_days == 1 else f"{frame.block_days} days"
    return (
        f"{frame.timeframe}: {frame.bars:,} ready bars, {frame.labelled:,} of them with a known outcome, which overlap"
        f" and are worth {frame.worth_bars:,.0f} apart; {frame.blocks} blocks of {days}; seed {frame.seed}."
    )


def base_words(frame: FrameResult) -> str:
    base = frame.base
    return (
        f"Base, all bars: long wins {base.long_wins:.3f} with {base.long_r:+.3f} R on average, short"
        f" {base.short_wins:.3f} with {base.short_r:+.3f} R. Equal pool: log-loss gain over the base"
        f" {with_interval(frame.pool.gain, '+.5f')} nats."
    )
