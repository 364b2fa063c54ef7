"""Where learning stands: in shadow or live, held or free, what it has proven, and what was in force before."""

from dataclasses import dataclass
from typing import Any

from analytics.selectors.kept import keep
from analytics.selectors.nights import Night
from analytics.selectors.stamps import read_stamp
from learning.betting import Bets
from learning.by_hand import held_by
from learning.config import Config
from learning.models import LearningState
from learning.procedure import Procedure
from learning.selectors import newest_in_force, procedure_now

# The claim of the guard, by which it puts equal weights back.
IS_WORSE = "what is in force is worse than equal weights"
NO_EFFECT = {"value": None, "ci_low": None, "ci_high": None, "scans": 0, "words": ""}


@dataclass(frozen=True)
class Proof:
    """A bet that runs from day to day: what it is worth, over how many days, and what it takes to be believed."""

    claim: str
    value: float
    days: int
    needed: float

    @property
    def is_reached(self) -> bool:
        return self.value >= self.needed


@dataclass(frozen=True)
class Standing:
    """`effect`: what the learner's weights saved on outcomes they had not seen, as of the last night.

    `held_by`: who holds the weights; empty where the nights may move them. `before`: where an undo leads,
    the last version in force that said something else.
    """

    phase: str
    proofs: tuple[Proof, ...]
    effect: dict[str, Any]
    held_by: str
    before: LearningState | None

    @property
    def is_live(self) -> bool:
        return self.phase == "live"

    @property
    def verdict(self) -> str:
        """A word for the effect, only where its interval allows one."""
        low, high = self.effect["ci_low"], self.effect["ci_high"]
        if low is None or high is None:
            return "not known yet"
        return "better" if low > 0 else "worse" if high < 0 else "no difference shown"


def standing(night: Night) -> Standing:
    """As the last night left it, and a person since; kept until a line of the ledger or a version comes."""
    versions = night.ruling.pk, night.draft.pk if night.draft else 0
    return keep(("standing", *versions), read_stamp, lambda: standing_of(night.ruling, night.draft))


def standing_of(ruling: LearningState, draft: LearningState | None) -> Standing:
    """The same of what is in force and what the last night made, where nobody wants their stories."""
    newest = draft or ruling
    procedure = procedure_now(Config())
    return Standing(
        phase=procedure.phase,
        proofs=_proofs(procedure, Config()),
        effect=NO_EFFECT | newest.metrics_after.get("effect", {}),
        held_by=held_by(),
        before=said_before(ruling),
    )


def said_before(ruling: LearningState) -> LearningState | None:
    """The last version in force whose content is another one: a freeze or a release changes none."""
    earlier = LearningState.objects.filter(state_type=ruling.state_type, version__lt=ruling.version)
    return newest_in_force(ruling.state_type, earlier.exclude(content=ruling.content))


def _proofs(procedure: Procedure, config: Config) -> tuple[Proof, ...]:
    """In shadow: what opens the way for the learner. What was learned or chosen by hand is guarded."""

    def proof(claim: str, bets: Bets) -> Proof:
        return Proof(claim, bets.value, bets.days, config.betting_threshold)

    guard = proof(IS_WORSE, procedure.guard)
    if procedure.phase == "live":
        return (guard,)
    opening = proof("the learner beats equal weights", procedure.opening)
    knowing = proof("the learner knows more than the base rates", procedure.knowing)
    return (opening, knowing, guard) if procedure.is_guarded else (opening, knowing)
