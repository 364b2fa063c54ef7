"""Tokens of the API in the admin: made there, told once, and revoked. None is changed or deleted."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from alphapulse_site.acts import Act, ActsAdmin
from analytics.models import ApiToken
from analytics.tokens import TokenError, issue_token, refusal_of, revoke_token


class TokenForm(forms.ModelForm):
    """A token of oneself; of others only a superuser makes one, or anybody could act in their name."""

    asked_by: User

    class Meta:
        model = ApiToken
        fields = ("name", "user", "scope", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        users = cast("forms.ModelChoiceField[User]", self.fields["user"])
        users.initial = self.asked_by
        if not self.asked_by.is_superuser:
            users.queryset = User.objects.filter(pk=self.asked_by.pk)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if "user" in found and (refusal := refusal_of(ApiToken(**found))):
            self.add_error(None, refusal)
        return found


def revoked(token: ApiToken, by: str, reason: str) -> str:
    if not revoke_token(name=token.name):
        raise TokenError(f"{token} was revoked before.")
    return f"{token} opens nothing any more."


REVOKE = Act(
    question=lambda token: f"Let {token} of {token.user} open nothing any more? This cannot be undone.",
    refusal=lambda token: f"{token} was revoked before." if token.revoked_at else "",
    do=revoked,
    errors=(TokenError,),
    most=20,
)


@admin.register(ApiToken)
class TokenAdmin(ActsAdmin):
    list_display = ("name", "scope", "user", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("scope",)
    list_select_related = ("user",)
    search_fields = ("name",)
    ordering = ("-created_at",)
    exclude = ("digest",)
    actions = ("revoke",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        return type("AskedForm", (TokenForm,), {"asked_by": request.user})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return TokenForm.Meta.fields if obj is None else super().get_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        secret = issue_token(row=obj)
        self.message_user(request, f"Kept nowhere, shown this once: {secret}", messages.WARNING)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Not for everybody who may look at records: whose tokens there are is a map for an intruder."""
        return self.has_operate_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Revoke: let it open nothing any more", permissions=["operate"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> HttpResponse | None:
        return self.ask_first(REVOKE, request, chosen)
