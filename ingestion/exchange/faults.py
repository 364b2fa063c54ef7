"""What the exchange has been told to do wrong, and for how long."""

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """One misbehaviour: of these symbols and paths (empty: of all), until a wall time (s) or so many times."""

    kind: str
    symbols: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    until: float | None = None
    count: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def is_over(self) -> bool:
        return self.count == 0 or (self.until is not None and time.time() >= self.until)

    def concerns(self, path: str, symbol: str) -> bool:
        return (not self.paths or path in self.paths) and (not self.symbols or symbol in self.symbols)


class Faults:
    """The faults in force, oldest first."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._active.append(fault)

    def clear(self, kind: str | None = None) -> None:
        """End the faults of a kind, or all of them."""
        self._active = [fault for fault in self._active if kind is not None and fault.kind != kind]

    def active(self) -> list[Fault]:
        self._active = [fault for fault in self._active if not fault.is_over()]
        return list(self._active)

    def first(self, kind: str, *, path: str = "", symbol: str = "") -> Fault | None:
        """The fault of this kind that concerns the path and symbol, if any; asking counts it down."""
        for fault in self.active():
            if fault.kind == kind and fault.concerns(path, symbol):
                if fault.count is not None:
                    fault.count -= 1
                return fault
        return None
