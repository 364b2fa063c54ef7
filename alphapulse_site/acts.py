"""What a person may do to rows in the admin: asked on a second page, done row by row, and written down with a name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_permission_codename
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

LONGEST_REASON = 500
CHECKBOX = (
    '<input type="checkbox" name="{}" value="{}" class="action-select"'
    ' aria-label="Select this object for an action - {}">'
)


@dataclass(frozen=True)
class Act:
    """One thing that may be done.

    `question` asks for one row. `do` takes the row, who does it and why, and says what came of it; it raises one of
    `errors` where it may not be done. `refusal` says so before anybody is asked; `story` tells what is known of a row.
    """

    question: Callable[[Any], str]
    do: Callable[[Any, str, str], str]
    errors: tuple[type[Exception], ...] = ()
    refusal: Callable[[Any], str] = lambda row: ""
    story: Callable[[Any], Iterable[str]] = lambda row: ()
    needs_reason: bool = False
    most: int = 1


class ActsAdmin(admin.ModelAdmin):
    """A page whose actions ask first. They are for those with the permission to change its model: operators."""

    def action_checkbox(self, obj: Any) -> SafeString:
        """Django's, without a template for each row."""
        return format_html(CHECKBOX, ACTION_CHECKBOX_NAME, obj.pk, obj)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        opts = self.opts
        return bool(request.user.has_perm(f"{opts.app_label}.{get_permission_codename('change', opts)}"))

    def ask_first(self, act: Act, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        """Ask, on a page that says what would happen; act when that was confirmed."""
        rows = list(chosen[: act.most + 1])
        refusal = _too_many(act, rows) or next(filter(None, map(act.refusal, rows)), "")
        reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
        if refusal:
            self.message_user(request, refusal, messages.ERROR)
        elif "confirmed" not in request.POST or (act.needs_reason and not reason):
            return self._question(act, request, rows)
        else:
            for row in rows:
                self._do(act, request, row, reason)
        return None

    def _question(self, act: Act, request: HttpRequest, rows: list[Any]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Are you sure?",
            "questions": [(row, act.question(row), act.story(row)) for row in rows],
            "needs_reason": act.needs_reason,
            "longest_reason": LONGEST_REASON,
            "opts": self.opts,
            "action": request.POST["action"],
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/are_you_sure.html", context)

    def _do(self, act: Act, request: HttpRequest, row: Any, reason: str) -> None:
        try:
            with transaction.atomic():
                said = act.do(row, request.user.get_username(), reason)
                self.log_change(request, row, said)
        except act.errors as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, said, messages.SUCCESS)


def _too_many(act: Act, rows: list[Any]) -> str:
    if len(rows) <= act.most:
        return ""
    return "Choose exactly one." if act.most == 1 else f"Choose {act.most} at most."
