"""Who may read and who may act."""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from analytics.access import may_operate, may_read

if TYPE_CHECKING:  # REST framework reads this class while that module is being imported
    from rest_framework.views import APIView


class ReaderOrOperator(BasePermission):
    """Reads: anybody known, and anonymous readers where the settings allow them (loopback only). Writes: operators."""

    message = "This needs an operator: a staff account, or a member of the group operators."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return may_read(request) if request.method in SAFE_METHODS else may_operate(request)
