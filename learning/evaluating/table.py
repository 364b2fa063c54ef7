"""The evaluation as text: rows that the page shows too, and lines for a terminal."""

from collections.abc import Iterator, Mapping

from learning.evaluating.report import Evaluation, PathResult, Result
from learning.head_table import aligned, figure, with_interval

PATHS = {"live": "live", "learner": "learner's own weights"}


def path_rows(result: PathResult) -> list[tuple[str, str, str]]:
    """Name, figure with its interval, and how many rows it rests on."""
    figures = result.figures
    estimates = (
        ("log-loss of all leans, nats", figures.log_loss, ".4f"),
        ("Brier score", figures.brier, ".4f"),
        ("calibration slope", figures.slope, ".2f"),
        ("accept rate", figures.accept_rate, ".2%"),
        ("win rate of signals", figures.win_rate, ".1%"),
        ("win rate of all leans", figures.lean_win_rate, ".1%"),
        ("signals' mean net R", figures.expectancy_r, "+.3f"),
        ("signals' total net R (no trade: 0)", figures.total_r, "+.1f"),
        ("all leans' mean net R", figures.lean_r, "+.3f"),
    )
    rows = [(name, with_interval(estimate, form), f"{estimate.n:,}") for name, estimate, form in estimates]
    for name, regret in figures.regret.items():
        aside = f" ({figures.best_head})" if name == "best single head" else ""
        rows.append((f"log-loss minus {name}{aside}", with_interval(regret, "+.4f"), f"{regret.n:,}"))
    sharpe = result.sharpe
    rows.append(("daily Sharpe ratio", figure(sharpe.daily, "+.3f"), f"{sharpe.days} days"))
    rows.append(("deflated Sharpe ratio", figure(sharpe.deflated, ".3f"), f"{sharpe.trials} trials"))
    return rows


GATE_TITLES = ("gate", "rejected", "gate value R", "its shadows' mean R", "rejection accuracy")


def gate_rows(result: PathResult) -> list[tuple[str, ...]]:
    return [
        (
            reason,
            f"{gate.rejected:,}",
            with_interval(gate.value_r, "+.3f"),
            with_interval(gate.rejected_r, "+.3f"),
            with_interval(gate.accuracy, ".1%"),
        )
        for reason, gate in result.gates.items()
    ]


PERIOD_TITLES = (
    "period",
    "days",
    "leans",
    "signals",
    "signals' mean net R",
    "log-loss minus base rate",
    "learner minus equal",
)


def period_rows(periods: Mapping[str, Result]) -> list[tuple[str, ...]]:
    """One row a period, of the live path; the last column is the learner's log-loss minus that of equal weights."""
    found: list[tuple[str, ...]] = []
    for name, result in periods.items():
        live, learner = result.paths["live"].figures, result.paths["learner"].figures
        found.append(
            (
                name.rstrip("/").rsplit("/", 1)[-1],
                str(result.days),
                f"{live.scored:,}",
                f"{live.expectancy_r.n:,}",
                with_interval(live.expectancy_r, "+.3f"),
                with_interval(live.regret["base rate"], "+.4f"),
                with_interval(learner.regret["equal weights"], "+.4f"),
            )
        )
    return found


LEAKS = {True: "outcomes leak", False: "nothing leaks", None: "too few shuffles to tell"}


def permutation_words(evaluation: Evaluation) -> str:
    found = evaluation.permutation
    return (
        f"Permutation: the learner's nights gain {figure(found.gain, '+.4f')} nats an event over the base rate; from"
        f" shuffled outcomes {figure(found.mean_shuffled, '+.4f')} on average; p = {figure(found.p_value, '.3f')}"
        f" ({len(found.shuffled)} shuffles, {found.events:,} events). Leak check:"
        f" {figure(found.fit, '+.4f')} nats on average, {LEAKS[found.leaks]}."
    )


def table(evaluation: Evaluation) -> Iterator[str]:
    """Lines for a terminal: the verdicts, then the figures of both paths, the gates and the periods."""
    for name, verdict in evaluation.verdicts.items():
        yield f"{PATHS[name]}: {verdict.words}"
    yield f"learning: {evaluation.together.learning}"
    for name, result in evaluation.together.paths.items():
        yield ""
        yield from aligned([(PATHS[name], "value [95 % interval]", "n"), *path_rows(result)])
        yield ""
        yield from aligned([GATE_TITLES, *gate_rows(result)])
    yield ""
    yield permutation_words(evaluation)
    if len(evaluation.periods) > 1:
        yield ""
        yield from aligned([PERIOD_TITLES, *period_rows(evaluation.periods)])
    for name in evaluation.skipped:
        yield f"nothing to score in {name}"
    yield ""
    yield evaluation.method
