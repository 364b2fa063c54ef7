"""What the heads are worth on one body of candles: all figures, and a verdict in words for each head. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

import numpy as np

from ingestion.timeframes import FloatArray, Timeframe
from learning.evaluation import BOOTSTRAPS, Estimate
from learning.head_looks import Watched, why_silent
from learning.head_measures import (
    LEAST_BLOCKS,
    LEVEL,
    Base,
    Claim,
    Figures,
    Pool,
    agreements,
    block_days,
    correlations,
    equal_pool,
    measure,
    yardstick,
)
from signals.heads.base import Head
from signals.scan import Rules

# Mean net R, R over the base, and log-loss gain: what a verdict may rest on.
CLAIMS_A_HEAD = 3
NO_EDGE = "no measurable edge on this data"


class Kind(StrEnum):
    """What a verdict comes to. EDGE: earns, and more than its base. SKILL: better than its base, not shown to earn."""

    EDGE = "edge"
    SKILL = "skill"
    NONE = "none"
    TOO_SHORT = "too_short"
    SILENT = "silent"


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    words: str


def verdict(figures: Figures, silence: str) -> Verdict:
    """The verdict on a head, by joint intervals only. `silence`: why it never voted, if it did not."""
    if not figures.votes:
        return Verdict(Kind.SILENT, f"never voted here: {silence}" if silence else "never voted here")
    if figures.blocks < LEAST_BLOCKS:
        return Verdict(
            Kind.TOO_SHORT,
            f"{NO_EDGE}: its votes with a known outcome lie in {figures.blocks} blocks of days, and fewer than"
            f" {LEAST_BLOCKS} allow no verdict",
        )
    net, excess, gain = figures.net_r, figures.excess_r, figures.stated.log_loss_gain
    if excess.is_above_zero and net.is_above_zero:
        return Verdict(Kind.EDGE, f"an edge on this data: {_r(net)} net a vote, {_r(excess)} over its base")
    if excess.is_above_zero:
        return Verdict(
            Kind.SKILL,
            f"picks better than its base by {_r(excess)} a vote, but that it earns after costs is not shown: {_r(net)}",
        )
    if gain.is_above_zero:
        return Verdict(
            Kind.SKILL, f"its probabilities beat the base rate by {_claim(gain, '.4f')} nats; no edge in R is shown"
        )
    return Verdict(Kind.NONE, f"{NO_EDGE}{_aside(net, excess)}")


def _aside(net: Claim, excess: Claim) -> str:
    """What is certain beside the absence of an edge."""
    if net.is_above_zero:
        return f": it earned {_r(net)} a vote, but not demonstrably more than its sides did on all bars"
    loses = f": following it loses, {_r(net)} a vote after costs" if net.is_below_zero else ""
    worse = f"; it picks worse than its base, {_r(excess)}" if excess.is_below_zero else ""
    return f"{loses}{worse}"


def _r(claim: Claim) -> str:
    return f"{_claim(claim, '+.3f')} R"


def _claim(claim: Claim, form: str) -> str:
    """The value with its joint interval; both are there wherever a verdict asks."""
    value, low, high = (f"{bound:{form}}" for bound in (claim.alone.value, *(claim.joint or ())) if bound is not None)
    return f"{value} [{low}, {high}]"


@dataclass(frozen=True)
class HeadResult:
    """One head on one timeframe. `contribution`: what the equal pool loses without it, in nats a bar."""

    name: str
    letter: str
    verdict: Verdict
    figures: Figures
    contribution: Estimate
    ms_per_1000_bars: float | None


@dataclass(frozen=True)
class FrameResult:
    """One timeframe: how much there was to measure on, the base, the pool, the heads, and how alike they vote.

    `worth_bars`: the labelled bars' uniqueness added up, which is how many brackets apart they amount to.
    """

    timeframe: str
    bars: int
    labelled: int
    worth_bars: float
    blocks: int
    block_days: int
    seed: int
    base: Base
    pool: Pool
    heads: tuple[HeadResult, ...]
    correlation: FloatArray
    agreement: FloatArray


def frame_result(
    watched: Watched,
    timeframe: Timeframe,
    heads: Sequence[Head],
    rules: Rules,
    *,
    claims: int,
    costs_of_time: Mapping[str, float | None],
) -> FrameResult:
    """Measure every head on one timeframe; `claims` are those of the whole report (`claims_of`)."""
    bars = watched.bars
    known = bars.take(bars.labelled)
    limit_ms = timeframe.ms * rules.bracket.limit_bars
    stick, base = yardstick(known, limit_ms, claims), Base.of(known)
    pool, contributions = equal_pool(known, base, stick)
    results = []
    for column, head in enumerate(heads):
        figures = measure(bars, known, column, base, stick)
        results.append(
            HeadResult(
                name=head.name,
                letter=head.letter,
                verdict=verdict(figures, why_silent(head.needs, timeframe, watched.feeds)),
                figures=figures,
                contribution=contributions[column],
                ms_per_1000_bars=costs_of_time.get(head.name),
            )
        )
    return FrameResult(
        timeframe=timeframe.name,
        bars=len(bars),
        labelled=len(known),
        worth_bars=float(known.uniqueness.sum()),
        blocks=len(np.unique(stick.block)),
        block_days=block_days(limit_ms),
        seed=stick.seed,
        base=base,
        pool=pool,
        heads=tuple(results),
        correlation=correlations(bars.evidence),
        agreement=agreements(bars.direction),
    )


def claims_of(heads: int, timeframes: int) -> int:
    """How many figures could turn into a verdict: each of them gets its share of the 5 % that all may err."""
    return CLAIMS_A_HEAD * heads * timeframes


@dataclass(frozen=True)
class Origin:
    """One recording of the data: where it came from, what it holds, and the first and last close looked at (ms)."""

    name: str
    symbols: tuple[str, ...]
    candles: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True)
class HeadReport:
    """Everything the page, the table and the JSON tell."""

    origins: tuple[Origin, ...]
    rules: Rules
    claims: int
    frames: tuple[FrameResult, ...]

    def caution(self) -> str:
        """How much was looked at, and what that does to the verdicts."""
        heads = len(self.frames[0].heads)
        return (
            f"Looked at: {heads} heads on {len(self.frames)} timeframe{'s' * (len(self.frames) > 1)}, three figures"
            f" each that could become a verdict, {self.claims} in all. Verdicts use intervals widened for that"
            f" (Bonferroni: together they err in at most {1 - LEVEL:.0%} of such reports) and for few blocks of days"
            f" (Student's t); the intervals beside the figures are for each alone, {LEVEL:.0%}."
        )


def as_json(report: HeadReport) -> dict[str, Any]:
    """The report as plain values in a fixed order; what is not known is null."""
    found: dict[str, Any] = plain(
        {
            "data": report.origins,
            "bracket": report.rules.bracket,
            "costs": report.rules.costs,
            "method": {
                "level": LEVEL,
                "claims": report.claims,
                "joint_level": 1 - (1 - LEVEL) / report.claims,
                "least_blocks": LEAST_BLOCKS,
                "bootstraps": BOOTSTRAPS,
                "caution": report.caution(),
            },
            "timeframes": {frame.timeframe: frame for frame in report.frames},
        }
    )
    return found


def plain(value: Any) -> Any:
    """Mappings, lists and null for dataclasses, arrays and what is not finite, all through."""
    if isinstance(value, Claim):
        low, high = value.joint or (None, None)
        return plain(value.alone) | {"joint_low": low, "joint_high": high}
    if is_dataclass(value):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value
