"""Why a version is what it is, in words for people: the same on the command line and on its page. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from learning.evaluation import Estimate

# A move that two decimals do not show.
STILL = 0.005
NAMES = {
    "head_weights": "the head weights",
    "thresholds": "the quality threshold",
    "calibration": "the calibration of the pool",
}
BY_NIGHT = ("nightly", "live_guard", "drift")


@dataclass(frozen=True)
class AfterTheFact:
    """What a version of the weights did on the outcomes it decided itself: mean log-loss a lean in nats, both sides.

    `saved`: by name of the rival, the rival's log-loss minus the version's on the same outcomes; above zero the version
    was better. The interval is over days.
    """

    outcomes: int = 0
    days: int = 0
    log_loss: float | None = None
    saved: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """All that is known of one version, as plain values; what it has none of is empty or None.

    `judged`: the version that the verdicts are about. In shadow a night also renews equal weights, which nobody judges.
    """

    state_type: str
    version: int
    status: str
    created_by: str
    period: str
    notes: str
    effective_from: datetime | None
    effective_until: datetime | None
    outcomes: int
    new_outcomes: int | None
    first_decided: datetime | None
    last_decided: datetime | None
    replaced: int | None
    moves: Sequence[Mapping[str, Any]]
    content: Mapping[str, Any]
    judged: int | None
    verdicts: Mapping[str, Mapping[str, Any]]
    certificate: Mapping[str, Any]
    effect: Mapping[str, Any]
    after: AfterTheFact | None


def story(account: Account) -> list[str]:
    """Sentences, one topic an entry, in the order in which somebody would ask."""
    told = [
        _origin(account),
        _standing(account),
        _moves(account),
        _guards(account),
        _certificate(account.certificate),
        _at_the_time(account.effect),
        _afterwards(account),
    ]
    return [words for words in told if words]


def _origin(account: Account) -> str:
    begun = f"Version {account.version} of {NAMES.get(account.state_type, account.state_type)}"
    if account.created_by == "birth":
        return f"{begun} was there at birth. {account.notes}"
    if not account.period:
        return f"{begun} was made by hand ({account.created_by}). {account.notes}"
    when = f"on {account.period}" if account.created_by in BY_NIGHT else f"for the week {account.period}"
    seen = "scans" if account.state_type == "thresholds" else "outcomes"
    new = "" if account.new_outcomes is None else f" ({account.new_outcomes:,} new)"
    between = ""
    if account.first_decided and account.last_decided:
        between = f", decided from {_minute(account.first_decided)} to {_minute(account.last_decided)}"
    return f"{begun} was learned {when} from {account.outcomes:,} {seen}{new}{between}. {_sentence(account.notes)}"


def _standing(account: Account) -> str:
    if account.effective_from is None:
        held = {"rejected": "It was refused and never decided.", "challenger": "It is a challenger: it never decided."}
        return held.get(account.status, "It never decided.")
    since = "the beginning" if account.effective_from.year <= 1970 else _minute(account.effective_from)
    if account.effective_until is None:
        return f"It is in force since {since}."
    how = " and was rolled back" if account.status == "rolled_back" else ""
    return f"It was in force from {since} until {_minute(account.effective_until)}{how}."


def _moves(account: Account) -> str:
    if account.state_type != "head_weights":
        figures = ", ".join(f"{name} {value:.3f}" for name, value in account.content.items())
        return f"It says: {figures}."
    moved = [row for row in account.moves if abs(row["change"]) >= STILL]
    still = len(account.moves) - len(moved)
    beside = f" from version {account.replaced}" if account.replaced is not None else ""
    if not account.moves:
        return ""
    if not moved:
        return f"No head moved by {STILL} or more{beside}."
    rest = f" {still} more did not move by {STILL}." if still else ""
    return f"What moved{beside}: {'; '.join(_move(row) for row in moved)}.{rest}"


def _move(row: Mapping[str, Any]) -> str:
    heard = row.get("outcomes_tonight")
    votes = "" if heard is None else f" (it had voted on {heard:,} of the night's outcomes)"
    return f"{row['head']} moved from {row['before']:.2f} to {row['after']:.2f}{votes}"


def _guards(account: Account) -> str:
    if not account.verdicts:
        return ""
    another = account.judged not in (None, account.version)
    whose = f" judged version {account.judged}, the learner's draft" if another else ""
    said = (
        f"{name} {'passed' if told['passed'] else 'refused'}: {told['reason']}"
        for name, told in account.verdicts.items()
    )
    return f"The guards of that night{whose}: {'; '.join(said)}."


def _certificate(certificate: Mapping[str, Any]) -> str:
    if "bound" not in certificate:
        return ""
    excess, bound = certificate["excess"], certificate["bound"]
    nearest = min(bound, key=lambda name: bound[name] - excess[name])
    holds = "holds" if certificate["holds"] else "DOES NOT HOLD"
    told = [f"{excess[name]:+.2f} of at most {bound[name]:.2f} against {name}" for name in ("equal", "zero")]
    return (
        f"The certificate {holds} after {certificate['nights']} nights: excess log-loss in nats {', '.join(told)}; "
        f"nearest to its bound is {nearest} ({excess[nearest]:+.2f} of {bound[nearest]:.2f})."
    )


def _at_the_time(effect: Mapping[str, Any]) -> str:
    return f"As known that night: {effect['words']}" if effect.get("words") else ""


def _afterwards(account: Account) -> str:
    after = account.after
    if after is None:
        return ""
    if after.log_loss is None:
        return "No outcome that it decided is in the ledger yet: nothing can be said after the fact."
    begun = (
        f"After the fact: on the {after.outcomes:,} outcomes of {after.days} days that it decided itself its log-loss "
        f"was {after.log_loss:.5f} nats"
    )
    return f"{begun}; {'; '.join(_saved(rival, found) for rival, found in after.saved.items())}."


def _saved(rival: str, found: Estimate) -> str:
    if found.value is None:
        return f"nothing is known against {rival}"
    saved = f"it {'saved' if found.value >= 0 else 'cost'} {abs(found.value):.5f} a lean against {rival}"
    if found.ci_low is None or found.ci_high is None:
        return f"{saved}, and one day gives no interval"
    told = "better" if found.ci_low > 0 else "worse" if found.ci_high < 0 else "not to be told apart"
    return f"{saved} (95 % interval of what was saved {found.ci_low:+.5f} to {found.ci_high:+.5f}: {told})"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}" if words else ""
