"""What the API itself has to remember."""

from datetime import datetime

from django.conf import settings
from django.db import models

from analytics.notifications.models import Channel, Notification, UnwellSpell

__all__ = ["AcknowledgedRequest", "Channel", "Notification", "UnwellSpell"]


class AcknowledgedRequest(models.Model):
    """A write that came with an Idempotency-Key: the same key again gets the answer it got first."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64, help_text="sha256 of the request that the key was first used with")
    status = models.PositiveSmallIntegerField(default=0, help_text="of the first answer")
    body = models.JSONField(default=dict)
    location = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "acknowledged_requests"
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status}"


class ApiToken(models.Model):
    """A secret that a script shows instead of logging in. Only its digest is kept; what it may do is its scope.

    It never may more than its user. A revoked or expired one opens nothing and stays here as a record.
    """

    class Scope(models.TextChoices):
        READ = "read"
        OPERATE = "operate"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope, default=Scope.READ)
    digest = models.CharField(max_length=64, unique=True, help_text="sha256 of the secret")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "api_tokens"
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(revoked_at=None), name="one_living_token_of_a_name"
            ),
            models.CheckConstraint(condition=models.Q(scope__in=["read", "operate"]), name="api_token_scope_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.scope})"

    def opens_at(self, moment: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > moment)
