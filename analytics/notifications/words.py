"""What a message says, in plain words: what happened, why, and at what stake. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.notifications.kinds import Kind

Facts = Mapping[str, Any]
SIDES = {1: "long", -1: "short", 0: "none"}
DASH = "\u2013"
NOT_ADVICE = "A measured opinion of research software, no advice and no promise of profit."


@dataclass(frozen=True)
class Message:
    """A line to be read at a glance, and what stands below it."""

    title: str
    lines: Sequence[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def message_of(kind: str, facts: Facts) -> Message:
    """The message about an event with these facts, which are what JSON keeps of them."""
    return WORDS[Kind(kind)](facts)


def _signal(facts: Facts) -> Message:
    side = SIDES[facts["direction"]]
    lines = [
        f"Seen at {price(facts['reference_price'])}; entry at the open of the next minute, stop {price(facts['stop'])},"
        f" target {price(facts['target'])}, closed at the latest {minute(facts['expires_at'])} UTC.",
        f"Expected {r(facts['expected_r'])} net of costs; the bracket wins with probability"
        f" {share(facts['win_probability'])}. No interval is known for a single signal.",
        _record(facts["record"]),
        *_reasons(facts["reasons"]),
        NOT_ADVICE,
    ]
    title = f"{side} signal: {facts['symbol']} {facts['timeframe']}"
    return Message(f"{title}, decided {minute(facts['decided_at'])} UTC", [line for line in lines if line])


def _record(record: Facts | None) -> str:
    """What signals earned lately, which is what an expectation is to be held against."""
    if not record or record["mean_r"] is None:
        return "No signal has closed lately that this could be held against."
    interval = (
        f"95 % interval {r(record['ci_low'])} to {r(record['ci_high'])}"
        if record["ci_low"] is not None
        else "too few days for an interval"
    )
    return (
        f"The {record['n']} signals that closed in the {record['days']} days before, live or replayed, earned"
        f" {r(record['mean_r'])} each ({interval})."
    )


def _reasons(heads: Sequence[Facts]) -> list[str]:
    return ["Why:", *(_reason(head) for head in heads)] if heads else []


def _reason(head: Facts) -> str:
    stated = f"- {head['head'].replace('_', ' ')} votes {head['direction']} ({head['contribution']:+.2f} to the pool)"
    inputs = (f"{each['name'].replace('_', ' ')} {each['value']:.4g}" for each in head["inputs"])
    said = ", ".join(inputs)
    return f"{stated}: {said}" if said else stated


def _outcome(facts: Facts) -> Message:
    met = {"target": "met its target", "stop": "met its stop", "time": "ran out of time"}.get(facts["outcome"])
    side = SIDES[facts["direction"]]
    if met is None or facts["net_r"] is None:
        title = f"{facts['symbol']} {side} is void: it was never entered, and counts for nothing"
        return Message(title, [f"Decided {minute(facts['decided_at'])} UTC."])
    title = f"{facts['symbol']} {side} {met}: {r(facts['net_r'])}"
    lines = [
        f"Entered at {price(facts['entry'])}, left at {price(facts['exit_price'])} on {minute(facts['ended_at'])} UTC.",
        f"Net of costs {r(facts['net_r'])} ({facts['net_pct']:+.2f} % of the entry); expected were"
        f" {r(facts['expected_r'])}. It was decided {minute(facts['decided_at'])} UTC.",
    ]
    if facts["ambiguous"]:
        lines.append("Stop and target lay in one minute; that counts as the stop.")
    return Message(title, lines)


def _promoted(facts: Facts) -> Message:
    return _version(f"{facts['name']} version {facts['version']} decides", facts)


def _rolled_back(facts: Facts) -> Message:
    return _version(f"{facts['name']} rolled back: version {facts['version']} decides", facts)


def _version(title: str, facts: Facts) -> Message:
    return Message(f"{title} from {minute(facts['effective_from'])} UTC on", list(facts["story"]))


def _stale(facts: Facts) -> Message:
    return _spell("Data are fresh again" if facts["until"] else "Data are stale", facts)


def _late(facts: Facts) -> Message:
    return _spell("On time again" if facts["until"] else "Late or not running", facts)


def _spell(title: str, facts: Facts) -> Message:
    over = f", over since {minute(facts['until'])} UTC" if facts["until"] else ""
    return Message(f"{title}: {facts['check']}", [f"{facts['seen']}.", f"Since {minute(facts['since'])} UTC{over}."])


def _report(facts: Facts) -> Message:
    return Message(facts["title"], list(facts["lines"]))


def _summary(facts: Facts) -> Message:
    counts = ", ".join(f"{number} of {kind.replace('_', ' ')}" for kind, number in facts["counts"].items())
    title = f"Too old to tell one by one: {counts}"
    return Message(title, [f"They are from {minute(facts['first'])} to {minute(facts['last'])} UTC. See the pages."])


def _digest(facts: Facts) -> Message:
    parts: Sequence[Facts] = facts["parts"]
    told = [message_of(part["kind"], part["facts"]) for part in parts]
    count = f"{len(told)} message" + ("" if len(told) == 1 else "s")
    return Message(f"After quiet hours: {count}", [line for each in told for line in ("", each.title, *each.lines[:2])])


def _test(facts: Facts) -> Message:
    return Message("AlphaPulse can reach you here", [f"A test message to the channel {facts['channel']}."])


WORDS: Mapping[Kind, Callable[[Facts], Message]] = {
    Kind.SIGNAL: _signal,
    Kind.OUTCOME: _outcome,
    Kind.VERSION_PROMOTED: _promoted,
    Kind.VERSION_ROLLED_BACK: _rolled_back,
    Kind.DATA_STALE: _stale,
    Kind.JOB_LATE: _late,
    Kind.DAILY_REPORT: _report,
    Kind.WEEKLY_REPORT: _report,
    Kind.SUMMARY: _summary,
    Kind.DIGEST: _digest,
    Kind.TEST: _test,
}


def r(value: float | None) -> str:
    return DASH if value is None else f"{value:+.2f} R"


def share(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f} %"


def price(value: float | None) -> str:
    if value is None:
        return DASH
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.6g}"


def minute(at: str | None) -> str:
    """The minute of an ISO 8601 time in UTC."""
    return DASH if at is None else at[:16].replace("T", " ")
