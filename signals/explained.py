"""A stored scan explained: with the reasons that were written down, or with those its candles still give."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import TIMEFRAMES
from signals.consensus import Weights
from signals.explanation import Explanation, Reasons, as_kept, explained, unpacked
from signals.heads import HEADS
from signals.heads.base import Votes
from signals.models import ScanHistory
from signals.rows import judged_from
from signals.windows import window_at

EXPERTS = {head.name: head for head in HEADS}


@dataclass(frozen=True)
class ExplainedScan:
    """`recomputed`: the reasons were not stored with the scan but made again, from its candles as they are now."""

    explanation: Explanation
    recomputed: bool


def explained_scan(scan: ScanHistory, weights: Weights) -> ExplainedScan:
    """Explain a stored scan under the weights of its own version, which name its heads."""
    reasons = stored_reasons(scan, weights) if scan.reasons is not None else recomputed_reasons(scan, weights)
    explanation = explained(
        judged_from([scan], len(weights.heads)),
        0,
        weights,
        reasons,
        passed=scan.passed,
        rejection=scan.rejection,
    )
    return ExplainedScan(explanation, recomputed=scan.reasons is None and bool(reasons))


def stored_reasons(scan: ScanHistory, weights: Weights) -> Mapping[str, Reasons]:
    """The reasons that were written with the scan, by head."""
    given = unpacked(bytes(scan.reasons or b""), [EXPERTS[name] for name in weights.heads])
    return dict(zip(weights.heads, given, strict=True))


def recomputed_reasons(scan: ScanHistory, weights: Weights) -> Mapping[str, Reasons]:
    """The same made again from the stored candles and feeds, as far as they still are those of the scan.

    A head that votes otherwise there than it did is left out: its reasons would be those of another vote.
    """
    window = window_at(TIMEFRAMES[scan.timeframe], scan.close_time, scan.symbol)
    if window is None:
        return {}
    experts = [EXPERTS[name] for name in weights.heads]
    return {
        expert.name: as_kept(expert.explain(window, window.first), expert)
        for column, expert in enumerate(experts)
        if same_vote(expert.vote(window), window.first, scan, column)
    }


def same_vote(votes: Votes, row: int, scan: ScanHistory, column: int) -> bool:
    """Whether a head's vote at a row is the one in a scan's column, to the bit."""
    made = [votes.direction[row], votes.probability[row], votes.confidence[row]]
    stored = [scan.directions[column], scan.probabilities[column], scan.confidences[column]]
    return np.array_equal(np.array(made, np.float64), np.array(stored, np.float64), equal_nan=True)
