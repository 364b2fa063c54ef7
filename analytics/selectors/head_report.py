"""What each head is worth, live: its record on the leans that matured in a scope, the most skilful first."""

from typing import Any

from analytics.selectors.advice import adjusted_heads
from analytics.selectors.heads import described
from analytics.selectors.reports import Learned
from analytics.selectors.scope import Scope
from analytics.selectors.versions import shares


def head_report(scope: Scope, period: str) -> dict[str, Any]:
    """One row a head; one that has not voted comes last and has no rank."""
    learned = Learned(scope)
    current, advised = shares(learned.in_force), adjusted_heads(learned.weight_advice)
    known = [record for record in learned.records if record.skill.value is not None]
    ranked = sorted(known, key=lambda record: -(record.skill.value or 0.0))
    ranks = {record.name: place for place, record in enumerate(ranked, start=1)}
    rows = [*ranked, *(record for record in learned.records if record.name not in ranks)]
    return {
        "period": period,
        "leans": len(learned.outcomes),
        "heads": [
            {
                "head": record.name,
                "rank": ranks.get(record.name),
                **described(record, current, learned.suggested, advised),
            }
            for record in rows
        ],
        "timestamp": scope.at,
    }
