"""The head report as one HTML page that needs nothing else: no script, no other host; dark or light as the reader."""

from collections.abc import Iterable, Sequence
from html import escape

from learning.evaluation import BOOTSTRAPS
from learning.head_measures import Claim
from learning.head_plots import Whisker, curve, heat_map, shares, whiskers
from learning.head_report import FrameResult, HeadReport, HeadResult
from learning.head_table import (
    OUTCOMES,
    PROBABILITIES,
    base_words,
    bracket_words,
    figure,
    frame_words,
    in_thousandths,
    moment,
)

STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #ffffff; --ink: #1d2329; --quiet: #5c6670;
  --rule: #d9dcdf; --dot: #1f5fa8; --joint: #7d93ab; --base: #b3541e; --like: #1f77c9; --unlike: #d9722b;
  --good: #1d7a3e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --card: #1c2227; --ink: #e6e9ec; --quiet: #9aa5af;
  --rule: #363f47; --dot: #7db4f0; --joint: #5f7890; --base: #f0985c; --like: #4d9be6; --unlike: #e8894a;
  --good: #6cc98d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem 1rem 4rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { margin: 2.4rem 0 .4rem; font-size: 1.3rem; }
h3 { margin: 0 0 .2rem; font-size: 1rem; } p { margin: .4rem 0; max-width: 46rem; }
.quiet, figcaption, small { color: var(--quiet); } figcaption { font-size: .85rem; margin-bottom: .4rem; }
.verdicts { list-style: none; padding: 0; margin: .8rem 0; }
.verdicts li { padding: .5rem .8rem; margin: .35rem 0; background: var(--card); border-left: 4px solid var(--rule);
  overflow-wrap: anywhere; }
.verdicts li.edge, .verdicts li.skill { border-color: var(--good); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1rem;
  margin: 1rem 0; }
figure { margin: 0; padding: .8rem; background: var(--card); border: 1px solid var(--rule); border-radius: 6px;
  min-width: 0; }
@media (min-width: 48rem) { figure.broad { grid-column: span 2; } }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .6rem; }
.curves div { text-align: center; font-size: .85rem; }
svg { width: 100%; height: auto; display: block; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg text.tick { font-size: 11px; } svg text.quiet { fill: var(--quiet); } svg text.tick.quiet { fill: var(--quiet); }
svg .grid { stroke: var(--rule); fill: none; stroke-width: 1; } svg .zero { stroke: var(--quiet); stroke-width: 1.2; }
svg .interval { stroke: var(--dot); stroke-width: 4; } svg .joint { stroke: var(--joint); stroke-width: 1.5; }
svg .base { stroke: var(--base); stroke-width: 2.5; } svg .dot { fill: var(--dot); stroke: var(--card); }
svg .long, svg .like { fill: var(--like); } svg .short, svg .unlike { fill: var(--unlike); }
.key { font-weight: 700; } .key.dot { color: var(--dot); } .key.base { color: var(--base); }
.key.like { color: var(--like); } .key.unlike { color: var(--unlike); }
.wide { overflow-x: auto; margin: 1rem 0; background: var(--card); border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .35rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--card); }
thead th { color: var(--quiet); font-weight: 600; } tr:last-child td, tr:last-child th { border-bottom: 0; }
"""


def page(report: HeadReport) -> str:
    """The whole page; every word that comes from data is escaped."""
    names = ", ".join(origin.name for origin in report.origins)
    return document(
        f"Head report: {names}", "".join([_head(report), *(_frame(frame) for frame in report.frames), _reading()])
    )


def document(title: str, body: str, style: str = "") -> str:
    """A page of our own HTML with its style inside; `style` comes on top of the common one."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def paragraph(words: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(words)}</p>\n'


def _head(report: HeadReport) -> str:
    """The verdicts first, then what they rest on."""
    data = [
        f"{origin.name}: {moment(origin.first_ms)} to {moment(origin.last_ms)} UTC, {origin.candles:,} candles of"
        f" {', '.join(origin.symbols)}"
        for origin in report.origins
    ]
    parts = ["<h1>What each head is worth</h1>\n", *(paragraph(words, "quiet") for words in data)]
    for frame in report.frames:
        parts.append(f"<h2>Verdicts at {escape(frame.timeframe)}</h2>\n{_verdicts(frame.heads)}")
    return "".join([*parts, paragraph(report.caution()), paragraph(bracket_words(report))])


def _verdicts(heads: Iterable[HeadResult]) -> str:
    items = (
        f'<li class="{head.verdict.kind.value}"><strong>{escape(head.letter)} {escape(head.name)}</strong>:'
        f" {escape(head.verdict.words)}</li>\n"
        for head in heads
    )
    return f'<ul class="verdicts">\n{"".join(items)}</ul>\n'


def _frame(frame: FrameResult) -> str:
    plots = "".join([_shares(frame), _hits(frame), _results(frame), _over_base(frame), _gains(frame), _owed(frame)])
    return (
        f"<h2>The figures at {escape(frame.timeframe)}</h2>\n{paragraph(frame_words(frame))}"
        f"{paragraph(base_words(frame))}"
        f'<div class="plots">\n{plots}{_alike(frame)}{_curves(frame)}</div>\n{_tables(frame)}'
    )


def plot(title: str, caption: str, drawing: str) -> str:
    """`caption` is our own HTML, the title plain text."""
    return f"<figure><h3>{escape(title)}</h3><figcaption>{caption}</figcaption>{drawing}</figure>\n"


INTERVAL = '<span class="key dot">dot and bar</span>: value and 95 % interval'
JOINT = "thin line: the interval that holds for all claims at once"
BASE = '<span class="key base">tick</span>: the same sides on all bars'


def _shares(frame: FrameResult) -> str:
    title = "Share of bars it votes on"
    rows = []
    for head in frame.heads:
        long = head.figures.vote_share * (head.figures.long_share or 0.0)
        rows.append((head.name, long, head.figures.vote_share - long))
    key = '<span class="key like">long</span> and <span class="key unlike">short</span> votes'
    return plot(title, key, shares(title, rows))


def _hits(frame: FrameResult) -> str:
    title = "Hit rate of its side, net of costs"
    rows = [Whisker(h.name, h.figures.hit_rate, base=h.figures.base_rate) for h in frame.heads]
    return plot(title, f"{INTERVAL}; {BASE}", whiskers(title, rows, zero=None, form=".0%"))


def _results(frame: FrameResult) -> str:
    title = "Mean net R of its side"
    rows = [_claim(h.name, h.figures.net_r, h.figures.base_r) for h in frame.heads]
    return plot(title, f"{INTERVAL}; {JOINT}; {BASE}", whiskers(title, rows))


def _over_base(frame: FrameResult) -> str:
    title = "Mean net R over its base"
    rows = [_claim(h.name, h.figures.excess_r) for h in frame.heads]
    return plot(title, f"{INTERVAL}; {JOINT}. Right of zero it picks better bars", whiskers(title, rows))


def _gains(frame: FrameResult) -> str:
    title = "Log-loss gain of its stated probability"
    rows = [_claim(h.name, h.figures.stated.log_loss_gain) for h in frame.heads]
    caption = f"{INTERVAL}; {JOINT}. In nats over the base rate; left of zero what it states is worse than the base"
    return plot(title, caption, whiskers(title, rows))


def _owed(frame: FrameResult) -> str:
    title = "What the equal pool owes to it"
    rows = [Whisker(h.name, in_thousandths(h.contribution)) for h in frame.heads]
    caption = f"{INTERVAL}. Log-loss of the pool without the head minus with it, in thousandths of a nat a bar"
    return plot(title, caption, whiskers(title, rows, form="+.1f"))


def _alike(frame: FrameResult) -> str:
    title = "How alike they vote"
    letters = [head.letter for head in frame.heads]
    caption = (
        'Correlation of signed evidence, 0 where a head is silent: <span class="key like">like</span>,'
        ' <span class="key unlike">unlike</span>; empty beside a head that never voted. '
        + ", ".join(f"{escape(head.letter)} {escape(head.name)}" for head in frame.heads)
    )
    return plot(title, caption, heat_map(title, letters, frame.correlation))


def _claim(name: str, claim: Claim, base: float | None = None) -> Whisker:
    return Whisker(name, claim.alone, claim.joint, base)


def _curves(frame: FrameResult) -> str:
    """Small calibration curves, all on one scale."""
    bins = [each for head in frame.heads for each in head.figures.stated.curve]
    figures = [value for each in bins for value in (each.stated, each.happened.value) if value is not None]
    low, high = (max(0.0, min(figures) - 0.1), min(1.0, max(figures) + 0.1)) if figures else (0.0, 1.0)
    drawn = "".join(
        f"<div>{curve(f'Calibration of {h.name}', h.figures.stated.curve, low, high)}{escape(h.name)}</div>\n"
        for h in frame.heads
    )
    caption = (
        "Across: the probability of winning that a head states, as the consensus reads it. Up: how often it came true,"
        " with 95 % intervals over blocks of days. On the line it is right; the area of a dot is its number of votes."
    )
    return (
        f'<figure class="broad"><h3>Calibration</h3><figcaption>{caption}</figcaption>'
        f'<div class="curves">{drawn}</div></figure>\n'
    )


def _tables(frame: FrameResult) -> str:
    parts = []
    for columns in (OUTCOMES, PROBABILITIES):
        rows = [[f"{h.letter} {h.name}", *(cell(h) for _, cell in columns)] for h in frame.heads]
        parts.append(grid(["head", *(name for name, _ in columns)], rows))
    agreement = [
        [f"{head.letter} {head.name}", *(figure(None if value != value else value, ".0%") for value in row)]
        for head, row in zip(frame.heads, frame.agreement.tolist(), strict=True)
    ]
    title = "same side where both vote"
    return "".join(parts) + grid([title, *(head.letter for head in frame.heads)], agreement)


def grid(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first cell of each row names it."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>\n'
        for first, *rest in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'


def _reading() -> str:
    words = (
        "Every ready bar of every symbol has two brackets, long and short, followed minute by minute, net of costs. A"
        " head is scored on the side it votes for. Its base is what all bars gave in the same mix of long and short, so"
        " that always saying long in a rising market shows no skill.",
        "Outcomes of neighbouring bars overlap and all symbols share a market. Intervals are therefore drawn from whole"
        f" blocks of days, at least as long as a bracket can last, {BOOTSTRAPS:,} times, from a seed that the data"
        " itself gives.",
        "What a head states is its probability and confidence as the consensus reads them, on top of the win rate of"
        " its side on these very bars. Slope 1 is perfect calibration, below it the head is too bold; at 0 or less what"
        " it states says nothing. The pools give all heads one weight and are fitted to these bars, each anew.",
        "Compute time is that of the votes alone: indicators, which heads share, are ready before.",
    )
    return "<h2>How to read this</h2>\n" + "".join(map(paragraph, words))
