"""An answer over HTTP: status, headers and body, however it was come by, and the two messages that send it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent, Send

from services.body import TooLargeError
from services.errors import EcommerceError, InvalidError, UnavailableError
from services.gateway.failures import tell_alone

Header = tuple[bytes, bytes]

HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"application/json; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_LATER: Final[Header] = (b"retry-after", b"1")
_CLOSE: Final[Header] = (b"connection", b"close")
_encode: Final = msgspec.json.Encoder().encode


class MethodError(InvalidError):
    """The request's method does not do what is asked for."""

    status = 405

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class Answer:
    """What goes back, and what is counted of it: `operation`, and `code`, which is the first error's or OK."""

    __slots__ = ("_rest", "_start", "body", "code", "headers", "operation", "status")

    def __init__(
        self, status: int, headers: Sequence[Header], body: bytes, operation: str = "none", code: str = "OK"
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.operation = operation
        self.code = code
        # Made once, as an answer that is kept is sent many times.
        self._start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers],
        }
        self._rest: HTTPResponseBodyEvent = {"type": "http.response.body", "body": body, "more_body": False}

    async def send(self, send: Send, *, closing: bool) -> None:
        """Sends it; `closing` asks the client to go on over another connection."""
        start = self._start
        # What is left of a request that is too large is in the way of the next one.
        if closing or self.status == 413:
            start = {**start, "headers": [*self.headers, _CLOSE]}
        await send(start)
        await send(self._rest)


def answer_of(
    members: dict[str, Any], *, status: int = 200, operation: str = "none", more: Sequence[Header] = ()
) -> Answer:
    """Answers `data` (unless nothing ran) and `errors` (where there are any) as JSON that nobody keeps."""
    errors = members.get("errors")
    code = errors[0]["extensions"]["code"] if errors else "OK"
    body = _encode(members)
    return Answer(status, (*HEADERS, _length(body), *more), body, operation, code)


def refusal(error: Exception) -> Answer:
    """The answer to a request that did not get as far as GraphQL."""
    if isinstance(error, TimeoutError):
        error = UnavailableError("The request took too long. Try again later.")
    code = error.code if isinstance(error, EcommerceError) else "INTERNAL"
    status = {"INVALID": 400, "RATE_LIMITED": 429, "UNAVAILABLE": 503}.get(code, 500)
    if isinstance(error, TooLargeError | MethodError):
        status = error.status
    more = [_LATER] if status in (429, 503) else []
    if isinstance(error, MethodError):
        more.append((b"allow", error.allowed.encode()))
    return answer_of({"errors": [tell_alone(error)]}, status=status, more=more)


def _length(body: bytes) -> Header:
    return b"content-length", str(len(body)).encode()
