"""The largest difference of each indicator from the libraries, as a table at the end of a test run."""

from collections.abc import Iterable, Iterator
from typing import Any

PROPERTY = "indicator_differences"
HEADING = "largest relative difference of each indicator from TA-Lib (T) and pandas-ta-classic (P)"
COLUMNS = 3

Row = tuple[str, str, str, float, int]  # indicator, library, market, difference, rows compared


def recorded(reports: Iterable[Any]) -> list[Row]:
    """What the tests wrote down, from the reports of this process or of its workers."""
    kept = (value for report in reports for key, value in getattr(report, "user_properties", ()) if key == PROPERTY)
    return [(row[0], row[1], row[2], row[3], row[4]) for table in kept for row in table]


def lines(rows: list[Row]) -> Iterator[str]:
    """The worst of each indicator over all markets and libraries, worst first, several to a line."""
    worst: dict[str, Row] = {}
    for row in rows:
        known = worst.get(row[0])
        if row[4] and (known is None or row[3] > known[3]):
            worst[row[0]] = row
    cells = [f"{row[0]:17} {row[1]} {row[3]:.0e}" for row in sorted(worst.values(), key=lambda row: (-row[3], row[0]))]
    tall = -(-len(cells) // COLUMNS)
    for line in range(tall):
        yield "   ".join(cells[line::tall])
    markets = {row[2] for row in rows}
    compared = sum(row[4] for row in rows)
    yield f"over {len(markets)} markets, real and degenerate: {compared:,} values compared"
