"""What learning was worth on outcomes not yet learned from, with its interval, in numbers and words. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from learning.evaluation import Estimate, day_bootstrap, ratio, seed_of
from learning.procedure import Score


def effect_on_unseen(scores: Sequence[Score]) -> dict[str, Any]:
    """Log-loss the learner's weights saved a scan against equal weights, each night's as of the decisions, in nats.

    Above zero the learner was better. The interval is over nights (95 %, 2,000 resamples); None before two nights.
    """
    scans = np.array([score.scans for score in scores], dtype=np.float64)
    saved = np.array([score.champion - score.learner for score in scores], dtype=np.float64) * scans
    totals = np.column_stack([saved, scans])
    found = day_bootstrap(ratio, totals, n=int(scans.sum()), seed=seed_of(saved, scans))
    return {
        **{"value": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high},
        **{"nights": len(scores), "scans": found.n, "words": _in_words(found, len(scores))},
    }


def _in_words(found: Estimate, nights: int) -> str:
    if found.value is None:
        return "No outcome has been scored yet, so nothing is known of an effect."
    begun = f"On {found.n:,} scans of {nights} nights, scored before they were learned from, the learner's weights "
    saved = f"{'saved' if found.value >= 0 else 'cost'} {abs(found.value):.5f} nats a scan against equal weights"
    if found.ci_low is None or found.ci_high is None:
        return f"{begun}{saved}; one night gives no interval."
    if found.ci_low > 0:
        verdict = "better than equal weights"
    elif found.ci_high < 0:
        verdict = "worse than equal weights"
    else:
        verdict = "not to be told from equal weights"
    return f"{begun}{saved} (95 % interval of what was saved {found.ci_low:+.5f} to {found.ci_high:+.5f}): {verdict}."
