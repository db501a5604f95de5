"""The provider's webhooks, in three hops: the raw body is verified, what it tells is read, and the verb applies it.

The answer is 2xx only once the change is committed, or where there is nothing to change: a repetition, a type that
nobody here knows, a payment that is not of this shop. Everything else makes the provider send it again. 401 and 400
refuse what no repetition makes right, 503 asks to come back.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, cast

import msgspec
import structlog
from litestar.types import HTTPScope, Receive, Scope, Send
from opentelemetry.trace import SpanKind
from prometheus_client import Counter

from services import telemetry
from services.body import TooLargeError, linger, receive_body
from services.errors import InvalidError, UnavailableError
from services.payment.domain import Delivery, Outcome
from services.payment.provider import Provider, UnsignedError, WebhookRefusedError, WronglySignedError

webhooks: Final = Counter(
    "payment_webhooks_total", "Webhooks by provider and by what became of them.", ["provider", "outcome"]
)
log = structlog.get_logger(__name__)

_JSON: Final = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """What one webhook may be and take: bytes, seconds until it has arrived, seconds in all, and how many at once."""

    body: int = 256 * 1024
    arrival_seconds: float = 10.0
    seconds: float = 15.0
    concurrent: int = 64


class Payments(Protocol):
    """What a delivery is told to."""

    async def apply(self, delivery: Delivery) -> Outcome:
        """Takes a delivery once; returns when that is committed. Raises MalformedError and UnavailableError."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    outcome: str
    error: str = ""


class Webhooks:
    """Answers POST /webhook/payment; an ASGI application of its own, because the raw body is what is signed."""

    def __init__(
        self,
        provider: Provider,
        payments: Payments,
        clock: Callable[[], datetime],
        limits: WebhookLimits = WebhookLimits(),
    ) -> None:
        self._provider = provider
        self._payments = payments
        self._clock = clock
        self._limits = limits
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one webhook; never raises for what is sent."""
        self._running += 1
        try:
            answer = await self._answer(cast("HTTPScope", scope), receive)
        finally:
            self._running -= 1
        webhooks.labels(self._provider.name, answer.outcome).inc()
        await _send(answer, send)
        if answer.status == 413:
            await linger(receive)

    async def _answer(self, scope: HTTPScope, receive: Receive) -> _Answer:
        if scope["method"] != "POST":
            return _Answer(405, "not_post", "Send webhooks by POST.")
        if self._running > self._limits.concurrent:
            return _Answer(503, "unavailable", "Too many webhooks at once.")
        try:
            headers = _headers(scope)
            async with asyncio.timeout(self._limits.arrival_seconds):
                body = bytes(await receive_body(_length(headers), receive, self._limits.body))
        except TooLargeError as error:
            return _Answer(413, "too_large", error.message)
        except InvalidError as error:
            return _Answer(400, "malformed", error.message)
        except TimeoutError:
            return _Answer(408, "unfinished", "The body did not arrive in time.")
        with telemetry.tracer.start_as_current_span("POST /webhook/payment", kind=SpanKind.SERVER):
            return await self._take(headers, body)

    async def _take(self, headers: dict[str, str], body: bytes) -> _Answer:
        try:
            async with asyncio.timeout(self._limits.seconds):
                delivery = self._provider.read_webhook(headers, body, self._clock())
                outcome = await self._payments.apply(delivery)
        except WebhookRefusedError as error:
            log.warning("a webhook was refused", reason=error.reason)
            unknown = isinstance(error, UnsignedError | WronglySignedError)
            return _Answer(401 if unknown else 400, error.reason, f"The webhook is {error.reason.replace('_', ' ')}.")
        except (UnavailableError, TimeoutError):
            return _Answer(503, "unavailable", "Not now: send it again.")
        except Exception:
            # A fault of ours: the provider keeps it and sends it again, and again after it was mended.
            log.exception("a webhook failed")
            return _Answer(503, "failed", "Not now: send it again.")
        return _Answer(200, outcome.value)


def _headers(scope: HTTPScope) -> dict[str, str]:
    """Answers the headers by their names in lower case; one that comes twice counts as none."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        found[name] = "" if name in found else value.decode("latin-1")
    return found


def _length(headers: dict[str, str]) -> int | None:
    told = headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else None


async def _send(answer: _Answer, send: Send) -> None:
    body = msgspec.json.encode({"error": answer.error} if answer.error else {"outcome": answer.outcome})
    headers = [_JSON, (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    if answer.status == 503:
        headers.append((b"retry-after", b"5"))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.status in (408, 413):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
