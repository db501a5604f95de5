"""The payment service's HTTP address: webhooks, the provider's own pages where it has some here, and probes.

Nothing here needs a sign-in of the platform: a webhook is signed, and a page's address is its key.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final

import structlog
from litestar import Litestar, Request, Response, Router, asgi
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send, WebSocketReceiveMessage

from services import web
from services.errors import (
    ConflictError,
    EcommerceError,
    ForbiddenError,
    InternalError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
)
from services.payment.webhook import Webhooks
from services.serving import Drain

# For everything that does not say it for itself, as pages do.
SECURITY_HEADERS: Final = {**web.SECURITY_HEADERS, "Cache-Control": "no-store"}
# Bytes that a form on a page may have; it has some hundred.
LONGEST_FORM: Final = 16 * 1024
# Seconds in which a page is answered, its form read and its work done.
PAGE_SECONDS: Final = 15.0
# Seconds that an answer about readiness is kept, and that it may take, however many probes come.
KEPT_SECONDS: Final = 1.0
READINESS_SECONDS: Final = 3.0

_STATUS: Final[dict[type[EcommerceError], int]] = {
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    RateLimitedError: 429,
    UnavailableError: 503,
    InternalError: 500,
}

log = structlog.get_logger(__name__)

Missing = Callable[[], Awaitable[list[str]]]


class Readiness:
    """Asks `missing` for the names of what this process cannot work without, at most once a second."""

    def __init__(self, missing: Missing, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = missing
        self._clock = clock
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._missing: list[str] = []

    async def missing(self) -> list[str]:
        """Answers what is missing; a question without an answer is something that is missing, too."""
        async with self._lock:
            if self._clock() - self._asked_at > KEPT_SECONDS:
                try:
                    async with asyncio.timeout(READINESS_SECONDS):
                        self._missing = await self._ask()
                except Exception as error:  # noqa: BLE001 a probe is answered whatever happens
                    self._missing = [f"readiness ({type(error).__name__})"]
                self._asked_at = self._clock()
        return self._missing

    def is_ready(self, missing: Collection[str]) -> bool:
        """Answers whether webhooks can be taken: only when nothing is missing."""
        return not missing


def create_app(webhooks: Webhooks, pages: Sequence[Router], *, missing: Missing, drain: Drain) -> Litestar:
    """Answers the ASGI application; `missing` names what keeps the service from its work."""
    bounded = Router("/", route_handlers=pages, middleware=[_in_time])
    return Litestar(
        [_webhook(webhooks), web.healthz, web.readyz(Readiness(missing), drain), bounded],
        response_headers=SECURITY_HEADERS,
        request_max_body_size=LONGEST_FORM,
        before_send=[_leaving(drain)],
        exception_handlers={Exception: _refuse},
        openapi_config=None,
        logging_config=None,
    )


def _webhook(webhooks: Webhooks) -> Any:
    @asgi("/webhook/payment", copy_scope=False)
    async def webhook(scope: Scope, receive: Receive, send: Send) -> None:
        await webhooks(scope, receive, send)

    return webhook


def _in_time(app: ASGIApp) -> ASGIApp:
    """Gives a page's request a deadline: nobody holds one open by sending its form a byte at a time.

    A sender who goes away inside the form did nothing that concerns us; Litestar would take it for a fault.
    """

    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        async def unless_gone() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise InvalidError("The request ended before its body.")
            return message

        try:
            async with asyncio.timeout(PAGE_SECONDS):
                await app(scope, unless_gone, send)
        except TimeoutError:
            raise UnavailableError("The request took too long. Try again later.") from None

    return within


def _leaving(drain: Drain) -> Callable[[Message, Scope], Awaitable[None]]:
    """Lets clients that keep their connections go elsewhere once the process is about to stop."""

    async def close(message: Message, _: Scope) -> None:
        if drain.started and message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]

    return close


def _refuse(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answers an error in JSON, wherever no page has its own way to tell it; a fault's detail is for the log."""
    if isinstance(error, HTTPException) and error.status_code < 500:
        return web.json_answer({"error": error.detail}, status=error.status_code, headers=error.headers)
    if isinstance(error, EcommerceError):
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)
        return web.json_answer(
            {"error": error.message}, status=status, headers={"Retry-After": "5"} if status == 503 else None
        )
    log.error("a request failed", exc_info=error)
    return web.json_answer({"error": "Something went wrong here. Try again later."}, status=500)
