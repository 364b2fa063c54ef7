"""The evaluation as one HTML page that needs nothing else: no script, no other host; dark or light as the reader."""

from collections.abc import Sequence
from html import escape
from itertools import accumulate

from ingestion.timeframes import FloatArray, IntArray
from learning.calendar import DAY_MS
from learning.evaluating.plots import histogram, lines
from learning.evaluating.report import Daily, Evaluation, PathResult
from learning.evaluating.table import (
    GATE_TITLES,
    PATHS,
    PERIOD_TITLES,
    gate_rows,
    path_rows,
    period_rows,
    permutation_words,
)
from learning.head_page import INTERVAL, document, grid, paragraph, plot
from learning.head_plots import Whisker, curve, whiskers
from learning.head_table import moment

STYLE = """
svg .series { fill: none; stroke-width: 1.8; } svg .s0 { stroke: var(--dot); } svg .s1 { stroke: var(--good); }
svg .s2 { stroke: var(--base); } .key.s0 { color: var(--dot); } .key.s1 { color: var(--good); }
.key.s2 { color: var(--base); } .verdicts li.invalid { border-color: var(--unlike); }
@media (min-width: 48rem) { figure.broad svg { max-height: 20rem; } }
"""


def page(evaluation: Evaluation) -> str:
    """The whole page; every word that comes from data is escaped."""
    names = ", ".join(origin.name for origin in evaluation.origins)
    body = [_head(evaluation), '<div class="plots">\n', _over_time(evaluation.daily), _paths(evaluation), "</div>\n"]
    return document(f"Evaluation: {names}", "".join([*body, _tables(evaluation)]), STYLE)


def _head(evaluation: Evaluation) -> str:
    """The verdicts first, then what they rest on."""
    verdicts = "".join(
        f'<li class="{verdict.kind.value}"><strong>{escape(PATHS[name])}</strong>: {escape(verdict.words)}</li>\n'
        for name, verdict in evaluation.verdicts.items()
    )
    data = [
        f"{origin.name}: {moment(origin.first_ms)} to {moment(origin.last_ms)} UTC, {origin.candles:,} candles of"
        f" {', '.join(origin.symbols)}" + (" (nothing to score)" if origin.name in evaluation.skipped else "")
        for origin in evaluation.origins
    ]
    return "".join(
        (
            f"<h1>Is there an edge, at {escape(evaluation.timeframe)}?</h1>\n",
            f'<ul class="verdicts">\n{verdicts}</ul>\n',
            paragraph(f"Learning: {evaluation.together.learning}"),
            paragraph(evaluation.method),
            *(paragraph(words, "quiet") for words in data),
        )
    )


def _over_time(daily: Daily) -> str:
    labels = _labels(daily.day)
    losses = {"live": daily.live, "learner": daily.learner, "base rate": daily.base_rate}
    made = {
        "live signals": _running_mean(daily.signals_r, daily.signals),
        "learner's signals": _running_mean(daily.learner_signals_r, daily.learner_signals),
        "live shadows": _running_mean(daily.shadows_r, daily.shadows),
    }
    loss_key = _key(list(losses)) + ": mean log-loss of the day's leans in nats; lower is better"
    made_key = _key(list(made)) + ": net R so far, over the number of trades of the whole time: ends at the mean R"
    title, other = "Log-loss over time", "Cumulative R"
    return _broad(
        title, loss_key, lines(title, {name: values.tolist() for name, values in losses.items()}, labels)
    ) + _broad(other, made_key, lines(other, made, labels, form="+.2f"))


def _broad(title: str, caption: str, drawing: str) -> str:
    return plot(title, caption, drawing).replace("<figure>", '<figure class="broad">', 1)


def _key(names: Sequence[str]) -> str:
    return ", ".join(f'<span class="key s{place}">{escape(name)}</span>' for place, name in enumerate(names))


def _labels(day: IntArray) -> list[str]:
    """The date of each day that does not follow the one before it."""
    days = day.tolist()
    return [
        moment(each * DAY_MS)[:10] if not place or each != days[place - 1] + 1 else ""
        for place, each in enumerate(days)
    ]


def _running_mean(daily: FloatArray, count: IntArray) -> list[float]:
    whole = max(int(count.sum()), 1)
    return [total / whole for total in accumulate(daily.tolist())]


def _paths(evaluation: Evaluation) -> str:
    live, learner = evaluation.together.paths["live"], evaluation.together.paths["learner"]
    parts = [_gates(live), _opportunity(live)]
    parts += [_regrets(name, result) for name, result in (("live", live), ("learner", learner))]
    parts += [_calibration(name, result) for name, result in (("live", live), ("learner", learner))]
    return "".join([*parts, _histogram(evaluation)])


def _gates(result: PathResult) -> str:
    title = "What each gate is worth"
    rows = [Whisker(reason, gate.value_r) for reason, gate in result.gates.items() if gate.value_r.value is not None]
    caption = f"{INTERVAL}. Mean R of signals minus mean R of what the gate refused; right of zero it helps"
    return plot(title, caption, whiskers(title, rows))


def _opportunity(result: PathResult) -> str:
    title = "What its rejections would have made"
    rows = [Whisker(reason, gate.rejected_r) for reason, gate in result.gates.items()]
    caption = f"{INTERVAL}. Mean net R of its shadows; right of zero it costs opportunities"
    return plot(title, caption, whiskers(title, rows))


def _regrets(name: str, result: PathResult) -> str:
    title = f"Log-loss against rivals: {PATHS[name]}"
    rows = [Whisker(rival, regret) for rival, regret in result.figures.regret.items() if regret.value is not None]
    caption = f"{INTERVAL}. The path's log-loss minus the rival's in nats; left of zero the path is better"
    return plot(title, caption, whiskers(title, rows, form="+.3f"))


def _calibration(name: str, result: PathResult) -> str:
    title = f"Calibration: {PATHS[name]}"
    bins = result.figures.bins
    known = [value for each in bins for value in (each.stated, each.happened.value) if value is not None]
    low, high = (max(0.0, min(known) - 0.1), min(1.0, max(known) + 0.1)) if known else (0.0, 1.0)
    caption = "Across: the stated chance to win. Up: how often it came true, with 95 % intervals; right is on the line"
    return plot(title, caption, curve(title, bins, low, high))


def _histogram(evaluation: Evaluation) -> str:
    title = "Shuffled outcomes"
    caption = (
        '<span class="key like">bars</span>: log-loss gain over the base rate, in nats, from shuffled outcomes;'
        ' <span class="key base">line</span>: from the real ones. '
    )
    found = evaluation.permutation
    return plot(title, caption + escape(permutation_words(evaluation)), histogram(title, found.shuffled, found.gain))


def _tables(evaluation: Evaluation) -> str:
    parts = []
    for name, result in evaluation.together.paths.items():
        parts.append(f"<h2>All figures: {escape(PATHS[name])}</h2>\n")
        parts.append(grid(["figure", "value [95 % interval]", "n"], path_rows(result)))
        parts.append(grid(GATE_TITLES, gate_rows(result)))
    if len(evaluation.periods) > 1:
        parts.append("<h2>Each period alone</h2>\n" + grid(PERIOD_TITLES, period_rows(evaluation.periods)))
    return "".join(parts)
