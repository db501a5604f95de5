"""The provider's webhooks, in three hops: the raw body is verified, what it tells is read, and the verb applies it.

The answer is 2xx only once the change is committed, or where there is nothing to change: a repetition, a type that
nobody here knows, a payment that is not of this shop. Everything else makes the provider send it again. 401 and 400
refuse what no repetition makes right, 503 asks to come back. Who sends is unknown until the signature is checked, so
what is refused before that is only counted: otherwise anybody could fill the log.
"""

import asyncio
from collections.abc import Callable, Mapping
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
from services.payment.provider import (
    MalformedError,
    UnsignedError,
    WebhookRefusedError,
    WronglySignedError,
)

webhooks: Final = Counter(
    "payment_webhooks_total", "Webhooks by provider and by what became of them.", ["provider", "outcome"]
)
log = structlog.get_logger(__name__)

_JSON: Final = (b"content-type", b"application/json")
# Answers to requests whose body was not read to its end.
_UNREAD: Final = (405, 413)


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """What one webhook, and all of them together, may be and take."""

    # Bytes: a provider's events have a few thousand.
    body: int = 256 * 1024
    # Seconds until it has arrived, and from then on. Senders wait 15 to 30 for the answer, as Standard Webhooks asks.
    arrival_seconds: float = 5.0
    seconds: float = 9.0
    # At most this many bodies are in memory at once: 64 MiB.
    concurrent: int = 256
    # Fewer than the database pool has connections, so that a burst leaves some for calls and loops.
    applying: int = 6


class Reader(Protocol):
    """What a webhook is read by: the part of the provider's port that matters here."""

    @property
    def name(self) -> str:
        """Its name in the metric."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Verifies the raw body, then parses it; header names are in lower case. Raises WebhookRefusedError."""


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
        provider: Reader,
        payments: Payments,
        clock: Callable[[], datetime],
        limits: WebhookLimits = WebhookLimits(),
    ) -> None:
        self._provider = provider
        self._payments = payments
        self._clock = clock
        self._limits = limits
        self._applying = asyncio.Semaphore(limits.applying)
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
        if answer.status in _UNREAD:
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
        trace = telemetry.extract({"traceparent": headers.get("traceparent", "")})
        with telemetry.tracer.start_as_current_span("POST /webhook/payment", context=trace, kind=SpanKind.SERVER):
            return await self._take(headers, body)

    async def _take(self, headers: dict[str, str], body: bytes) -> _Answer:
        try:
            delivery = self._provider.read_webhook(headers, body, self._clock())
            async with asyncio.timeout(self._limits.seconds), self._applying:
                outcome = await self._payments.apply(delivery)
        except WebhookRefusedError as error:
            if isinstance(error, MalformedError):
                log.warning("a signed webhook cannot be understood", reason=str(error))
            unknown = isinstance(error, UnsignedError | WronglySignedError)
            return _Answer(401 if unknown else 400, error.reason, f"The webhook is {error.reason.replace('_', ' ')}.")
        except (UnavailableError, TimeoutError):
            # It may be committed all the same: its repetition is then a duplicate.
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
    headers.append((b"x-content-type-options", b"nosniff"))
    if answer.status == 503:
        headers.append((b"retry-after", b"5"))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.status in (408, *_UNREAD):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
