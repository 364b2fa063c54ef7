"""The benchmark as one HTML page that needs nothing else: no script, no other host; dark or light as the reader."""

from collections.abc import Callable, Iterator, Sequence
from html import escape

import numpy as np

from learning.head_page import STYLE, paragraph
from learning.planted.acceptance import LN2, Line, lines
from learning.planted.course import Course
from learning.planted.figures import Figure, Results
from learning.planted.summary import COLUMNS, must, precision, verdict, worlds, written
from learning.planted.trials import HISTORY, LEARNER
from learning.planted.world import HEADS, KINDS, SCANS_A_DAY, World
from learning.planted_plots import Curve, curves

# Told apart by hue and lightness also without colour vision (Okabe & Ito 2008).
COLOURS = """
:root { --c0: #0072b2; --c1: #56b4e9; --c2: #6b6b6b; --c3: #d55e00; --c4: #009e73; --c5: #cc79a7; --c6: #b8860b;
  --c7: #7a3e9d; --c8: #1d2329; }
@media (prefers-color-scheme: dark) { :root { --c0: #5ab0ea; --c1: #a6dcff; --c2: #a2a2a2; --c3: #ff8a3c; --c4: #3fd0a4;
  --c5: #f0a6cc; --c6: #e6c34c; --c7: #c39bea; --c8: #e6e9ec; } }
svg .curve { fill: none; stroke-width: 1.6; stroke-linejoin: round; } svg .band { opacity: .16; stroke: none; }
svg .curve.c0 { stroke-width: 3; } .met { color: var(--good); } .unmet { color: var(--base); font-weight: 700; }
.wide th[scope="row"] { white-space: normal; min-width: 12rem; font-weight: 500; } 
.wide td:last-child { white-space: normal; }
.plots { grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
svg .base { stroke-dasharray: 4 4; stroke-width: 1.2; }
""" + "".join(
    f"svg .curve.c{n} {{ stroke: var(--c{n}); }} svg .band.c{n} {{ fill: var(--c{n}); }}"
    f" .key.c{n} {{ color: var(--c{n}); }}\n"
    for n in range(9)
)
# What is drawn in every world, in the order of its colours; the table has all.
DRAWN = (
    (LEARNER, "cold"),
    (LEARNER, "warm"),
    ("equal weights", "cold"),
    ("naive hit rates", "cold"),
    ("ML-Poly", "cold"),
    ("logistic, all nights", "cold"),
    ("logistic, first 14 nights", "cold"),
    ("fixed share", "cold"),
    ("oracle", "cold"),
)
BAND = (10, 90)  # percentiles over seeds


def page(results: Results, *, seeds: int, days: int) -> str:
    """The whole page; every word that is not ours is escaped."""
    title = "Planted truth: what the learner reaches"
    parts = [f"<h1>{title}</h1>\n", paragraph(_scope(seeds, days), "quiet"), _claims(lines(results))]
    parts += [_world(results, kind, trials) for kind, trials in worlds(results).items()]
    body = "".join([*parts, _reading()])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}{COLOURS}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _scope(seeds: int, days: int) -> str:
    markets = "market" if seeds == 1 else "markets"
    return (
        f"{seeds} {markets} of each kind, {days} days of {SCANS_A_DAY} decisions; a warm start has seen {HISTORY} days"
        " before. Nothing here says anything about real markets."
    )


def _claims(found: Sequence[Line]) -> str:
    rows = [
        (
            each.claim,
            verdict(each),
            must(each),
            written(each.figure, precision(each)),
            str(each.figure.seeds),
            each.beside,
        )
        for each in found
    ]
    return "<h2>What must hold</h2>\n" + _table(("claim", "", "must", "found", "seeds", "beside"), rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(map(_cell, rest))}</tr>\n' for first, *rest in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'


def _cell(words: str) -> str:
    kind = {"met": "met", "NOT MET": "unmet"}.get(words, "")
    return f'<td class="{kind}">{escape(words)}</td>' if kind else f"<td>{escape(words)}</td>"


def _world(results: Results, kind: str, trials: dict[str, dict[str, dict[str, Figure]]]) -> str:
    rows = [
        (f"{name}, {trial}", *(written(figures[key], form) for _, key, form in COLUMNS))
        for trial, learners in trials.items()
        for name, figures in learners.items()
    ]
    plots = "".join(_plots(results, kind))
    return (
        f"<h2>World {escape(kind)}: {escape(KINDS[kind])}</h2>\n"
        f'<div class="plots">\n{plots}</div>\n{_table(("", *(title for title, _, _ in COLUMNS)), rows)}'
    )


def _plots(results: Results, kind: str) -> Iterator[str]:
    cold = results.courses("cold", kind)
    switches = {world.switch_day for world, _ in cold}
    marks = [day for day in switches if day] if len(switches) == 1 else []
    for title, of, low, high, form in (
        ("Share of the oracle's gain", lambda course: course.share, -0.4, 1.05, ".0%"),
        ("Chance that an accepted lean is right", lambda course: course.win_rate, 0.45, 0.82, ".0%"),
        ("Log-loss over ln 2, nats", lambda course: [loss - LN2 for loss in course.log_loss], -0.03, 0.1, "+.2f"),
    ):
        drawn = list(_drawn(results, kind, of))
        if any(np.isfinite(curve.values).any() for curve in drawn):
            yield _figure(title, drawn, curves(title, drawn, low=low, high=high, marks=marks, form=form))
    heads = _betas(cold)
    title = "The learner's beta for each head"
    yield _figure(title, heads, curves(title, heads, low=-0.4, high=0.5, marks=marks, form="+.1f"))


def _drawn(results: Results, kind: str, of: Callable[[Course], Sequence[float]]) -> Iterator[Curve]:
    """The mean over seeds of each learner that is drawn, and the band of the learner from a cold start."""
    for number, (name, trial) in enumerate(DRAWN):
        runs = [of(course) for _, course in results.courses(trial, kind, name)]
        if runs:
            table = np.array(runs, np.float64)
            low, high = np.percentile(table, BAND, axis=0).tolist()
            band = (low, high) if number == 0 and len(runs) > 1 else None
            yield Curve(f"{name}, {trial}", f"c{number}", table.mean(axis=0).tolist(), band)


def _betas(runs: Sequence[tuple[World, Course]]) -> list[Curve]:
    """Mean over seeds of each head's beta, wherever the head stands in a seed's world."""
    found = np.array([np.array(course.weights)[:, np.argsort(world.order)] for world, course in runs]).mean(axis=0)
    return [Curve(name.replace("_", " "), f"c{n}", found[:, n].tolist()) for n, name in enumerate(HEADS)]


def _figure(title: str, drawn: Sequence[Curve], drawing: str) -> str:
    keys = ", ".join(f'<span class="key {curve.kind}">{escape(curve.name)}</span>' for curve in drawn)
    return f"<figure><h3>{escape(title)}</h3><figcaption>{keys}</figcaption>{drawing}</figure>\n"


def _reading() -> str:
    words = (
        "Each curve is the mean over seeds under the weights in force on the day; the band holds the learner's course"
        " in eight seeds of ten. The dashed line is the day on which one head turns against its own skill. What lies"
        " beyond a scale is drawn at its edge.",
        "Accepted are the 1.5 % of scans on which the pool is surest. How often they are right is computed from the"
        " exact chances of a large fixed set of scans and not from the few that a day has, so it has no luck in it;"
        " the last column of a table counts the day's own.",
        "The oracle has the weights that fit those chances best, and knows when they change. Share is the part of the"
        " way from equal weights to the oracle. A day in a table is the median over seeds of the first day at that"
        " share; 'never' says that half of the seeds did not get there. Intervals are over seeds, 95 %.",
    )
    return "<h2>How to read this</h2>\n" + "".join(map(paragraph, words))
