"""What the last night learned, in words: the draft it made, what the guards said, and what is in force since."""

from dataclasses import dataclass
from datetime import datetime

from analytics.selectors.kept import kept
from learning.models import LearningState
from learning.selectors import newest_in_force
from learning.story import story
from learning.why import account_of


@dataclass(frozen=True)
class Night:
    """`draft`: what the last night made. `ruling`: what is in force. Their stories are sentences."""

    period: str
    ruling: LearningState
    ruling_story: list[str]
    draft: LearningState | None
    draft_story: list[str]
    since: datetime | None


@kept
def last_night() -> Night | None:
    """None before the first version."""
    ruling = newest_in_force("head_weights")
    if ruling is None:
        return None
    draft = last_draft()
    return Night(
        period=draft.period if draft else "",
        ruling=ruling,
        ruling_story=story(account_of(ruling)),
        draft=draft,
        draft_story=story(account_of(draft)) if draft and draft.pk != ruling.pk else [],
        since=ruling.effective_from,
    )


def last_draft() -> LearningState | None:
    """The version that the last night made, without the learner's memory."""
    nightly = LearningState.objects.filter(state_type="head_weights", created_by="nightly").order_by("-version")
    return nightly.defer("procedure").first()
