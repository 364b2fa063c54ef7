"""Head A: the balance of 25 indicators in three groups. Pure."""

from collections.abc import Sequence

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from signals.heads.base import Needs, Votes
from signals.heads.parts import balance, stated_probability
from signals.heads.technical_rules import MOMENTUM, TREND, VOLATILITY, Rule
from signals.window import Frame, Window

# market.md, section 2. An indicator here is one reading; some, like Aroon, take two of the 69 series.
GROUPS: tuple[tuple[float, tuple[Rule, ...]], ...] = ((0.40, TREND), (0.35, MOMENTUM), (0.25, VOLATILITY))
DEAD_BAND = 0.10  # market.md, section 2

# Nine bars in ten lie beyond the dead band, for the groups read the same move (their scores correlate by 0.9). A head
# that always speaks says little, so each group must carry the vote: four in ten bars are left on 15m candles.
GROUP_BAND = 0.35


class Technical:
    """Sides with the balance of trend, momentum and volatility, all read with the move (see technical_rules)."""

    name, letter = "technical", "A"
    needs = Needs(indicators=frozenset(name for _, rules in GROUPS for rule in rules for name in rule.indicators))

    def vote(self, window: Window) -> Votes:
        """Vote on every bar of the window; shapes (bars,). It abstains where a whole group lacks data."""
        groups = [group_score(window.base, rules) for _, rules in GROUPS]
        score = balance([(weight, group) for (weight, _), group in zip(GROUPS, groups, strict=True)]).score
        speaks = window.base.ready & (np.abs(score) > DEAD_BAND) & all_carry(groups, score)
        return Votes.of(
            side=np.where(speaks, score, np.nan),
            probability=stated_probability(score),
            confidence=agreement(groups),
        )


def group_score(frame: Frame, rules: Sequence[Rule]) -> FloatArray:
    """Plain mean of the group's readings that have data, shape (bars,), -1..1, NaN where none has."""
    return balance([(1.0, rule.read(frame)) for rule in rules]).score


def all_carry(groups: Sequence[FloatArray], score: FloatArray) -> BoolArray:
    """Where every group lies beyond its band on the score's side."""
    side = np.sign(score)
    carried: BoolArray = np.logical_and.reduce([side * group > GROUP_BAND for group in groups])
    return carried


def agreement(groups: Sequence[FloatArray]) -> FloatArray:
    """1 where the groups give the same score, 0 where one is at -1 and another at +1, shape (bars,)."""
    spread: FloatArray = np.maximum.reduce(groups) - np.minimum.reduce(groups)
    return 1 - spread / 2
