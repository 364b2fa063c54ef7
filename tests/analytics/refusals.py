"""Random decisions, and what was refused among them counted by plain loops."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from signals.gates import REASONS
from signals.models import RejectedSignal, Signal, TrackedDecision
from tests.analytics import rows

SYMBOLS = ("ADAUSDT", "BTCUSDT", "ETHUSDT")
QUARTER = timedelta(minutes=15)


def random_decisions(*, seed: int, days: int, count: int, until: datetime) -> None:
    """Signals and shadows of the days before `until`, some void, some still open, all of them matured after a day."""
    draw = random.Random(seed)
    taken, made = set(), []
    for _ in range(count):
        symbol, at = draw.choice(SYMBOLS), until - QUARTER * draw.randrange(1, days * 96)
        if (symbol, at) in taken:
            continue
        taken.add((symbol, at))
        made.append(_decision(draw, symbol, at, until))
    draw.shuffle(made)
    RejectedSignal.objects.bulk_create(row for row in made if isinstance(row, RejectedSignal))
    Signal.objects.bulk_create(row for row in made if isinstance(row, Signal))


def _decision(draw: random.Random, symbol: str, at: datetime, until: datetime) -> TrackedDecision:
    net_r = draw.choice([-1.13, -0.1, -0.03, 0.0, 0.07, 0.1, 0.4, 1.87]) + draw.random() * 1e-6
    outcome = "target" if net_r > 1 else "stop" if net_r < -1 else "time"
    ends = {"symbol": symbol, "regime": draw.randrange(-1, 5), "outcome": outcome, "net_pct": net_r / 3}
    columns = rows.tracked(net_r, at, **ends)
    if draw.random() < 0.1:
        columns |= {"outcome": "void", "net_r": None, "net_pct": None}
    if at + rows.LIFE > until:
        columns |= {"outcome": "", "net_r": None, "net_pct": None, "exit_at": None}
    reason = draw.choice([*REASONS, ""])
    return RejectedSignal(**columns, rejection=reason) if reason else Signal(**columns)


def matured(since: datetime, until: datetime, **only: str) -> list[TrackedDecision]:
    """Decisions whose limit ended in (since, until] and that are resolved, in order of time."""
    found: list[TrackedDecision] = [*Signal.objects.filter(**only), *RejectedSignal.objects.filter(**only)]
    inside = [row for row in found if since < row.expires_at <= until and row.outcome]
    return sorted(inside, key=lambda row: row.opened_at)


def reason_of(row: TrackedDecision) -> str:
    return row.rejection if isinstance(row, RejectedSignal) else ""


def figures(decisions: Iterable[TrackedDecision]) -> dict[str, Any]:
    """The columns of the daily table, one decision after another."""
    found: dict[str, Any] = defaultdict(float)
    for row in decisions:
        found["shadows"] += 1
        if row.net_r is None:
            found["void"] += 1
            continue
        kind = "good" if row.net_r < -0.1 else "missed" if row.net_r > 0.1 else "neutral"
        barrier = {"target": "target", "stop": "stop", "time": "timeout"}[row.outcome]
        found[kind] += 1
        found["sum_net_r"] += row.net_r
        found["sum_squared_net_r"] += row.net_r * row.net_r
        found["opportunity_cost_r"] += row.net_r if row.net_r > 0 else 0.0
        found["avoided_loss_r"] += -row.net_r if row.net_r < 0 else 0.0
        found[f"{barrier}s"] += 1
        found[f"{barrier}_net_r"] += row.net_r
        found[f"{barrier}_net_pct"] += row.net_pct or 0.0
    return found


def by_day(decisions: Iterable[TrackedDecision]) -> dict[tuple[date, str, int, str], list[TrackedDecision]]:
    """Decisions by the keys of the daily table."""
    found: dict[tuple[date, str, int, str], list[TrackedDecision]] = defaultdict(list)
    for row in decisions:
        found[row.opened_at.date(), reason_of(row), row.regime, row.symbol].append(row)
    return found
