"""How far a small plot reaches, so that all rows of one table can be compared."""

from collections.abc import Iterable

SCALES = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


def scale_of(values: Iterable[float | None]) -> float:
    """The least round reach that holds every value, with room for its whisker."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return next((scale for scale in SCALES if 1.5 * largest <= scale), SCALES[-1])
