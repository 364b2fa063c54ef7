"""A betting e-process: evidence that may be looked at every day (Waudby-Smith & Ramdas 2024). Pure."""

import math
from dataclasses import dataclass

from learning.config import Config

STAKES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
# e^700 is finite; a capital beyond it has nothing left to prove.
CAPITAL_LIMIT = 700.0


@dataclass(frozen=True)
class Bets:
    """Seven gamblers who bet that the daily difference is above zero; `value` is their mean capital, 1 at the start.

    If the differences are not above zero on average, the chance that the value ever reaches 20 is at most 1 in 20
    (Ville 1939), however often it is looked at.
    """

    log_capital: tuple[float, ...] = (0.0,) * len(STAKES)
    days: int = 0

    def after(self, difference: float, config: Config) -> "Bets":
        """The capital after one more day's difference in log-loss, clipped to +-0.03 nats."""
        if not math.isfinite(difference):
            raise ValueError("a day's difference in log-loss must be finite; leave out days without outcomes")
        clip = config.betting_clip
        won = min(max(difference, -clip), clip) / clip
        grown = tuple(
            min(capital + math.log1p(stake * won), CAPITAL_LIMIT)
            for capital, stake in zip(self.log_capital, STAKES, strict=True)
        )
        return Bets(grown, self.days + 1)

    @property
    def value(self) -> float:
        return sum(math.exp(capital) for capital in self.log_capital) / len(STAKES)
