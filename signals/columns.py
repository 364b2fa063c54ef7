"""Columns of one length: n of something, held as arrays. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import BoolArray, IntArray


@dataclass(frozen=True)
class Rows:
    """Columns of one length; subclasses add theirs."""

    def __len__(self) -> int:
        return len(getattr(self, next(iter(self.__dataclass_fields__))))

    @property
    def columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def take(self, chosen: npt.NDArray[np.int64] | BoolArray | slice) -> Self:
        return type(self)(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def runs(values: IntArray) -> Iterator[tuple[int, int]]:
    """First and last row (exclusive) of each run of equal values."""
    starts = np.flatnonzero(np.diff(values, prepend=values[:1] - 1)).tolist()
    return zip(starts, [*starts[1:], len(values)][: len(starts)], strict=True)
