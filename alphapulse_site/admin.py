"""The frame's tables in the admin, to look at: they are written by the system alone."""

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from alphapulse_site.models import Heartbeat, JobRun, MarketClock, ParkedTask


class ReadOnlyAdmin(admin.ModelAdmin):
    """A list and a page for each row, and no way to change one. What only grows is not counted in full."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ["job", "period", "status", "attempts", "started_at", "finished_at", "market_at"]
    list_filter = ["job", "status"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["name", "beat_at", "market_at"]


@admin.register(ParkedTask)
class ParkedTaskAdmin(ReadOnlyAdmin):
    list_display = ["name", "task_id", "error", "parked_at"]
    list_filter = ["name"]


@admin.register(MarketClock)
class MarketClockAdmin(ReadOnlyAdmin):
    list_display = ["mode", "closed_until", "exchange_until", "speed", "detail"]
