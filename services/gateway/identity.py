"""Who sends a request: the token in `Authorization: Bearer` or else in the cookie, checked when someone asks.

Reading the catalogue needs no sign-in, so there a token that is not accepted counts as none. Operations that need one
learn why it was not accepted: missing, expired, invalid, or not to be checked now.
"""

from datetime import UTC, datetime
from typing import Final

from services.errors import EcommerceError
from services.gateway.request import Headers
from services.tokens import Identity, Verifier, require_identity

COOKIE: Final = "token"


class Caller:
    """The sender of one request; the token is checked at most once, and not at all where nobody asks."""

    def __init__(self, token: str | None, verifier: Verifier) -> None:
        self._token = token
        self._verifier = verifier
        self._answer: Identity | EcommerceError | None = None

    async def identity(self) -> Identity:
        """Answers who sends the request; raises UnauthenticatedError or UnavailableError with the reason."""
        answer = await self._checked()
        if isinstance(answer, EcommerceError):
            raise answer
        return require_identity(answer)

    async def signed_in(self) -> Identity | None:
        """Answers who sends the request, or None for anyone who is not (or cannot be seen to be) signed in."""
        answer = await self._checked()
        # A service's token is no account's.
        return answer if isinstance(answer, Identity) and answer.account_id else None

    async def account_id(self) -> int | None:
        """Answers whose account it is, or None where `signed_in` does."""
        identity = await self.signed_in()
        return identity.account_id if identity else None

    async def _checked(self) -> Identity | EcommerceError | None:
        if self._answer is None and self._token is not None:
            try:
                self._answer = await self._verifier.verify(self._token)
            except EcommerceError as error:
                self._answer = error
        return self._answer


def token_of(headers: Headers) -> str | None:
    """Answers the token that a request carries, or None; the header, being deliberate, goes before the cookie."""
    if headers.authorization is not None:
        scheme, _, token = headers.authorization.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    for pair in headers.cookies.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None


class Cookies:
    """Writes the sign-in cookie; `secure` keeps it off plain HTTP."""

    def __init__(self, *, secure: bool) -> None:
        self._attributes = "Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def signed_in(self, token: str, expires: datetime) -> str:
        """Answers the Set-Cookie header that keeps the token until it expires."""
        seconds = max(0, int((expires - datetime.now(UTC)).total_seconds()))
        return f"{COOKIE}={token}; Max-Age={seconds}; {self._attributes}"

    def signed_out(self) -> str:
        """Answers the Set-Cookie header that forgets the token."""
        return f"{COOKIE}=; Max-Age=0; {self._attributes}"
