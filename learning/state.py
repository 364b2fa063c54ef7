"""The learner's memory: a frozen record with canonical bytes and a hash chain. Pure."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from ingestion.timeframes import FloatArray
from learning.candidates import born
from learning.config import CODE_VERSION, Config
from learning.logistic import INTERCEPTS
from learning.mixture import Certificate, first_shares
from signals.consensus import EQUAL_BETA, Weights

FORMAT = 1
BEFORE_HISTORY = -(2**31)  # the day of a learner that has not lived a night


def theta_of(weights: Weights) -> FloatArray:
    """(a_long, a_short, b) of a weight version, shape (2 + H,)."""
    return np.concatenate([weights.bias, weights.beta])


def weights_of(heads: tuple[str, ...], theta: FloatArray) -> Weights:
    """The weight version of (a_long, a_short, b)."""
    return Weights(heads, theta[INTERCEPTS:].copy(), theta[:INTERCEPTS].copy())


def canonical(document: dict[str, Any]) -> bytes:
    """JSON with sorted keys; Python prints a float with the digits that give it back exactly. Refuses NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_canonical(payload: bytes, kind: str, formats: tuple[int, ...] = (FORMAT,)) -> dict[str, Any]:
    """The document of `canonical`; raises ValueError if it is of another kind or of none of the formats."""
    document: dict[str, Any] = json.loads(payload)
    if document.get("kind") != kind or document.get("format") not in formats:
        found, known = f"{document.get('kind')} format {document.get('format')}", " or ".join(map(str, formats))
        raise ValueError(f"expected {kind} format {known}, found {found}; rebuild it from the ledger with this code")
    return document


def weights_to_bytes(weights: Weights) -> bytes:
    """The canonical bytes of a weight version: what a rollback must reproduce."""
    document = {"kind": "head_weights", "format": FORMAT, "heads": list(weights.heads)}
    return canonical({**document, "beta": weights.beta.tolist(), "bias": weights.bias.tolist()})


def weights_from_bytes(payload: bytes) -> Weights:
    document = read_canonical(payload, "head_weights")
    return Weights(tuple(document["heads"]), np.array(document["beta"]), np.array(document["bias"]))


@dataclass(frozen=True)
class Remembered:
    """What was in force from the night of `day` on: shares (K,), candidates (K, 2 + H), the learner's own weights."""

    day: int
    shares: FloatArray
    candidates: FloatArray
    theta: FloatArray


@dataclass(frozen=True)
class LearnerState:
    """Everything tomorrow's night needs. `recent` ends with the present state, oldest first."""

    heads: tuple[str, ...]
    recent: tuple[Remembered, ...]
    certificate: Certificate
    state_hash: str

    @classmethod
    def at_birth(cls, heads: tuple[str, ...], bias: FloatArray, config: Config) -> "LearnerState":
        theta = np.concatenate([bias, np.full(len(heads), EQUAL_BETA)])
        shares = first_shares(config)
        first = Remembered(BEFORE_HISTORY, shares, born(len(heads), bias, config), theta)
        seed = sha256(canonical({"heads": list(heads), "bias": bias.tolist()})).hexdigest()
        born_hash = chained(seed, "", config)
        return cls(heads, (first,), Certificate(np.zeros(len(shares))), born_hash)

    @property
    def day(self) -> int:
        return self.recent[-1].day

    @property
    def shares(self) -> FloatArray:
        return self.recent[-1].shares

    @property
    def candidates(self) -> FloatArray:
        return self.recent[-1].candidates

    @property
    def weights(self) -> Weights:
        """The learner's own capped weights: what would be live if it had been live all along."""
        return weights_of(self.heads, self.recent[-1].theta)

    def in_force(self, decided_day: int) -> Remembered:
        """The memory of the night that ruled a decision of that day; the oldest one kept if it is older still."""
        for remembered in reversed(self.recent):
            if remembered.day <= decided_day:
                return remembered
        return self.recent[0]

    def followed_by(self, night: Remembered, config: Config) -> tuple[Remembered, ...]:
        return (*self.recent, night)[-config.remembered_nights :]

    def document(self) -> dict[str, Any]:
        certificate = self.certificate
        return {
            "kind": "learner_state",
            "format": FORMAT,
            "heads": list(self.heads),
            "recent": [
                [night.day, night.shares.tolist(), night.candidates.tolist(), night.theta.tolist()]
                for night in self.recent
            ],
            "certificate": [certificate.excess.tolist(), certificate.gap, certificate.drift, certificate.nights],
            "state_hash": self.state_hash,
        }

    def to_bytes(self) -> bytes:
        """Canonical: equal states have equal bytes, and every float comes back exactly."""
        return canonical(self.document())

    @classmethod
    def from_bytes(cls, payload: bytes) -> "LearnerState":
        document = read_canonical(payload, "learner_state")
        excess, gap, drift, nights = document["certificate"]
        recent = tuple(
            Remembered(day, np.array(shares), np.array(candidates), np.array(theta))
            for day, shares, candidates, theta in document["recent"]
        )
        certificate = Certificate(np.array(excess), gap, drift, nights)
        return cls(tuple(document["heads"]), recent, certificate, document["state_hash"])


def chained(parent: str, evidence_digest: str, config: Config) -> str:
    """The next link: what came before, the events of tonight, the code and the constants it was made with."""
    return sha256("\n".join([parent, evidence_digest, CODE_VERSION, config.digest]).encode()).hexdigest()
