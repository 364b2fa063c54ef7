"""The learner for whoever has outcomes and wants weights: the nightly job's own functions, live from the first night.

The stable interface of learning.md 6. The job itself calls `learning.nightly.run_night` on the ledger.
"""

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import FloatArray
from learning.config import Config
from learning.events import Events, join, make_events
from learning.nightly import Night, run_night
from learning.procedure import Procedure
from signals.consensus import Weights


class NightlyLearner:
    """Weights to read, one night at a time to learn, with step cap, veto and guard; the opening gate is left out."""

    def __init__(self, heads: tuple[str, ...] | list[str], config: Config | None = None) -> None:
        self.config = config or Config()
        # "Up won" is a fair coin before anything is known; the job starts at a 1 R stop against a 2 R target instead.
        self.procedure = Procedure.at_birth(tuple(heads), self.config, bias=np.zeros(2), phase="live")
        self.last: Night | None = None
        self._events: Events | None = None

    @property
    def weights(self) -> FloatArray:
        """The live betas (H,) in head order."""
        return self.procedure.weights.beta

    @property
    def bias(self) -> FloatArray:
        """The live intercepts (2,): long, short."""
        return self.procedure.weights.bias

    @property
    def version(self) -> Weights:
        return self.procedure.weights

    @property
    def events(self) -> Events | None:
        """Everything learned from so far; None before the first night."""
        return self._events

    def night(
        self,
        today: int,
        decided_day: npt.ArrayLike,
        evidence: FloatArray,
        won: npt.ArrayLike,
        *,
        hour_block: npt.ArrayLike | None = None,
        uniqueness: npt.ArrayLike | None = None,
    ) -> Night:
        """Learn the events that matured tonight: `evidence` (n, H) toward "up", `won` (n,): "up" won, so "down" lost.

        The rows have no identity here, so every row is an event; their order does not matter. `hour_block` numbers the
        hours they were decided in; without it nothing is known of a design effect, and none is assumed.
        """
        wins = np.asarray(won, np.bool_)
        arrived = make_events(
            key=np.zeros(len(wins), "S1"),
            decided_day=decided_day,
            matured_day=today,
            hour_block=hour_block,
            evidence=np.asarray(evidence, np.float64).reshape(len(wins), len(self.procedure.heads)),
            won_long=wins,
            won_short=~wins,
            uniqueness=uniqueness,
        )
        arrived = _named(arrived, today, hours_known=hour_block is not None)
        self._events = arrived if self._events is None else join([self._events, arrived])
        self.last = run_night(self.procedure, self._events, today=today, config=self.config)
        self.procedure = self.last.procedure
        return self.last


def _named(arrived: Events, today: int, *, hours_known: bool) -> Events:
    """The rows in an order that only their content decides, each with a key and a series of its own."""
    columns = [arrived.evidence[:, head] for head in range(arrived.evidence.shape[1])]
    order = np.lexsort((*columns, arrived.uniqueness, arrived.won_long, arrived.hour_block, arrived.decided_day))
    rows = arrived.rows(order)
    keys = np.array([f"{today:+011d}-{row:09d}".encode() for row in range(len(rows))], np.bytes_)
    named = {name: getattr(rows, name) for name in Events.__dataclass_fields__}
    series = np.arange(len(rows), dtype=np.int64)
    hours = rows.hour_block if hours_known else rows.decided_day * 1_000_000_000 + series
    return Events(**{**named, "key": keys.reshape(len(rows)), "series": series, "hour_block": hours})
