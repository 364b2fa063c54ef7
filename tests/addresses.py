"""Every address that answers a GET, found in the URL conf and the admin's registry: a page that is added joins itself.

An address needs a value for each of its arguments, and some a query. What these tables do not know is refused with a
message that says what to add.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from learning.models import LearningState
from signals.models import RejectedSignal, ScanHistory, Signal

# The value of an argument by the address' name, or for all addresses; asked of the database once an address.
Values = Mapping[str, Callable[[], Any]]


def _newest(model: Any, column: str, field: str = "pk") -> Any:
    return model.objects.order_by(f"-{column}").values_list(field, flat=True).first()


def scanned() -> ScanHistory:
    """A scan whose lean a gate refused."""
    found = ScanHistory.objects.exclude(lean=0).exclude(rejection="").order_by("-close_time", "symbol").first()
    assert found is not None, "there is no scan to ask about"
    return found


ARGUMENTS: Values = {
    "scan_id": lambda: scanned().scan_id,
    "symbol": lambda: scanned().symbol,
    "state_type": lambda: "head_weights",
    "version": lambda: _newest(LearningState, "version", "version"),
    "number": lambda: _newest_run(),
}
ARGUMENTS_OF: Mapping[str, Values] = {
    "signal": {"pk": lambda: _newest(Signal, "opened_at"), "number": lambda: _newest(Signal, "opened_at")},
    "run": {"job": lambda: "daily_learning"},
    "retry": {"number": lambda: _newest_parked()},
    "report": {"kind": lambda: "weekly", "period": lambda: f"{_newest(Signal, 'opened_at', 'opened_at'):%G-W%V}"},
    "daily-report": {"period": lambda: f"{_newest(Signal, 'opened_at', 'opened_at'):%Y-%m-%d}"},
    "weekly-report": {"period": lambda: f"{_newest(Signal, 'opened_at', 'opened_at'):%G-W%V}"},
    "shadow": {
        "pk": lambda: _newest(RejectedSignal, "opened_at"),
        "number": lambda: _newest(RejectedSignal, "opened_at"),
    },
}
# Queries beside the bare address, and instead of it where it needs one.
QUERIES: Mapping[str, tuple[str, ...]] = {
    "performance": ("", "period=365d", "period=30d&symbol=BTCUSDT"),
    "head-weights": ("", "days=365"),
    "improvements": ("", "weeks=52"),
    "recommendations": ("", "period=90d"),
    "rejection-analysis": ("", "period=90d", "period=30d&symbol=BTCUSDT"),
    "signals": ("", "symbol=BTCUSDT", "outcome=open", "page_size=500"),
    "shadows": ("", "symbol=BTCUSDT&outcome=target", "rejection=stale_data", "page_size=500"),
    "scans": ("symbol=BTCUSDT",),
    "rejections": ("", "span=30d&by=symbol"),
    "why": ("", "symbol=BTCUSDT"),
    "candles": ("symbol=BTCUSDT", "symbol=BTCUSDT&timeframe=15m"),
}


def _newest_parked() -> Any:
    from alphapulse_site.models import ParkedTask

    return _newest(ParkedTask, "id")


def _newest_run() -> Any:
    from alphapulse_site.models import JobRun

    return _newest(JobRun, "id")


@dataclass(frozen=True)
class Address:
    """One thing to GET: its name for people, and its path with a query."""

    name: str
    path: str


def addresses() -> list[Address]:
    """All of them for the rows there are; those of the admin need a superuser's session."""
    return [*_of_pages(), *_of_admin()]


def _of_pages() -> Iterator[Address]:
    for name, pattern in _named(get_resolver().url_patterns, ""):
        if not _may_be_got(pattern):
            continue
        short = name.rpartition(":")[2]
        arguments = {key: _value(name, key) for key in pattern.pattern.converters}
        if None in arguments.values():
            continue  # there is no row of that kind
        for query in QUERIES.get(short, ("",)):
            path = reverse(name, kwargs=arguments) + (f"?{query}" if query else "")
            yield Address(f"{name} {query}".strip(), path)


def _named(patterns: Any, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for entry in patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace != "admin":
                yield from _named(entry.url_patterns, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)
        elif entry.name:
            yield f"{prefix}{entry.name}", entry


def _may_be_got(pattern: URLPattern) -> bool:
    """A class says which methods it has; of a function only asking tells."""
    view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
    return view is None or hasattr(view, "get")


def _value(name: str, key: str) -> Any:
    of_name = ARGUMENTS_OF.get(name.rpartition(":")[2], {})
    if key not in of_name and key not in ARGUMENTS:
        raise AssertionError(
            f"the address {name} has an argument {key!r}: add a value for it to ARGUMENTS_OF in {__file__}"
        )
    return of_name.get(key, ARGUMENTS.get(key, lambda: None))()


def _of_admin() -> Iterator[Address]:
    """The index, and of each model its list and the page of its newest row."""
    yield Address("admin:index", reverse("admin:index"))
    for model in admin.site._registry:
        where = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield Address(f"{where} list", reverse(f"{where}_changelist"))
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            yield Address(f"{where} page", reverse(f"{where}_change", args=[row.pk]))
