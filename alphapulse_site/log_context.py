"""What the lines that are being logged are about: it goes along with the work, so that no call has to pass it on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})
_facts: ContextVar[Mapping[str, str]] = ContextVar("facts", default=NOTHING)


def facts() -> Mapping[str, str]:
    """Of the work at hand; empty outside of any."""
    return _facts.get()


@contextmanager
def about(**known: object) -> Iterator[None]:
    """Every line inside of the block is about this as well: a close, a scan_id, a job and its period."""
    token = _facts.set({**_facts.get(), **{name: str(value) for name, value in known.items()}})
    try:
        yield
    finally:
        _facts.reset(token)


def begin_anew(**known: object) -> None:
    """Nothing of before: what follows is about this alone."""
    _facts.set({name: str(value) for name, value in known.items()})
