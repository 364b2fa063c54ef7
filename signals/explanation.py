"""Why a scan became a trade or not: the votes with their reasons, the pool head by head, the gates. Pure.

For people; nothing decides by it. Everything is taken from what decided: votes, weights and margins as they were, and
the reasons from the heads themselves.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from signals.consensus import Weights, evidence
from signals.gates import GATES, REASONS
from signals.heads.base import Expert, Reason
from signals.scan import Judged
from signals.window import Window

SIDES = {-1: "short", 0: "none", 1: "long"}

# What a gate's margin counts, in the order of GATES; below zero the gate refuses.
UNITS = (
    "minus the missing minutes",
    "probability above the least one",
    "expected R above the threshold",
    "signals the regime still has room for",
    "minutes since the tightest cooldown ended",
    "share of the tightest risk limit that is left",
)

Reasons = tuple[Reason, ...]


@dataclass(frozen=True)
class HeadVote:
    """One head's vote and what it did to the pool.

    probability, confidence: None where it abstained. evidence: log-odds toward "up". weight: its beta; contribution:
    weight x evidence, which added up in this order are the pooled log-odds to the bit. agrees: with the lean, None
    without a vote or a lean. reasons: what moved it most, hardest first; None where that is not known any more.
    """

    head: str
    direction: str
    probability: float | None
    confidence: float | None
    evidence: float
    weight: float
    contribution: float
    agrees: bool | None
    reasons: Reasons | None


@dataclass(frozen=True)
class GateVerdict:
    """One gate's answer; `passed` and `margin` are None where it has not been asked or has nothing to measure."""

    gate: str
    passed: bool | None
    margin: float | None
    unit: str
    reason: str


@dataclass(frozen=True)
class Pool:
    """From the pooled log-odds to the chance of the lean's bracket; None without a lean.

    win_log_odds = intercept of the lean's side + side x log_odds, and win_probability is its logistic function.
    """

    log_odds: float
    intercept: float | None
    win_log_odds: float | None
    win_probability: float | None


@dataclass(frozen=True)
class Explanation:
    """A scan in full: one sentence, then the figures it stands on."""

    answer: str
    lean: str
    votes: tuple[HeadVote, ...]
    pool: Pool
    gates: tuple[GateVerdict, ...]


def explained(
    judged: Judged,
    row: int,
    weights: Weights,
    reasons: Mapping[str, Reasons],
    *,
    passed: Sequence[bool],
    rejection: str | None,
) -> Explanation:
    """Explain one judged scan, pooled under `weights`, with the reasons of the heads by name.

    `passed` (gates,) and `rejection` say what the gates answered: empty and None before the serial ones were asked.
    """
    lean = int(judged.lean[row])
    gates = _gates(judged.margins[row].tolist(), passed if lean else ())
    promised = float(judged.expected_r[row])
    return Explanation(
        answer=_answer(lean, rejection, promised, gates),
        lean=SIDES[lean],
        votes=_votes(judged, row, weights, reasons),
        pool=_pool(judged, row, weights),
        gates=gates,
    )


def _votes(judged: Judged, row: int, weights: Weights, reasons: Mapping[str, Reasons]) -> tuple[HeadVote, ...]:
    lean = int(judged.lean[row])
    stated = evidence(judged.direction[row], judged.probability[row], judged.confidence[row])
    if stated.shape != (len(weights.heads),):
        raise ValueError(f"{len(stated)} votes under weights of {len(weights.heads)} heads; use the scan's own version")
    # Python floats multiply to the same bits as the pool's arrays.
    lines = zip(
        weights.heads,
        judged.direction[row].tolist(),
        judged.probability[row].tolist(),
        judged.confidence[row].tolist(),
        stated.tolist(),
        weights.beta.tolist(),
        strict=True,
    )
    return tuple(
        HeadVote(
            head=head,
            direction=SIDES[side],
            probability=known(probability),
            confidence=known(confidence),
            evidence=said + 0.0,
            weight=beta,
            contribution=beta * said + 0.0,
            agrees=side == lean if side and lean else None,
            reasons=reasons.get(head),
        )
        for head, side, probability, confidence, said, beta in lines
    )


def _pool(judged: Judged, row: int, weights: Weights) -> Pool:
    lean, log_odds = int(judged.lean[row]), float(judged.log_odds[row])
    if not lean:
        return Pool(log_odds + 0.0, None, None, None)
    intercept = float(weights.bias[0 if lean > 0 else 1])
    return Pool(log_odds, intercept, intercept + lean * log_odds, known(float(judged.win_probability[row])))


def _gates(margins: Sequence[float], passed: Sequence[bool]) -> tuple[GateVerdict, ...]:
    verdicts: Sequence[bool | None] = passed or [None] * len(GATES)
    return tuple(
        GateVerdict(gate, verdict, known(margin), _unit(gate, unit, margin), reason)
        for gate, verdict, margin, unit, reason in zip(GATES, verdicts, margins, UNITS, REASONS, strict=True)
    )


def _unit(gate: str, unit: str, margin: float) -> str:
    """What a margin counts; the consensus gate counts heads as long as the quorum is not there."""
    return "heads short of the quorum" if gate == "consensus" and margin <= -1 else unit


def _answer(lean: int, rejection: str | None, promised: float, gates: Sequence[GateVerdict]) -> str:
    """Why the scan became a trade or not, in one sentence."""
    if rejection is None:
        return "Not decided yet: the serial gates of this close have not been asked."
    if lean == 0:
        return "No trade: the votes leaned to neither side."
    side = SIDES[lean]
    if rejection == "":
        return f"A {side} signal: every gate passed, {promised:+.3f} R expected."
    refused = next(gate for gate in gates if gate.reason == rejection)
    margin = "" if refused.margin is None else f" (margin {refused.margin:+.4g}: {refused.unit})"
    return f"No trade: the {refused.gate} gate refused a {side} lean, {rejection}{margin}."


def known(value: float) -> float | None:
    """None for NaN, and one zero, not two."""
    return None if isnan(value) else value + 0.0


# --- reasons, and how they are kept -----------------------------------------------------------------------------------

# A head's count of reasons, then for each: its place in the head's inputs, its value, its pull in 1/127.
COUNT, REASON = struct.Struct("<B"), struct.Struct("<Hfb")
FULL_PULL = 127
LARGEST = float(np.finfo(np.float32).max)


def reasons_at(window: Window, row: int, heads: Sequence[Expert]) -> list[Reasons]:
    """Each head's reasons at one row, in head order."""
    return [head.explain(window, row) for head in heads]


def packed(reasons: Sequence[Reasons], heads: Sequence[Expert]) -> bytes:
    """The heads' reasons in few bytes, seven each: values keep seven digits, pulls two.

    ValueError if a head gives a reason that is not among its inputs.
    """
    parts = []
    for head, given in zip(heads, reasons, strict=True):
        parts.append(COUNT.pack(len(given)))
        parts += [REASON.pack(_position(head, reason.name), *_figures(reason)) for reason in given]
    return b"".join(parts)


def _position(head: Expert, name: str) -> int:
    if name not in head.inputs:
        raise ValueError(f"{head.name} gives {name!r} as a reason; append the name to its inputs")
    return head.inputs.index(name)


def _figures(reason: Reason) -> tuple[float, int]:
    return max(-LARGEST, min(reason.value, LARGEST)), round(FULL_PULL * max(-1.0, min(reason.pull, 1.0)))


def unpacked(stored: bytes, heads: Sequence[Expert]) -> list[Reasons]:
    """The reasons that `packed` put away for the same heads; ValueError if they do not fit those."""
    try:
        found, end = _read(stored, heads)
    except (struct.error, IndexError) as error:
        raise ValueError("stored reasons are cut off or of other heads; name the heads that gave them") from error
    if end != len(stored):
        raise ValueError(f"stored reasons go on for {len(stored) - end} bytes after the last head; name all heads")
    return found


def _read(stored: bytes, heads: Sequence[Expert]) -> tuple[list[Reasons], int]:
    found, at = [], 0
    for head in heads:
        (count,) = COUNT.unpack_from(stored, at)
        at += COUNT.size
        lines = [REASON.unpack_from(stored, at + REASON.size * line) for line in range(count)]
        found.append(tuple(_reason(head, *line) for line in lines))
        at += REASON.size * count
    return found, at


def _reason(head: Expert, place: int, value: float, pull: int) -> Reason:
    """In the fewest digits that say the same: 72.49767, not 72.49767303466797."""
    return Reason(head.inputs[place], float(str(np.float32(value))), round(pull / FULL_PULL, 3))


def as_kept(reasons: Reasons, head: Expert) -> Reasons:
    """Reasons with the digits that are left after packing: the same whether they were stored or made again."""
    return unpacked(packed([reasons], [head]), [head])[0]
