"""Week by week: what closed, what the refusals were worth, and whether anything changed beyond chance."""

from datetime import date, timedelta
from typing import Any

from analytics.selectors.estimates import NO_ESTIMATE, Daily, Estimate, daily_difference, daily_ratio, per_day, share
from analytics.selectors.gates import gate_days, held_in
from analytics.selectors.rejections import daily
from analytics.selectors.scope import Scope
from analytics.selectors.trades import Trades, closed_trades, mean
from learning.gate_days import GateDays

ORDINAL_OF_EPOCH = date(1970, 1, 1).toordinal()
WEEK = timedelta(days=7)


def whole_weeks(scope: Scope) -> list[date]:
    """The Monday of every ISO week that the scope touches, oldest first."""
    first = scope.since.date() - timedelta(days=scope.since.weekday())
    count = (scope.until.date() - first).days // 7 + 1
    return [first + place * WEEK for place in range(count)]


def weekly_trends(scope: Scope) -> dict[str, Any]:
    """A row a week that holds anything, and the change of the mean net R from the earlier to the later half."""
    trades, shadows = closed_trades(scope), gate_days(scope, held_in(scope), ("good", "missed")).refused
    weeks = [_week(monday, trades, shadows) for monday in whole_weeks(scope)]
    change = _change(per_day(trades.day, trades.net_r))
    return {
        "weekly_data": [week for week in weeks if week["signals"] or week["rejection_accuracy_n"]],
        **change.beside("overall_improvement"),
        "trend": trend(change),
    }


def _week(monday: date, trades: Trades, shadows: GateDays) -> dict[str, Any]:
    first = monday.toordinal() - ORDINAL_OF_EPOCH
    inside = (trades.day >= first) & (trades.day < first + 7)
    judged = shadows.rows((shadows.day >= first) & (shadows.day < first + 7))
    accuracy = daily_ratio(daily(judged, "good", "judged"))
    signals = int(inside.sum())
    return {
        "week": f"{monday:%G-W%V}",
        "start_date": monday,
        "end_date": monday + timedelta(days=6),
        "signals": signals,
        **share(int(trades.won[inside].sum()), signals).beside("win_rate"),
        "avg_profit": mean(trades.net_pct[inside]),
        **accuracy.beside("rejection_accuracy", prefix="rejection_accuracy_"),
    }


def _change(net_r: Daily) -> Estimate:
    if len(net_r.days) < 2:
        return NO_ESTIMATE
    middle = len(net_r.days) // 2
    return daily_difference(net_r.part(slice(middle, None)), net_r.part(slice(None, middle)))


def trend(change: Estimate) -> str | None:
    """A word only where the interval allows one."""
    if change.lies_above(0.0):
        return "improving"
    if change.lies_below(0.0):
        return "declining"
    return "no change shown" if change.ci_low is not None else None
