"""Versions, the ledger and what rejections were worth, in the admin: to be read, and rolled back by hand."""

import json
from math import nan
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from alphapulse_site.acts import ActsAdmin
from alphapulse_site.pages import choice_filter, recent_filter
from learning.acts import FREEZE, PIN, RELEASE, ROLLBACK
from learning.evaluating.plots import lines
from learning.models import ActiveLearningState, LearningEvent, LearningState, RejectionLearningMetrics
from learning.selectors import weights_from
from learning.story import story
from learning.why import account_of
from signals.admin import NOTHING, WHERE, LedgerAdmin, decision_links, table
from signals.consensus import Weights
from signals.gates import REASONS
from signals.heads import HEADS

KindFilter = choice_filter("kind", "kind", lambda: LearningEvent.KINDS)
PUBLISHED = "published"
COURSE = 60  # versions in the plot of weights


class GateFilter(admin.SimpleListFilter):
    """By the gate that refused; the reason of what none refused is empty."""

    title = parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(reason, reason) for reason in (*REASONS, PUBLISHED)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(reason="" if chosen == PUBLISHED else chosen) if chosen else queryset


def weights_plot(told: list[tuple[int, Weights]]) -> str:
    """The weight of each head, version after version; heads that a version does not know have a gap there."""
    names = told[-1][1].heads
    betas = [dict(zip(weights.heads, weights.beta.tolist(), strict=True)) for _, weights in told]
    series = {name: [beta.get(name, nan) for beta in betas] for name in names}
    labels = [f"v{version}" if place % 10 == 0 else "" for place, (version, _) in enumerate(told)]
    keys = format_html_join(" ", '<span class="key s{}">{}</span>', enumerate(names))
    drawn = SafeString(lines("Weights of the heads over the versions", series, labels))
    return format_html('<div class="plot course">{}</div><p>{}</p>', drawn, keys)


def readable(document: Any) -> SafeString:
    """JSON as people read it."""
    return format_html("<pre>{}</pre>", json.dumps(document, indent=2, sort_keys=True))


@admin.register(LearningState)
class LearningStateAdmin(ActsAdmin, LedgerAdmin):
    """Immutable versions with their stories; the actions make a new version each, once a second page was confirmed."""

    list_display = ("state_type", "version", "status", "period", "effective_from", "event_count", "created_by", "notes")
    list_filter = ("state_type", "status")
    search_fields = ("notes", "period", "hash")
    ordering = ("-created_at", "-version")
    exclude = ("procedure", "content", "certificate", "metrics_before", "metrics_after")
    readonly_fields = ("why", "heads", "course", "content_text", "metrics_text", "certificate_text")
    actions = ("roll_back", "pin", "freeze", "release")

    @admin.display(description="why")
    def why(self, state: LearningState) -> SafeString:
        return format_html_join("", "<p>{}</p>", ((words,) for words in story(account_of(state))))

    @admin.display(description="weights")
    def heads(self, state: LearningState) -> str:
        if state.state_type != "head_weights":
            return NOTHING
        weights = weights_from(state.content)
        lines = zip(weights.heads, weights.shares.tolist(), weights.beta.tolist(), strict=True)
        return table(("head", "share", "beta"), lines)

    @admin.display(description="weights over the versions up to it")
    def course(self, state: LearningState) -> str:
        if state.state_type != "head_weights":
            return NOTHING
        versions = LearningState.objects.filter(state_type=state.state_type, version__lte=state.version)
        told = list(versions.order_by("-version").values_list("version", "content")[:COURSE])[::-1]
        return weights_plot([(version, weights_from(content)) for version, content in told])

    @admin.display(description="content")
    def content_text(self, state: LearningState) -> SafeString:
        return readable(state.content)

    @admin.display(description="metrics on unseen outcomes, before and after")
    def metrics_text(self, state: LearningState) -> SafeString:
        return readable({"before": state.metrics_before, "after": state.metrics_after})

    @admin.display(description="certificate")
    def certificate_text(self, state: LearningState) -> SafeString:
        return readable(state.certificate)

    @admin.action(description="Put this version's content in force again", permissions=["operate"])
    def roll_back(self, request: HttpRequest, chosen: QuerySet[LearningState]) -> HttpResponse | None:
        return self.ask_first(ROLLBACK, request, chosen)

    @admin.action(description="Pin: put this version's weights in force and hold them", permissions=["operate"])
    def pin(self, request: HttpRequest, chosen: QuerySet[LearningState]) -> HttpResponse | None:
        return self.ask_first(PIN, request, chosen)

    @admin.action(description="Freeze: hold the weights in force", permissions=["operate"])
    def freeze(self, request: HttpRequest, chosen: QuerySet[LearningState]) -> HttpResponse | None:
        return self.ask_first(FREEZE, request, chosen)

    @admin.action(description="Release: let the nights move the weights again", permissions=["operate"])
    def release(self, request: HttpRequest, chosen: QuerySet[LearningState]) -> HttpResponse | None:
        return self.ask_first(RELEASE, request, chosen)


@admin.register(ActiveLearningState)
class ActiveLearningStateAdmin(LedgerAdmin):
    list_display = ("state_type", "state", "effective_from")
    list_select_related = ("state",)


@admin.register(LearningEvent)
class LearningEventAdmin(LedgerAdmin):
    list_display = (
        "sequence",
        "kind",
        "symbol",
        "decided_at",
        "side",
        "is_signal",
        "net_r",
        "mirror_net_r",
        "market_at",
    )
    list_filter = (KindFilter, recent_filter("market_at", "recorded (market time)"), *WHERE)
    search_fields = ("sequence__exact", "scan_id__exact", "symbol__exact")
    search_help_text = "a number of the ledger, the id of a scan, or a symbol"
    ordering = ("-sequence",)
    sortable_by = ("sequence",)
    exclude = ("evidence", "detail")
    readonly_fields = ("votes", "detail_text", "related")

    @admin.display(description="evidence of the heads toward up")
    def votes(self, event: LearningEvent) -> SafeString:
        return table(("head", "log-odds"), zip((head.name for head in HEADS), event.evidence or [], strict=False))

    @admin.display(description="detail")
    def detail_text(self, event: LearningEvent) -> SafeString:
        return readable(event.detail)

    @admin.display(description="the decision")
    def related(self, event: LearningEvent) -> str:
        return decision_links(event.scan_id)


@admin.register(RejectionLearningMetrics)
class RejectionLearningMetricsAdmin(LedgerAdmin):
    """Day by day; the reason of what was published is empty."""

    list_display = (
        *("day", "timeframe", "gate", "regime", "symbol", "shadows", "good", "missed", "neutral", "void"),
        *("mean_net_r", "opportunity_cost_r", "avoided_loss_r"),
    )
    list_filter = (GateFilter, "regime", *WHERE)
    ordering = ("-day", "timeframe", "reason", "regime", "symbol")

    @admin.display(description="reason", ordering="reason")
    def gate(self, row: RejectionLearningMetrics) -> str:
        return row.reason or PUBLISHED

    @admin.display(description="mean net R")
    def mean_net_r(self, row: RejectionLearningMetrics) -> float | None:
        valued = row.shadows - row.void
        return round(row.sum_net_r / valued, 4) if valued else None
