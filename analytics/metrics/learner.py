"""The learner: which versions are in force, what it has proven, and what learning cost beside each candidate."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import Metric

from analytics.metrics.families import gauge, gauges
from analytics.selectors.certificates import rows_of
from analytics.selectors.kept import kept
from analytics.selectors.nights import last_draft
from analytics.selectors.progress import certified
from analytics.selectors.standing import Standing, standing_of
from learning.models import ActiveLearningState
from learning.selectors import newest_in_force


@dataclass(frozen=True)
class Learned:
    """As the last night left it, and a person since."""

    standing: Standing
    certificate: dict[str, Any]


@kept
def learned() -> Learned | None:
    """Computed once for each state of the records: the memory of the learner is some hundred kilobytes."""
    ruling = newest_in_force("head_weights")
    if ruling is None:
        return None
    return Learned(standing_of(ruling, last_draft()), certified()["certificate"] or {})


def learner() -> Iterator[Metric]:
    versions = ActiveLearningState.objects.values_list("state_type", "state__version", "effective_from")
    in_force = {name: (version, since) for name, version, since in versions}
    yield from gauges(
        "alphapulse_version_in_force",
        "Number of the version in force of what is learned.",
        "state_type",
        {name: version for name, (version, _) in in_force.items()},
    )
    yield from gauges(
        "alphapulse_version_in_force_since_seconds",
        "Market time since which that version is in force, in unix seconds.",
        "state_type",
        {name: since for name, (_, since) in in_force.items()},
    )
    if (found := learned()) is not None:
        yield from _standing(found.standing)
        yield from _certificate(found.certificate)


def _standing(now: Standing) -> Iterator[Metric]:
    yield from gauge("alphapulse_learner_live", "Whether learned weights decide, and not equal ones.", now.is_live)
    yield from gauge("alphapulse_learner_held", "Whether a person holds the weights in force.", bool(now.held_by))
    yield from gauges(
        "alphapulse_learner_e_value",
        "What the bet on a claim is worth; the claim is believed at alphapulse_learner_e_value_needed.",
        "claim",
        {proof.claim: proof.value for proof in now.proofs},
    )
    yield from gauges(
        "alphapulse_learner_e_value_needed",
        "What the bet on a claim must be worth.",
        "claim",
        {proof.claim: proof.needed for proof in now.proofs},
    )
    yield from gauges(
        "alphapulse_learner_effect_nats",
        "Log-loss a scan that the learner's weights saved beside equal ones, on outcomes they had not seen.",
        "estimate",
        {name: now.effect[name] for name in ("value", "ci_low", "ci_high")},
    )


def _certificate(certificate: dict[str, Any]) -> Iterator[Metric]:
    """Regret, and the most that it may be by the theorem."""
    rows = rows_of(certificate)
    yield from gauges(
        "alphapulse_learner_regret_nats",
        "Log-loss of the learner over that of a candidate, since the first night.",
        "candidate",
        {row.candidate: row.excess for row in rows},
    )
    yield from gauges(
        "alphapulse_learner_regret_bound_nats",
        "The most that this regret may be.",
        "candidate",
        {row.candidate: row.bound for row in rows},
    )
    yield from gauge(
        "alphapulse_learner_certificate_holds",
        "Whether every regret is within its bound.",
        certificate.get("holds"),
    )
