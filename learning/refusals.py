"""What refusing leans was worth, counted in the database by day, reason, regime and symbol: reads only.

The daily table and the pages that cannot wait for it count by these same expressions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncDate

from alphapulse_site.copying import copy_out
from ingestion.timeframes import TIMEFRAMES
from learning.gate_days import REASON_CODES, UNKNOWN_REASON, GateDays
from learning.labels import NEUTRAL_R
from learning.models import RejectionLearningMetrics
from learning.proposals import WINDOW_DAYS
from signals.configuration import rules
from signals.models import RejectedSignal, Signal, TrackedDecision

GOOD = Q(net_r__lt=-NEUTRAL_R)
MISSED = Q(net_r__gt=NEUTRAL_R)
KEYS = ("day", "timeframe", "reason", "regime", "symbol")
LONGEST_BAR = timedelta(milliseconds=max(timeframe.ms for timeframe in TIMEFRAMES.values()))
# How a lean ended -> what the columns of such leans are called.
BARRIERS = {"target": "target", "stop": "stop", "time": "timeout"}


class OrderedSum(Sum):
    """A sum in the order of time, so that its bits do not depend on where rows lie in the table; 0 without a row."""

    template = "%(function)s(%(expressions)s ORDER BY opened_at)"

    def __init__(self, expression: Any, **options: Any) -> None:
        super().__init__(expression, default=0.0, **options)


def figures() -> dict[str, Any]:
    """Each figure of the table by its name, as an aggregate over decisions."""
    found: dict[str, Any] = {
        "shadows": Count("pk"),
        "good": Count("pk", filter=GOOD),
        "missed": Count("pk", filter=MISSED),
        "neutral": Count("pk", filter=Q(net_r__gte=-NEUTRAL_R, net_r__lte=NEUTRAL_R)),
        "void": Count("pk", filter=Q(net_r=None)),
        "sum_net_r": OrderedSum("net_r"),
        "sum_squared_net_r": OrderedSum(F("net_r") * F("net_r")),
        "opportunity_cost_r": OrderedSum("net_r", filter=Q(net_r__gt=0)),
        "avoided_loss_r": OrderedSum(-F("net_r"), filter=Q(net_r__lt=0)),
    }
    for outcome, name in BARRIERS.items():
        ended = Q(outcome=outcome)
        found |= {
            f"{name}s": Count("pk", filter=ended),
            f"{name}_net_r": OrderedSum("net_r", filter=ended),
            f"{name}_net_pct": OrderedSum("net_pct", filter=ended),
        }
    return found


FIGURES = tuple(figures())


def counted(decisions: "QuerySet[TrackedDecision]") -> "QuerySet[Any]":
    """The keys and figures of signals (their reason is empty) or shadows, one row a day, reason, regime and symbol."""
    reason = F("rejection") if decisions.model is RejectedSignal else Value("")
    keyed = decisions.annotate(day=TruncDate("opened_at"), reason=reason)
    return keyed.values(*KEYS).annotate(**figures(), matured_at=Max("expires_at")).order_by(*KEYS)


def of_day(day: date) -> dict[str, Any]:
    """The decisions of a UTC day, as filters that an index on the time answers."""
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    return {"opened_at__gte": start, "opened_at__lt": start + timedelta(days=1)}


def is_complete(day: date, until: datetime) -> bool:
    """Whether the day had leans, and all of them had matured by `until` and are resolved."""
    seen = [model._default_manager.filter(**of_day(day)) for model in (Signal, RejectedSignal)]
    last = [found.aggregate(last=Max("expires_at"))["last"] for found in seen]
    known = [limit for limit in last if limit is not None]
    return bool(known) and max(known) <= until and not any(found.filter(outcome="").exists() for found in seen)


@dataclass(frozen=True)
class Held:
    """Days that the table holds by regime and symbol: those whose leans all matured in a stretch of time, or before it.

    `inside` and `before` ascend; `since` is the earliest moment at which a lean that matured in it may have been made.
    """

    since: datetime
    inside: list[date]
    before: list[date]

    @classmethod
    def around(cls, since: datetime, until: datetime) -> "Held":
        """For the leans whose time limit ended in (since, until]."""
        earliest = since - LONGEST_BAR * rules().bracket.limit_bars
        held = RejectionLearningMetrics.objects.filter(day__gte=earliest.date(), regime__isnull=False)
        last = held.order_by("day").values("day").annotate(last=Max("matured_at")).filter(last__lte=until)
        days = list(last.values_list("day", "last"))
        inside = [day for day, _ in days if day > since.date()]
        return cls(earliest, inside, [day for day, matured in days if matured <= since])

    @property
    def elsewhere(self) -> Q:
        """The other decisions that may have matured in the stretch, as spans that an index on the time answers."""
        spans, start = [], self.since
        for day in sorted({*self.before, *self.inside}):
            first, end = of_day(day).values()
            if start < first:
                spans.append(Q(opened_at__gte=start, opened_at__lt=first))
            start = max(start, end)
        return reduce(or_, [*spans, Q(opened_at__gte=start)])


def figures_until(until: datetime) -> GateDays:
    """What the table says of the days whose leans had all matured by `until`, from 90 days before on."""
    days = Held.around(until - timedelta(days=WINDOW_DAYS), until).inside
    held = RejectionLearningMetrics.objects.filter(day__in=days, regime__isnull=False)
    return read_days(held, ("shadows", "void", "sum_net_r"))


def uncounted_days(until: datetime) -> list[date]:
    """The days before that of `until` that have no row in the table, from the first one that had a lean."""
    first = [
        moment
        for model in (Signal, RejectedSignal)
        if (moment := model._default_manager.aggregate(first=Min("opened_at"))["first"])
    ]
    if not first:
        return []
    counted_days = set(RejectionLearningMetrics.objects.values_list("day", flat=True).distinct())
    start = min(first).date()
    days = (start + timedelta(days=place) for place in range((until.date() - start).days))
    return [day for day in days if day not in counted_days]


SYMBOL_BYTES = 48
ZEROS = f"decode(repeat('00', {SYMBOL_BYTES}), 'hex')"
CODES = ", ".join(f"'{reason}'" for reason in REASON_CODES)
# How each kind of column is written in the query, and read from PostgreSQL's binary form.
CASTS = {
    "day": ("({0} - DATE '1970-01-01')::int4", ">i4"),
    "reason": (f"coalesce(array_position(ARRAY[{CODES}], {{0}}) - 1, {UNKNOWN_REASON})::int4", ">i4"),
    "symbol": (f"substring(convert_to({{0}}, 'UTF8') || {ZEROS} for {SYMBOL_BYTES})", f"S{SYMBOL_BYTES}"),
    "int": ("{0}::int4", ">i4"),
    "float": ("{0}::float8", ">f8"),
}
READ_KEYS = {"day": "day", "reason": "reason", "regime": "int", "symbol": "symbol"}


def read_days(rows: "QuerySet[Any]", figures: Sequence[str]) -> GateDays:
    """Rows of the daily table, or of `counted`, as columns."""
    kinds = {**READ_KEYS, **dict.fromkeys(figures, "float")}
    try:
        query, parameters = rows.order_by().values_list(*kinds).query.sql_with_params()
    except EmptyResultSet:  # Django sees that no row can match, such as among no days
        return GateDays.empty(figures)
    names = [f"c{place}" for place in range(len(kinds))]
    cast = ", ".join(CASTS[kind][0].format(name) for name, kind in zip(names, kinds.values(), strict=True))
    found = copy_out(
        f"SELECT {cast} FROM ({query}) AS found({', '.join(names)})",
        parameters,
        {name: CASTS[kind][1] for name, kind in kinds.items()},
    )
    symbols: dict[bytes, int] = {}
    symbol = [symbols.setdefault(name, len(symbols)) for name in found["symbol"].tolist()]
    return GateDays(
        day=found["day"].astype(np.int64),
        reason=found["reason"].astype(np.int64),
        regime=found["regime"].astype(np.int64),
        symbol=np.array(symbol, dtype=np.int64),
        symbols=tuple(name.decode() for name in symbols),
        figures={name: found[name].astype(np.float64) for name in figures},
    )
