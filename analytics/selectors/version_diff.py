"""Two versions side by side: what each head and each number said before, and says after."""

from collections.abc import Iterable, Mapping
from typing import Any

from learning.models import LearningState
from learning.selectors import newest_in_force, weights_from

Row = dict[str, Any]
IDENTITY = ("version", "status", "period", "effective_from", "created_by", "created_at", "notes", "event_count")


def version_row(state_type: str, version: int) -> LearningState | None:
    return LearningState.objects.defer("procedure").filter(state_type=state_type, version=version).first()


def replaced_by(row: LearningState) -> LearningState | None:
    """What was in force when a version was made, else the one before it; None for the first one."""
    earlier = LearningState.objects.filter(state_type=row.state_type, version__lt=row.version)
    return newest_in_force(row.state_type, earlier) or earlier.order_by("-version").first()


def version_diff(after: LearningState, before: LearningState) -> Row:
    """What `after` says otherwise than `before`, head by head and number by number; equal ones are listed too."""
    return {
        "state_type": after.state_type,
        "before": {name: getattr(before, name) for name in IDENTITY},
        "after": {name: getattr(after, name) for name in IDENTITY},
        "same": before.content == after.content,
        "heads": _heads(before.content, after.content) if after.state_type == "head_weights" else [],
        "values": _compared("name", _numbers(before), _numbers(after)),
    }


def _heads(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Row]:
    """Each head's beta, and its share of the weight; None in the version that does not know it."""
    was, now = weights_from(dict(before)), weights_from(dict(after))
    beta = _compared("head", _by_head(was.heads, was.beta), _by_head(now.heads, now.beta))
    share = _compared("head", _by_head(was.heads, was.shares), _by_head(now.heads, now.shares), prefix="share_")
    return [both | part for both, part in zip(beta, share, strict=True)]


def _by_head(heads: Iterable[str], values: Any) -> dict[str, float]:
    return dict(zip(heads, values.tolist(), strict=True))


def _numbers(row: LearningState) -> dict[str, float]:
    """What a version holds beside the weights of its heads."""
    if row.state_type != "head_weights":
        return {name: float(value) for name, value in row.content.items()}
    weights = weights_from(row.content)
    long, short = weights.bias.tolist()
    return {"bias_long": long, "bias_short": short, "sharpness": float(weights.sharpness)}


def _compared(key: str, before: Mapping[str, float], after: Mapping[str, float], prefix: str = "") -> list[Row]:
    names = [*before, *(name for name in after if name not in before)]
    return [
        {
            key: name,
            f"{prefix}before": before.get(name),
            f"{prefix}after": after.get(name),
            f"{prefix}change": after[name] - before[name] if name in before and name in after else None,
        }
        for name in names
    ]
