"""Decisions and their votes as pages write them."""

from collections.abc import Iterable
from datetime import timedelta
from math import isfinite
from typing import Any

from django import template
from django.urls import reverse

from analytics.templatetags.shown import DASH, MINUS
from signals.models import TrackedDecision

register = template.Library()


@register.filter
def page_of(number: int, kind: str) -> str:
    """The address of a signal's or shadow's own page."""
    return reverse(f"dashboard:{kind}", args=[number])


@register.filter
def lasted(decision: TrackedDecision) -> timedelta | None:
    """How long a bracket lived; None while it is open."""
    return decision.exit_at - decision.opened_at if decision.exit_at else None


@register.filter
def largest_contribution(votes: Iterable[dict[str, Any]]) -> float:
    """What the longest bar of a scan's votes stands for."""
    return max((abs(vote["contribution"]) for vote in votes), default=0.0)


@register.filter
def figure(value: float | None) -> str:
    """Six figures of a number of any size: 72.4977, 0.000123."""
    return f"{value:.6g}".replace("-", MINUS) if value is not None and isfinite(value) else DASH
