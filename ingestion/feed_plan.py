"""From holes in a feed to pages to ask for, and what an answer without readings makes of them. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingestion.feeds import BESIDE_A_PAGE, FeedSource

Span = tuple[int, int]


@dataclass(frozen=True)
class OpenGap:
    """Moments [start_ms, end_ms) without a reading, and how often the source has confirmed that it has none.

    `is_refused` says that it has some, which are no readings.
    """

    start_ms: int
    end_ms: int
    checks: int
    first_seen_ms: int
    is_refused: bool = False


def pages(source: FeedSource, holes: Iterable[Span]) -> list[Span]:
    """Spans to ask for, each within a page, newest first: what is fresh counts before what is only complete."""
    longest = (source.page - BESIDE_A_PAGE) * source.grid_ms
    found: list[Span] = []
    for start, end in holes:
        if found and start < found[-1][0] + longest:
            found[-1] = (found[-1][0], min(end, found[-1][0] + longest))
            start = found[-1][1]
        while start < end:
            found.append((start, min(end, start + longest)))
            start = found[-1][1]
    return found[::-1]


def recounted(
    holes: Iterable[Span],
    known: Sequence[OpenGap],
    *,
    now_ms: int,
    asked: Span | None = None,
    refused: Iterable[Span] = (),
    cuts: Iterable[int] = (),
) -> list[OpenGap]:
    """The holes with their checks, cut where these differ: one more for what was asked for and did not come."""
    refused = list(refused)
    spans = [*((gap.start_ms, gap.end_ms) for gap in known), *refused, *([asked] if asked else [])]
    edges = sorted({edge for span in spans for edge in span} | set(cuts))
    pieces = [piece for hole in holes for piece in _cut(hole, edges)]
    return _joined([_counted(piece, known, now_ms, asked, refused) for piece in pieces], set(cuts))


def _cut(hole: Span, edges: list[int]) -> list[Span]:
    start, end = hole
    inside = edges[bisect_right(edges, start) : bisect_left(edges, end)]
    return list(pairwise([start, *inside, end]))


def _counted(piece: Span, known: Sequence[OpenGap], now_ms: int, asked: Span | None, refused: list[Span]) -> OpenGap:
    before = next((gap for gap in known if _holds((gap.start_ms, gap.end_ms), piece)), None)
    confirmed = asked is not None and _holds(asked, piece)
    return OpenGap(
        *piece,
        checks=(before.checks if before else 0) + confirmed,
        first_seen_ms=before.first_seen_ms if before else now_ms,
        is_refused=any(_holds(span, piece) for span in refused),
    )


def _holds(span: Span, piece: Span) -> bool:
    return span[0] <= piece[0] and piece[1] <= span[1]


def _joined(gaps: list[OpenGap], cuts: set[int]) -> list[OpenGap]:
    """Neighbours of one count as one, so that a long silence is one gap and not one for each look at it."""
    joined: list[OpenGap] = []
    for gap in gaps:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.end_ms == gap.start_ms
            and gap.start_ms not in cuts
            and (last.checks, last.is_refused) == (gap.checks, gap.is_refused)
        ):
            first_seen_ms = min(last.first_seen_ms, gap.first_seen_ms)
            joined[-1] = replace(last, end_ms=gap.end_ms, first_seen_ms=first_seen_ms)
        else:
            joined.append(gap)
    return joined
