"""Work that is due, in PostgreSQL and nowhere else."""

from dataclasses import replace

from ingestion.timeframes import MINUTE_MS
from signals.gates import Thresholds
from signals.services.decide import store_decisions
from tests.signals.decided import EAGER, QUARTER, decided_at, store_market
from tests.signals.market import START_MS, random_walk

# Turns every lean down, so that it is followed as a shadow.
SHY = replace(EAGER, thresholds=Thresholds(10.0))
# Long enough for every bracket to end, at the latest by its limit of a day.
HOURS = 30


def due_shadows(*, symbols: int, closes: int) -> int:
    """A stored market and shadows that have ended in it without anybody having looked; how many."""
    names = [f"S{number:03d}USDT" for number in range(symbols)]
    market = {name: random_walk(HOURS * 60, seed) for seed, name in enumerate(names)}
    store_market(market)
    for close in range(closes):
        at = START_MS + (60 + close) * MINUTE_MS
        prices = {name: float(walk.between(at, at + 1).open[0]) for name, walk in market.items()}
        store_decisions(decided_at(at, prices, version=SHY), QUARTER, SHY.weight_version)
    return symbols * closes
