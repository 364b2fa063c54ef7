"""Who may read and who may act."""

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # REST framework reads this class while that module is being imported
    from rest_framework.views import APIView

OPERATORS = "operators"


class ReaderOrOperator(BasePermission):
    """Reads: anybody known, and anonymous readers where the settings allow them (loopback only). Writes: operators."""

    message = "This needs an operator: a staff account, or a member of the group operators."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in SAFE_METHODS:
            return settings.ALPHAPULSE_ANONYMOUS_READS or request.user.is_authenticated
        return is_operator(request)


def is_operator(request: Request) -> bool:
    user = request.user
    if not (user.is_authenticated and user.is_active):
        return False
    return user.is_staff or user.groups.filter(name=OPERATORS).exists()
