"""Metrics as Prometheus wants them. What is not known is left out: it is never 0."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Number = float | int | bool | timedelta | datetime | None


def gauge(name: str, says: str, value: Number) -> Iterator[Metric]:
    """One number that may go up and down; nothing where it is None."""
    if (number := _number(value)) is not None:
        yield GaugeMetricFamily(name, says, value=number)


def gauges(name: str, says: str, label: str, values: Mapping[str, Number]) -> Iterator[Metric]:
    """One number for each value of the label that has one; nothing where none has."""
    yield from _labelled(GaugeMetricFamily(name, says, labels=[label]), values)


def counters(name: str, says: str, label: str, values: Mapping[str, Number]) -> Iterator[Metric]:
    """The same of what only grows, as PostgreSQL has counted it; the name ends with _total."""
    yield from _labelled(CounterMetricFamily(name, says, labels=[label]), values)


def _labelled(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, Number]) -> Iterator[Metric]:
    for value, said in values.items():
        if (number := _number(said)) is not None:
            family.add_metric([value], number)
    if family.samples:
        yield family


def _number(value: Number) -> float | None:
    """Base units: seconds for a length, seconds since the epoch for a moment."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.timestamp()
    return None if value is None else float(value)
