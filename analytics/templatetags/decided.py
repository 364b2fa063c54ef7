"""Decisions and their votes as pages write them."""

from collections.abc import Iterable
from datetime import timedelta
from math import isfinite
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from analytics.templatetags.shown import DASH, MINUS
from signals.first_touch import Outcome
from signals.models import TrackedDecision

register = template.Library()


@register.filter
def page_of(number: int, kind: str) -> str:
    """The address of a signal's or shadow's own page."""
    return reverse(f"dashboard:{kind}", args=[number])


@register.filter
def outcome_pill(decision: TrackedDecision) -> SafeString:
    """What became of it, in the colour of its result."""
    outcome = decision.outcome
    tone = (
        "accent" if not outcome else "" if outcome == Outcome.VOID else "good" if (decision.net_r or 0) > 0 else "bad"
    )
    return format_html('<span class="pill {}">{}</span>', tone, outcome or "open")


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
