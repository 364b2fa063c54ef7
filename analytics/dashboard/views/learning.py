"""What was learned: what is in force and why, the weights over time, whether it was good, and each head's record."""

from typing import Any, ClassVar

from django.http import HttpRequest

from analytics.dashboard.charts import curve, day_of
from analytics.dashboard.plots import calibration_plot, whiskers
from analytics.dashboard.views.base import Page
from analytics.selectors.learned import LearningPage, learning_page
from analytics.selectors.weight_course import Lines

STRETCHES = (7, 30, 90, 365)
DEFAULT_DAYS = 30
ACT_SHAPES = {"rollback": "arrowDown", "pin": "circle", "freeze": "square", "release": "arrowUp"}
Chart = dict[str, Any]


class WhatWasLearned(Page):
    template_name = "dashboard/learning.html"
    active: ClassVar[str] = "learning"
    refresh: ClassVar[int] = 30

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        days = asked_days(self.request)
        page = learning_page(days)
        context = super().get_context_data(**kwargs, days=days, stretches=STRETCHES, page=page)
        return context | (drawn(page) if page else {})


def asked_days(request: HttpRequest) -> int:
    """One of the stretches offered; anything else is the usual one."""
    asked = request.GET.get("days", "")
    return int(asked) if asked in map(str, STRETCHES) else DEFAULT_DAYS


def drawn(page: LearningPage) -> dict[str, Any]:
    """The charts and plots of the page."""
    marks = whiskers(page.heads, "skill", "skill_")
    return {
        "in_force_chart": shares_chart(page.in_force, "steps") | {"markers": acts_marked(page)},
        "drafted_chart": shares_chart(page.drafted, "line"),
        "curve_chart": effect_chart(page),
        "certificate_chart": certificate_chart(page),
        "regret_chart": regret_chart(page),
        "calibration_plot": calibration_plot(page.progress["calibration"]["bins"]),
        "heads": [row | {"mark": mark} for row, mark in zip(page.heads, marks, strict=True)],
    }


def shares_chart(lines: Lines, kind: str) -> Chart:
    series = [
        curve(head.replace("_", " "), f"head-{place}", line, kind=kind)
        for place, (head, line) in enumerate(lines.items())
    ]
    return {"digits": 3, "series": series}


def acts_marked(page: LearningPage) -> list[dict[str, Any]]:
    """What people did stands over the steps; a chart takes marks only where it has a point."""
    points = sorted({second for line in page.in_force.values() for second, _ in line})
    marks = []
    for act in page.acts:
        at = int(act.market_at.timestamp())
        later = [second for second in points if second >= at]
        if later:
            shape = ACT_SHAPES[act.kind]
            marks.append({"time": later[0], "text": act.kind, "color": "warn", "shape": shape, "position": "aboveBar"})
    return marks


def effect_chart(page: LearningPage) -> Chart:
    rows = [(day_of(row["period"]), row) for row in page.curve]
    return {
        "digits": 4,
        "series": [
            curve("saved a scan", "accent", [(day, row["value"]) for day, row in rows]),
            curve("95 % above", "muted", [(day, row["ci_high"]) for day, row in rows], dashed=True),
            curve("95 % below", "muted", [(day, row["ci_low"]) for day, row in rows], dashed=True),
        ],
    }


def certificate_chart(page: LearningPage) -> Chart:
    nights = page.certified
    return {
        "digits": 2,
        "series": [
            curve("against equal weights", "accent", [(night.second, night.equal.excess) for night in nights]),
            curve("against the base rates", "good", [(night.second, night.zero.excess) for night in nights]),
            curve("against the nearest", "warn", [(night.second, night.nearest.excess) for night in nights]),
            curve("most against equal", "bad", [(night.second, night.equal.bound) for night in nights], dashed=True),
        ],
    }


def regret_chart(page: LearningPage) -> Chart:
    best = (page.regret.best_head or "").replace("_", " ")
    return {
        "digits": 1,
        "series": [
            curve("against equal weights", "accent", page.regret.against_equal),
            curve(f"against {best} alone", "warn", page.regret.against_best),
        ],
    }
