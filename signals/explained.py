"""A stored scan in words: who voted what, which gate held it back by how much. For people; nothing decides by it."""

import math
from dataclasses import dataclass

import numpy as np

from signals.consensus import evidence
from signals.gates import GATES, REASONS
from signals.heads import HEADS
from signals.models import Direction, ScanHistory

# What a gate's margin counts, in the order of GATES; below zero the gate refuses.
UNITS = (
    "minus the missing minutes",
    "probability above the least one",
    "expected R above the threshold",
    "signals the regime still has room for",
    "minutes since the tightest cooldown ended",
    "share of the tightest risk limit that is left",
)


@dataclass(frozen=True)
class HeadVote:
    """One head's vote; None where it abstained. `evidence` is log-odds toward "up"."""

    head: str
    direction: str
    probability: float | None
    confidence: float | None
    evidence: float
    agrees: bool | None


@dataclass(frozen=True)
class GateVerdict:
    """One gate's answer; `passed` and `margin` are None where it has not been asked or has nothing to measure."""

    gate: str
    passed: bool | None
    margin: float | None
    unit: str
    reason: str


def known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value + 0.0  # one zero, not two


def votes_of(scan: ScanHistory) -> list[HeadVote]:
    """The votes in head order. A scan older than a head has no vote of it."""
    weighed = evidence(np.array(scan.directions, np.int8), np.array(scan.probabilities), np.array(scan.confidences))
    return [
        HeadVote(
            head=head.name,
            direction=Direction(side).label,
            probability=known(probability),
            confidence=known(confidence),
            evidence=stated,
            agrees=side == scan.lean if side and scan.lean else None,
        )
        for head, side, probability, confidence, stated in zip(
            HEADS, scan.directions, scan.probabilities, scan.confidences, weighed.tolist(), strict=False
        )
    ]


def unit_of(gate: str, unit: str, margin: float | None) -> str:
    """What a margin counts; the consensus gate counts heads as long as the quorum is not there."""
    return "heads short of the quorum" if gate == "consensus" and margin is not None and margin <= -1 else unit


def gates_of(scan: ScanHistory) -> list[GateVerdict]:
    """Every gate in order. Serial gates are not asked before the close is decided, nor without a lean."""
    passed: list[bool | None] = [*scan.passed] if scan.passed and scan.lean else [None] * len(GATES)
    return [
        GateVerdict(gate, verdict, known(margin), unit_of(gate, unit, known(margin)), reason)
        for gate, verdict, margin, unit, reason in zip(GATES, passed, scan.margins, UNITS, REASONS, strict=True)
    ]


def answer(scan: ScanHistory) -> str:
    """Why this scan became a trade or not, in one sentence."""
    if scan.rejection is None:
        return "Not decided yet: the serial gates of this close have not been asked."
    if scan.lean == 0:
        return "No trade: the votes leaned to neither side."
    side = Direction(scan.lean).label
    if scan.rejection == "":
        return f"A {side} signal: every gate passed, {scan.expected_r:+.3f} R expected."
    refused = next(gate for gate in gates_of(scan) if gate.reason == scan.rejection)
    margin = "" if refused.margin is None else f" (margin {refused.margin:+.4g}: {refused.unit})"
    return f"No trade: the {refused.gate} gate refused a {side} lean, {scan.rejection}{margin}."
