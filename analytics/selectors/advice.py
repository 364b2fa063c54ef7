"""What the figures suggest to a person. A recommendation exists only where an interval excludes "no change"."""

from collections.abc import Iterable, Mapping
from typing import Any

from analytics.selectors.estimates import LEVEL, Estimate, daily_mean
from analytics.selectors.heads import HeadRecord, pull
from analytics.selectors.outcomes import Outcomes
from learning.proposals import FOR_SYMBOL, IN_REGIME, LIMIT, Proposal
from signals.consensus import Weights

Row = dict[str, Any]
HIGH, MEDIUM, LOW = "high", "medium", "low"


def weight_advice(outcomes: Outcomes, weights: Weights | None, suggested: Mapping[str, float]) -> list[Row]:
    """Heads whose weight the outcomes pull away from where it is.

    Asked of all heads at once, so each interval is at 1 - 5 % / heads (Bonferroni): else noise would often advise.
    """
    if weights is None or not len(outcomes):
        return []
    slopes = pull(outcomes)
    level = 1 - (1 - LEVEL) / len(weights.heads)
    found = []
    for place, head in enumerate(weights.heads):
        awake = outcomes.evidence[:, place] != 0
        slope = daily_mean(outcomes.day[awake], slopes[awake, place], level)
        if slope.lies_above(0.0) or slope.lies_below(0.0):
            beta, share = float(weights.beta[place]), float(weights.shares[place])
            found.append(_weight_row(head, slope, beta, share, suggested.get(head)))
    return found


def _weight_row(head: str, slope: Estimate, beta: float, share: float, suggested: float | None) -> Row:
    assert slope.value is not None  # it excludes 0
    # A head with a negative beta counts against its own vote: pulled up, it counts less.
    more = slope.value * (beta or 1.0) > 0
    return {
        "type": "increase_weight" if more else "decrease_weight",
        "head": head,
        "current_weight": share,
        "suggested_weight": suggested,
        "reason": f"resolved leans would have been foretold better with {'more' if more else 'less'} weight on it",
        "evidence": _evidence("slope of the log-likelihood along its weight, per vote", slope),
        "priority": MEDIUM if more else HIGH,
    }


def harm_advice(records: list[HeadRecord], current: Mapping[str, float], suggested: Mapping[str, float]) -> list[Row]:
    """Heads that alone foretell worse than the base rate."""
    return [
        {
            "type": "monitor_closely",
            "head": record.name,
            "current_weight": current.get(record.name),
            "suggested_weight": suggested.get(record.name),
            "reason": "alone it foretells worse than the base rate",
            "evidence": _evidence("log-loss saved against the base rate, per vote", record.skill),
            "priority": LOW,
        }
        for record in records
        if record.skill.lies_below(0.0)
    ]


def gate_advice(proposals: Iterable[Proposal]) -> list[Row]:
    """The proposals of the weekly job, from the figures of the stretch of time that is asked about."""
    return [_system_row(_proposed(proposal), _gate_evidence(proposal)) for proposal in proposals]


def _proposed(proposal: Proposal) -> str:
    place = {IN_REGIME: f"in {_where(proposal)} ", FOR_SYMBOL: f"for {_where(proposal)} "}.get(proposal.kind, "")
    if proposal.kind != LIMIT:
        return f"{place}the gate behind {proposal.reason} refuses leans that would have paid"
    change = f"from {proposal.limit} to {proposal.proposed} signals at once"
    if not proposal.reason:
        return f"signals published in {_where(proposal)} lose: consider lowering the regime limit {change}"
    return f"in {_where(proposal)} the regime limit refuses leans that would have paid: consider raising it {change}"


def _where(proposal: Proposal) -> str:
    return proposal.symbol or (proposal.regime.name.lower() if proposal.regime is not None else "")


def _gate_evidence(proposal: Proposal) -> Row:
    """A gate's value, below 0, where it refused; what the signals made, below 0, where they were published."""
    mean = Estimate(proposal.mean_r, proposal.n, proposal.ci_low, proposal.ci_high, proposal.level)
    where = f" in {_where(proposal)}" if _where(proposal) else ""
    if proposal.reason:
        return _evidence(f"gate_value_r of {proposal.reason}{where}", mean.negated())
    return _evidence(f"mean net R of the signals{where}", mean)


def equal_weights_advice(regret_vs_equal: Estimate) -> list[Row]:
    """A consensus that equal weights would beat."""
    if not regret_vs_equal.lies_above(0.0):
        return []
    reason = "equal weights would have foretold better; consider rolling the weights back"
    return [_system_row(reason, _evidence("log-loss above that of equal weights, per lean", regret_vs_equal))]


def _system_row(reason: str, evidence: Row) -> Row:
    return {
        "type": "system_adjustment",
        "head": None,
        "current_weight": None,
        "suggested_weight": None,
        "reason": reason,
        "evidence": evidence,
        "priority": HIGH,
    }


def _evidence(figure: str, estimate: Estimate) -> Row:
    return {"figure": figure, "level": estimate.level, **estimate.beside("value")}


def adjusted_heads(rows: list[Row]) -> set[str]:
    """The heads whose weight some row would change."""
    return {row["head"] for row in rows if row["type"] in ("increase_weight", "decrease_weight")}
