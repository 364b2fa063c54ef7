"""Who may read and who may act: one rule for the API, the pages and the admin."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest

READERS, OPERATORS = "readers", "operators"


def may_read(request: HttpRequest) -> bool:
    """Anybody known, and anonymous readers where the settings allow them (the embedded profile on loopback)."""
    return bool(settings.ALPHAPULSE_ANONYMOUS_READS or request.user.is_authenticated)


def may_operate(request: HttpRequest) -> bool:
    """Whether whoever asks is an operator."""
    return is_operator(request.user)


def is_operator(user: User | AnonymousUser) -> bool:
    """A staff account, or a member of the group of operators."""
    if not (user.is_authenticated and user.is_active):
        return False
    return user.is_staff or user.groups.filter(name=OPERATORS).exists()
