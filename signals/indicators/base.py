"""What an indicator is: a name, the candle columns it reads, and a pure function of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import unwrap
from typing import TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Indicator:
    """A named series over one timeframe's bars.

    `compute` takes what `inputs` names, candle columns or other series (each shape (n,)), and returns shape (n,): NaN
    until warm, no fill, row i a function of rows 0..i only. `lookback` is the number of leading rows that are NaN on a
    long clean series. `reach`: how many rows before its own a row of `compute` depends on, to the bit; None: on all.
    """

    name: str
    inputs: tuple[str, ...]
    compute: Callable[..., FloatArray]
    lookback: int
    reach: int | None = None


def ta(function: Callable[..., T], **periods: float) -> Callable[..., T]:
    """A function of TA-Lib with its periods, without its look for pandas and polars at each call.

    Where one of them is installed, that look costs as much as a short average itself.
    """
    return partial(unwrap(function), **periods)
