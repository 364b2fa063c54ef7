"""Who is asking: a token in the Authorization header, or the session of a browser (with CSRF, as Django has it)."""

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from analytics.models import ApiToken
from analytics.tokens import note_use, recognised

SCHEMES = (b"bearer", b"token")


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer SECRET`; `Token SECRET` is understood as well. `request.auth` is the token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() not in SCHEMES:
            return None
        if len(parts) != 2 or not parts[1].isascii():
            raise AuthenticationFailed("That is no token; send Authorization: Bearer and the secret, once.")
        token = recognised(parts[1].decode("ascii"))
        if token is None:
            raise AuthenticationFailed("The token is unknown, revoked or expired; manage.py token list shows them.")
        note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="alphapulse"'
