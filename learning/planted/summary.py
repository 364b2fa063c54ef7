"""The whole result as plain figures for JSON, and as text for a terminal. Pure."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from learning.planted.acceptance import LN2, Line, lines
from learning.planted.figures import Figure, Results, in_week, over_days, won
from learning.planted.trials import HISTORY
from learning.planted.world import KINDS

WEEKS = (1, 4, 12)
LEVELS = (0.50, 0.80, 0.90, 0.95)
LEVELS_BACK = (0.80, 0.90)


def learner_figures(results: Results, trial: str, kind: str, name: str) -> dict[str, Figure]:
    """Every figure of one learner in one world."""

    def over(of: Any) -> Figure:
        return results.summary(of, trial, kind, name)

    weeks = {f"win_rate_week_{week}": over(lambda c, week=week: in_week(c.win_rate, week)) for week in WEEKS}
    days = {f"day_to_{100 * level:.0f}": results.days_to(level, trial, kind, name) for level in LEVELS}
    back = {f"days_back_to_{100 * level:.0f}": results.days_back_to(level, trial, kind, name) for level in LEVELS_BACK}
    return {
        **weeks,
        "mean_share": over(lambda c: over_days(c.share)),
        **days,
        **back,
        "excess_log_loss": over(lambda c: over_days(c.log_loss) - LN2),
        "excess_log_loss_after_two_weeks": over(lambda c: over_days(c.log_loss, 14) - LN2),
        "accepted_win_rate": over(won),
    }


def worlds(results: Results) -> dict[str, dict[str, dict[str, dict[str, Figure]]]]:
    """kind -> trial -> learner -> figure, of every world that was run."""
    found: dict[str, dict[str, dict[str, dict[str, Figure]]]] = {}
    for kind in KINDS:
        for trial in ("cold", "warm"):
            runs = results.of(trial, kind)
            for name in runs[0].courses if runs else ():
                figures = learner_figures(results, trial, kind, name)
                found.setdefault(kind, {}).setdefault(trial, {})[name] = figures
    return found


def as_json(results: Results, *, seeds: int, days: int, reference: int) -> dict[str, Any]:
    return {
        "seeds": seeds,
        "days": days,
        "history_days": HISTORY,
        "reference_scans": reference,
        "acceptance": [line.as_json() for line in lines(results)],
        "worlds": {
            kind: {
                trial: {
                    name: {key: figure.as_json() for key, figure in figures.items()}
                    for name, figures in learners.items()
                }
                for trial, learners in trials.items()
            }
            for kind, trials in worlds(results).items()
        },
    }


COLUMNS = (
    ("share", "mean_share", ".3f"),
    ("week 1", "win_rate_week_1", ".3f"),
    ("week 4", "win_rate_week_4", ".3f"),
    ("week 12", "win_rate_week_12", ".3f"),
    ("day 50%", "day_to_50", ".1f"),
    ("day 80%", "day_to_80", ".1f"),
    ("day 90%", "day_to_90", ".1f"),
    ("day 95%", "day_to_95", ".1f"),
    ("back 80%", "days_back_to_80", ".1f"),
    ("excess nats", "excess_log_loss", "+.4f"),
    ("trades won", "accepted_win_rate", ".3f"),
)


def written(figure: Figure, form: str = ".3f") -> str:
    """The value with its interval; "never" where at least half the seeds did not get there, "-" if not measured."""
    if figure.seeds == 0:
        return "-"
    if figure.value is None:
        return "never"
    value = f"{figure.value:{form}}"
    if figure.ci_low is None and figure.ci_high is None:
        return value
    low, high = ("..." if bound is None else f"{bound:{form}}" for bound in (figure.ci_low, figure.ci_high))
    return f"{value} [{low}, {high}]"


def verdict(line: Line) -> str:
    if line.met is None:
        return "" if line.bound is None and line.figure.seeds else "not measured"
    return "met" if line.met else "NOT MET"


def must(line: Line) -> str:
    if line.bound is None:
        return ""
    return f"{line.bound:g} inside" if line.relation == "interval holds" else f"{line.relation} {line.bound:g}"


def precision(line: Line) -> str:
    """Enough digits to see on which side of the bound a figure lies: days in tenths, shares in thousandths."""
    if line.bound is None or line.bound == 0 or line.bound > 1:
        return ".1f"
    return f".{max(3, 2 - math.floor(math.log10(line.bound)))}f"


def table(results: Results) -> Iterator[str]:
    """Lines for a terminal: what must hold first, then every learner in every world."""
    rows = [["claim", "must", "found", "", "seeds", "beside"]]
    for line in lines(results):
        found = written(line.figure, precision(line))
        rows.append([line.claim, must(line), found, verdict(line), str(line.figure.seeds), line.beside])
    yield from aligned(rows)
    for kind, trials in worlds(results).items():
        yield ""
        yield f"world {kind}: {KINDS[kind]}"
        titles = [title for title, _, _ in COLUMNS]
        body = [
            [f"{name}, {trial}", *(written(figures[key], form).split(" [")[0] for _, key, form in COLUMNS)]
            for trial, learners in trials.items()
            for name, figures in learners.items()
        ]
        yield from aligned([["", *titles], *body])


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
