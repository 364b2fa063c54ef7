"""Head A: the balance of 25 indicators in three groups. Pure."""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from signals.frame import Frame
from signals.heads.base import MOST_REASONS, Needs, Reason, Votes, strongest
from signals.heads.parts import stated_probability
from signals.heads.technical_rules import MEMORY, MOMENTUM, TREND, VOLATILITY, Rule, measured
from signals.window import Window

# market.md, section 2. An indicator here is one reading; some, like Aroon, take two of the 69 series.
GROUPS: tuple[tuple[float, tuple[Rule, ...]], ...] = ((0.40, TREND), (0.35, MOMENTUM), (0.25, VOLATILITY))
SHARES = np.array([share for share, _ in GROUPS])
RULES = tuple(rule for _, rules in GROUPS for rule in rules)
MIDDLE, FULL = np.array([[rule.middle] for rule in RULES]), np.array([[rule.full] for rule in RULES])
# Where each rule stands: its group and its place there.
GROUP = np.array([group for group, (_, rules) in enumerate(GROUPS) for _ in rules])
PLACE = np.array([place for _, rules in GROUPS for place, _ in enumerate(rules)])
LONGEST = int(PLACE.max()) + 1

DEAD_BAND = 0.10  # market.md, section 2
# Nine bars in ten lie beyond the dead band, for the groups read the same move (their scores correlate by 0.9). A head
# that always speaks says little, so each group must carry the vote. Measured on BTC, ETH and ADA in June 2021 and in
# March and April 2023: that leaves 32 to 44 % of the 15m bars and 39 to 51 % of those of 1h.
GROUP_BAND = 0.35


@dataclass(frozen=True)
class Readings:
    """What the head saw on some bars; arrays (.., bars), NaN without data.

    figures (rules, ..): what each rule measured; in_votes (rules, ..): the same in full votes; groups (3, ..): the
    plain mean of each group's readings that have data; score (..): the weighted mean of the groups.
    """

    figures: FloatArray
    in_votes: FloatArray
    groups: FloatArray
    score: FloatArray


def readings(frame: Frame) -> Readings:
    figures = measured(frame, RULES)
    in_votes = (figures - MIDDLE) / FULL
    read = np.full((len(GROUPS), LONGEST, len(frame)), np.nan)
    read[GROUP, PLACE] = bounded(in_votes)
    groups = weighted_mean(read, np.ones(LONGEST))
    return Readings(figures, in_votes, groups, weighted_mean(groups, SHARES))


def bounded(in_votes: FloatArray) -> FloatArray:
    read: FloatArray = np.minimum(np.maximum(in_votes, -1.0), 1.0)
    return read


def weighted_mean(lines: FloatArray, shares: FloatArray) -> FloatArray:
    """Mean of the lines (.., n, bars) by share (n,), shape (.., bars); those that are NaN drop out, NaN if all are."""
    there, weight = np.isfinite(lines), shares[:, None]
    # A running sum adds in one order, whatever the shape; a plain sum of one bar adds in another than that of many.
    pull = np.cumsum(np.where(there, weight * lines, 0.0), axis=-2)[..., -1, :]
    total = np.cumsum(np.where(there, weight, 0.0), axis=-2)[..., -1, :]
    mean = np.full(pull.shape, np.nan)
    np.divide(pull, total, out=mean, where=total != 0)
    return mean


class Technical:
    """Sides with the balance of trend, momentum and volatility, all read with the move (see technical_rules)."""

    name, letter = "technical", "A"
    needs = Needs(indicators=frozenset(name for rule in RULES for name in rule.indicators), memory=MEMORY)
    inputs: tuple[str, ...] = tuple(rule.name for rule in RULES)

    def vote(self, window: Window) -> Votes:
        """Vote on every bar of the window; shapes (bars,). It abstains where a whole group lacks data."""
        recent = window.recent(MEMORY).base
        seen = readings(recent)
        speaks = recent.ready & (np.abs(seen.score) > DEAD_BAND) & all_carry(seen)
        votes = Votes.of(
            side=np.where(speaks, seen.score, np.nan),
            probability=stated_probability(seen.score),
            confidence=agreement(seen.groups),
        )
        return votes.padded(len(window))

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """The rules that pulled hardest; of those with a full vote the ones that went furthest beyond it.

        A pull is what the rule adds to the score, in units of the most that a rule can add there.
        """
        before = min(row, MEMORY)
        frame = window.base.since(row - before)
        seen = readings(frame)
        in_votes = seen.in_votes[:, before]
        pulls = pulls_of(in_votes)
        hardest = np.lexsort((-np.abs(in_votes), -np.abs(pulls)))[:MOST_REASONS].tolist()
        shown = [shown_at(frame, before, place, seen) for place in hardest]
        return strongest(
            Reason(RULES[place].name, value, float(pulls[place])) for place, value in zip(hardest, shown, strict=True)
        )


def pulls_of(in_votes: FloatArray) -> FloatArray:
    """What each rule (n,) adds to the score of one bar, in units of the most that a rule can add there, else NaN.

    A group shares its weight among the rules that have data, so each of a small group counts more.
    """
    there = np.isfinite(in_votes)
    share = SHARES[GROUP] / np.maximum(np.bincount(GROUP[there], minlength=len(GROUPS)), 1)[GROUP]
    pulls: FloatArray = bounded(in_votes) * share / np.max(share, where=there, initial=0.0) if there.any() else in_votes
    return pulls


def shown_at(frame: Frame, row: int, place: int, seen: Readings) -> float:
    """The figure that people see of a rule: what it measured, or what it says to show instead."""
    rule = RULES[place]
    if rule.shown is None:
        return float(seen.figures[place, row])
    return float((frame.derived(rule.shown) if rule.remembers else rule.shown(frame))[row])


def all_carry(seen: Readings) -> BoolArray:
    """Where every group lies beyond its band on the score's side."""
    carried: BoolArray = np.logical_and.reduce(np.sign(seen.score) * seen.groups > GROUP_BAND, axis=0)
    return carried


def agreement(groups: FloatArray) -> FloatArray:
    """1 where the groups give the same score, 0 where one is at -1 and another at +1, shape (bars,)."""
    spread: FloatArray = np.max(groups, axis=0) - np.min(groups, axis=0)
    return 1 - spread / 2
