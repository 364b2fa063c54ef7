"""A report in a few lines and small tables, for mails and messages: every rate with its n and interval. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]
Table = Mapping[str, Any]
DASH = "\u2013"
ROWS = 20


def lines(report: Report) -> list[str]:
    """What one would read aloud."""
    decided, earned, equity = report["decisions"], report["earned"], report["equity"]
    told = [
        f"Decided: {decided['scans']:,} scans at {decided['closes']} closes, {decided['leans']:,} leans,"
        f" {decided['signals']} signals.",
        f"Closed: {earned['closed_signals']} signals, won {rate(earned, 'win_rate')}; a signal earned"
        f" {r(earned, 'expectancy_r', 'expectancy_r_')}.",
        f"Paper equity: {number(equity['end'], 0)} {report['quote_asset']} ({percent(equity['change'], 2)}).",
        f"Probabilities: log-loss {figure(report['learning'], 'log_loss', '')}; against equal weights"
        f" {figure(report['learning'], 'regret_vs_equal_per_lean', 'regret_vs_equal_per_lean_')} a lean, below zero is"
        " better.",
        *(f"{night['job'].replace('_', ' ')} {night['period']}: {night['status']}." for night in report["nights"]),
        f"Candles there: {rate(report['data'], 'complete')} settled minutes.",
        *(f"Failed: {each}" for each in report["jobs"]["failed"]),
        *report["later"],
    ]
    return told


def tables(report: Report) -> list[Table]:
    """What is better looked at."""
    return [
        table("Signals", ("symbol", "side", "decided", "outcome", "net R"), _signals(report)),
        table("What the gates' refusals were worth", ("gate", "leans", "value R", "95 % interval"), _gates(report)),
        table("Versions", ("what", "became", "why"), _versions(report)),
    ]


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return {"title": title, "head": list(head), "rows": [list(row) for row in rows[:ROWS]]}


def _signals(report: Report) -> list[Sequence[str]]:
    sides = {1: "long", -1: "short"}
    return [
        (
            row["symbol"],
            sides.get(row["direction"], DASH),
            f"{row['opened_at']:%Y-%m-%d %H:%M}",
            row["outcome"] or "open",
            number(row["net_r"], 2, sign=True),
        )
        for row in report["signals"]["listed"]
    ]


def _gates(report: Report) -> list[Sequence[str]]:
    return [
        (row["reason"].replace("_", " "), f"{row['count']:,}", number(row["gate_value_r"], 3, sign=True), interval(row))
        for row in report["gates"]["by_reason"]
        if row["count"]
    ]


def _versions(report: Report) -> list[Sequence[str]]:
    return [
        (f"{row['state_type'].replace('_', ' ')} {row['version'] or ''}".strip() or DASH, row["kind"], row["reason"])
        for row in report["versions"]
    ]


def rate(found: Report, name: str, prefix: str = "") -> str:
    """34.5 % [30.1 %, 39.2 %], n 120."""
    low, high = found[f"{prefix}ci_low"], found[f"{prefix}ci_high"]
    between = "" if low is None or high is None else f" [{percent(low)}, {percent(high)}]"
    return f"{percent(found[name])}{between}, n {found[f'{prefix}n']:,}"


def r(found: Report, name: str, prefix: str = "") -> str:
    """+0.12 R [-0.05, 0.29], n 120."""
    return f"{number(found[name], 2, sign=True)} R{interval(found, prefix, 2)}, n {found[f'{prefix}n']:,}"


def figure(found: Report, name: str, prefix: str) -> str:
    return f"{number(found[name], 4)}{interval(found, prefix, 4)}, n {found[f'{prefix}n']:,}"


def interval(found: Report, prefix: str = "", digits: int = 3) -> str:
    low, high = found[f"{prefix}ci_low"], found[f"{prefix}ci_high"]
    return "" if low is None or high is None else f" [{low:.{digits}f}, {high:.{digits}f}]"


def number(value: float | None, digits: int, *, sign: bool = False) -> str:
    return DASH if value is None else f"{value:{'+' if sign else ''},.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    return DASH if value is None else f"{100 * value:.{digits}f} %"
