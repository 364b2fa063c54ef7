"""Student's t for whole degrees of freedom: the sums are finite then, and exact to rounding. Pure."""

import math
from functools import lru_cache


def student_within(angle: float, freedom: int) -> float:
    """P(|T| <= t) at t = sqrt(freedom) tan(angle), angle in [0, pi/2] (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2 == 1
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for step in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


@lru_cache(maxsize=4096)
def student_reach(level: float, freedom: int) -> float:
    """The t with P(|T| <= t) = level, by halving: how many standard errors an interval of that level reaches.

    Raises ValueError outside 0 < level < 1 or without a degree of freedom.
    """
    if not 0 < level < 1 or freedom < 1:
        raise ValueError("Student's t needs a level between 0 and 1 and at least one degree of freedom")
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_within(middle, freedom) < level else (low, middle)
    return math.sqrt(freedom) * math.tan(low)
