"""What an indicator is: a name, the candle columns it reads, and a pure function of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Indicator:
    """A named series over one timeframe's bars.

    `compute` takes the columns named in `inputs` (each shape (n,)) and returns shape (n,): NaN until warm, no fill,
    row i a function of rows 0..i only. `lookback` is the number of leading rows that are NaN on a long clean series.
    """

    name: str
    inputs: tuple[str, ...]
    compute: Callable[..., FloatArray]
    lookback: int
