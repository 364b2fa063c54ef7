"""The ledger's outcomes as columns: the chance each lean was given, how the heads voted, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from django.db.models import F, Max, Min, QuerySet
from django.db.models.functions import Mod

from analytics.selectors.columns import days, read_columns
from analytics.selectors.scope import Scope
from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.models import LearningEvent
from signals.consensus import SideArray, Weights

# More than this is thinned evenly: an interval from a hundred thousand outcomes is narrow enough, a page that takes a
# minute is not.
READ_AT_MOST = 100_000


@dataclass(frozen=True)
class Outcomes:
    """Learning events that matured in a scope, void ones left out; columns (n,), `evidence` (n, H) toward "up".

    `day` is the UTC day of the decision, `side` the lean. `thinned_by` k: only every k-th event was read.
    """

    day: IntArray
    side: SideArray
    is_signal: BoolArray
    win_probability: FloatArray
    net_r: FloatArray
    mirror_net_r: FloatArray
    weight_version: IntArray
    evidence: FloatArray
    thinned_by: int

    def __len__(self) -> int:
        return len(self.day)

    @property
    def won(self) -> BoolArray:
        return self.net_r > 0

    def rows(self, chosen: BoolArray) -> "Outcomes":
        columns = {name: getattr(self, name)[chosen] for name in COLUMNS}
        return replace(self, **columns)

    def decided_with(self, versions: Mapping[int, Weights]) -> "Outcomes":
        """Those whose weight version is stored, so that they can be scored against it; `doctor` reports the rest."""
        return self.rows(np.isin(self.weight_version, list(versions)))

    def intercepts(self, versions: Mapping[int, Weights]) -> FloatArray:
        """The intercepts (n, 2) for long and short of the version that each decision was made with."""
        used, place = np.unique(self.weight_version, return_inverse=True)
        table = np.array([versions[version].bias for version in used.tolist()]).reshape(len(used), 2)
        return table[place]


COLUMNS = tuple(column.name for column in fields(Outcomes) if column.name != "thinned_by")
KINDS = {
    "sequence": "bigint",
    "decided_at": "time",
    "side": "int",
    "is_signal": "int",
    "win_probability": "float",
    "net_r": "float",
    "mirror_net_r": "float",
    "weight_version": "int",
}


def matured_outcomes(scope: Scope, heads: int) -> Outcomes:
    """Outcomes whose time limit ended inside the scope: whole cohorts, since early resolvers are mostly losses."""
    rows = LearningEvent.objects.filter(kind="outcome", is_void=False, **scope.filters("matured_at"))
    step = _thinning(rows)
    if step > 1:
        rows = rows.annotate(remainder=Mod(F("sequence"), step)).filter(remainder=0)
    found = read_columns(rows, KINDS, {"evidence": heads})
    order = np.argsort(found["sequence"])
    found = {name: column[order] for name, column in found.items()}
    return Outcomes(
        day=days(found["decided_at"]),
        side=found["side"].astype(np.int8),
        is_signal=found["is_signal"].astype(np.bool_),
        win_probability=found["win_probability"],
        net_r=found["net_r"],
        mirror_net_r=found["mirror_net_r"],
        weight_version=found["weight_version"],
        evidence=found["evidence"],
        thinned_by=step,
    )


def _thinning(rows: "QuerySet[LearningEvent]") -> int:
    """How many events stand for one that is read. The ledger is dense, so its first and last number tell how many."""
    # Plus 0: else the planner walks the ledger from its end until it meets the span.
    ends = rows.aggregate(first=Min(F("sequence") + 0), last=Max(F("sequence") + 0))
    if ends["first"] is None:
        return 1
    return int(-(-(ends["last"] - ends["first"] + 1) // READ_AT_MOST))
