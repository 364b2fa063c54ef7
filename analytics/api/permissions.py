"""Who may read and who may act."""

from typing import TYPE_CHECKING

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from analytics.access import may_operate, may_read
from analytics.models import ApiToken

if TYPE_CHECKING:  # REST framework reads this class while that module is being imported
    from rest_framework.views import APIView


class ReaderOrOperator(BasePermission):
    """Reads: anybody known, and anonymous readers where the settings allow them (loopback only).

    Writes: operators, and of their tokens those that may operate. A token never may more than its user.
    """

    message = "This needs an operator: a staff account, or a member of the group operators."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in SAFE_METHODS:
            return may_read(request)
        if isinstance(request.auth, ApiToken) and request.auth.scope != ApiToken.Scope.OPERATE:
            raise PermissionDenied("This token may only read; make one with manage.py token create --scope operate.")
        return may_operate(request)
