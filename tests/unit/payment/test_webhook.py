"""POST /webhook/payment: what is answered, what is applied and what is counted, without a socket or a database."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.errors import UnavailableError
from services.payment import standard_webhooks
from services.payment.domain import Delivery, Outcome
from services.payment.provider import MalformedError
from services.payment.web import create_app
from services.payment.webhook import WebhookLimits, Webhooks
from services.serving import Drain

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLDER = "whsec_" + "QUFB" * 8
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOLERANCE = timedelta(minutes=5)
BODY = b'{"type":"payment.succeeded"}'
LIMITS = WebhookLimits(body=1_000, arrival_seconds=0.05, seconds=0.2, concurrent=3, applying=2)


class Signed:
    """Reads webhooks that are signed as the standard says; a body that is no JSON object is malformed."""

    name = "signed"

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        delivery_id, _ = standard_webhooks.verify([SECRET, OLDER], headers, body, now, TOLERANCE)
        if not body.startswith(b"{"):
            raise MalformedError("no object")
        return Delivery(delivery_id, "payment.succeeded")


@dataclass
class Ledger:
    """Applies deliveries by their ids, when `open`; `fault` is raised instead."""

    applied: list[str] = field(default_factory=list)
    fault: Exception | None = None
    open: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    waiting: int = 0
    most_waiting: int = 0

    async def apply(self, delivery: Delivery) -> Outcome:
        if self.fault:
            raise self.fault
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        self.arrived.put_nowait(delivery.id)
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        if delivery.id in self.applied:
            return Outcome.DUPLICATE
        self.applied.append(delivery.id)
        return Outcome.APPLIED


class Address:
    """The application, what it applies to, and a client."""

    def __init__(self, limits: WebhookLimits = LIMITS) -> None:
        self.ledger = Ledger()
        self.ledger.open.set()
        self.drain = Drain()
        self.missing: list[str] = []
        self.asked = 0
        webhooks = Webhooks(Signed(), self.ledger, lambda: NOW, limits)
        app = create_app(webhooks, [], missing=self._missing, drain=self.drain)
        transport = httpx.ASGITransport(cast("Any", app))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://payment")

    async def send(
        self, headers: Mapping[str, str] | None = None, body: bytes = BODY, method: str = "POST"
    ) -> httpx.Response:
        given = signed(body=body) if headers is None else headers
        return await self.http.request(method, "/webhook/payment", content=body, headers=given)

    async def _missing(self) -> list[str]:
        self.asked += 1
        return self.missing


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    address = Address()
    yield address
    await address.http.aclose()


def signed(
    delivery_id: str = "msg_1", now: datetime = NOW, body: bytes = BODY, secrets: Iterable[str] = (SECRET,)
) -> dict[str, str]:
    return standard_webhooks.sign(list(secrets), delivery_id, now, body)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("payment_webhooks_total", {"provider": "signed", "outcome": outcome}) or 0.0


async def refused(address: Address, response: httpx.Response, status: int) -> None:
    """Asserts that it was refused with a reason in JSON, and that nothing was applied."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error"]
    assert not address.ledger.applied


async def test_a_signed_webhook_is_applied(address: Address) -> None:
    """What is rightly signed is applied, answered 200 with its outcome, and counted."""
    before = counted("applied")
    response = await address.send()
    assert (response.status_code, response.json()) == (200, {"outcome": "applied"})
    assert address.ledger.applied == ["msg_1"]
    assert counted("applied") == before + 1


async def test_the_answer_comes_after_the_commit(address: Address) -> None:
    """Nothing is answered until what was sent is committed."""
    address.ledger.open.clear()
    sending = asyncio.create_task(address.send())
    await address.ledger.arrived.get()
    assert not sending.done()
    address.ledger.open.set()
    assert (await sending).status_code == 200


async def test_a_replay_is_answered_and_not_applied(address: Address) -> None:
    """The same delivery again is a duplicate: 200, so that its sender stops, and no second effect."""
    await address.send()
    response = await address.send()
    assert (response.status_code, response.json()) == (200, {"outcome": "duplicate"})
    assert address.ledger.applied == ["msg_1"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "outcome"),
    [
        pytest.param({}, BODY, 401, "unsigned", id="without headers"),
        pytest.param({**signed(), "webhook-timestamp": "soon"}, BODY, 401, "unsigned", id="a time in words"),
        pytest.param({**signed(), "webhook-signature": "v1,AAAA"}, BODY, 401, "wrongly_signed", id="another signature"),
        pytest.param(signed(secrets=["whsec_QUFB"]), BODY, 401, "wrongly_signed", id="another secret"),
        pytest.param({**signed(), "webhook-id": "msg_2"}, BODY, 401, "wrongly_signed", id="another id"),
        pytest.param(signed(), BODY[:-1], 401, "wrongly_signed", id="truncated"),
        pytest.param(signed(), b"", 401, "wrongly_signed", id="without a body"),
        pytest.param(signed(body=b"[]"), b"[]", 400, "malformed", id="signed, and not understood"),
        pytest.param(signed(now=NOW - timedelta(seconds=301)), BODY, 400, "stale", id="too old"),
        pytest.param(signed(now=NOW + timedelta(seconds=301)), BODY, 400, "stale", id="from the future"),
        pytest.param(signed(body=b"{" * 1_001), b"{" * 1_001, 413, "too_large", id="oversized"),
    ],
)
async def test_what_is_wrong_is_refused_and_counted(
    address: Address, headers: Mapping[str, str], body: bytes, status: int, outcome: str
) -> None:
    """Each kind of bad webhook has its status and its word in the metric, and is not applied."""
    before = counted(outcome)
    await refused(address, await address.send(headers, body), status)
    assert counted(outcome) == before + 1


@pytest.mark.parametrize("seconds", [-300, 300])
async def test_clocks_may_differ_by_the_tolerance(address: Address, seconds: int) -> None:
    """A sender whose clock is off by just the tolerance is heard."""
    assert (await address.send(signed(now=NOW + timedelta(seconds=seconds)))).status_code == 200


@pytest.mark.parametrize("secrets", [(OLDER,), (SECRET,), ("whsec_QUFB", OLDER)])
async def test_a_secret_is_rotated_without_a_gap(address: Address, secrets: tuple[str, ...]) -> None:
    """While both secrets are known, a delivery that is signed with either of them is taken."""
    assert (await address.send(signed(secrets=secrets))).status_code == 200


async def test_a_header_that_comes_twice_counts_as_none(address: Address) -> None:
    """Nobody chooses which of two ids a signature is for."""
    twice = [*signed().items(), ("webhook-id", "msg_1")]
    response = await address.http.post("/webhook/payment", content=BODY, headers=twice)
    await refused(address, response, 401)


async def test_a_length_that_was_not_said_is_counted(address: Address) -> None:
    """A body in chunks is cut off where it passes the limit."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"{" * 100

    response = await address.http.post("/webhook/payment", content=endless(), headers=signed())
    await refused(address, response, 413)
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
async def test_only_post_is_for_webhooks(address: Address, method: str) -> None:
    """Any other method is answered 405 with the one that is right."""
    response = await address.send(method=method)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert not address.ledger.applied


async def test_without_the_database_it_is_sent_again(address: Address) -> None:
    """What cannot be committed now is answered 503 with the time of the next try; that one is applied."""
    address.ledger.fault = UnavailableError("The database does not answer now. Try again later.")
    before = counted("unavailable")
    response = await address.send()
    await refused(address, response, 503)
    assert int(response.headers["retry-after"]) > 0
    assert counted("unavailable") == before + 1
    address.ledger.fault = None
    assert (await address.send()).json() == {"outcome": "applied"}


async def test_a_commit_that_takes_too_long_is_sent_again(address: Address) -> None:
    """A database that hangs holds no sender longer than the limit."""
    address.ledger.open.clear()
    await refused(address, await address.send(), 503)


async def test_a_fault_of_ours_shows_nothing(address: Address) -> None:
    """An unexpected error is answered like a database that is away, without its detail, and counted by itself."""
    address.ledger.fault = RuntimeError("secret detail")
    before = counted("failed")
    response = await address.send()
    await refused(address, response, 503)
    assert "secret" not in response.text
    assert counted("failed") == before + 1


async def test_too_many_at_once_are_asked_to_come_back(address: Address) -> None:
    """Beyond the limit webhooks are refused at once, fewer reach the database, and those under way are all applied."""
    address.ledger.open.clear()
    sending = [asyncio.create_task(address.send(signed(f"msg_{number}"))) for number in range(3)]
    await address.ledger.arrived.get()
    await address.ledger.arrived.get()
    await refused(address, await address.send(signed("msg_3")), 503)
    address.ledger.open.set()
    assert [response.status_code for response in await asyncio.gather(*sending)] == [200, 200, 200]
    assert address.ledger.most_waiting == 2
    assert (await address.send(signed("msg_3"))).status_code == 200


@pytest.mark.parametrize(
    ("last", "status"), [({"type": "http.disconnect"}, 400), (None, 408)], ids=["goes away", "stays silent"]
)
async def test_a_body_that_does_not_end(last: dict[str, Any] | None, status: int) -> None:
    """A sender who goes away or falls silent inside the body is given up in time, and nothing is applied."""
    ledger = Ledger()
    ledger.open.set()
    webhooks = Webhooks(Signed(), ledger, lambda: NOW, LIMITS)
    messages = [{"type": "http.request", "body": BODY, "more_body": True}, *([last] if last else [])]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        return cast("dict[str, Any]", await asyncio.get_running_loop().create_future())

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in signed().items()]
    scope: Any = {"type": "http", "method": "POST", "path": "/webhook/payment", "headers": headers}
    await webhooks(scope, cast("Any", receive), cast("Any", send))
    assert sent[0]["status"] == status
    assert not ledger.applied


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "traceparent"])
            | st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True),
            st.binary(max_size=80),
        ),
        max_size=8,
    ),
    st.binary(max_size=1_200),
    st.sampled_from(["POST", "GET", "PUT", "DELETE", "OPTIONS", "BREW"]),
)
@example([("content-length", b"9" * 40)], b"", "POST")
@example([("content-length", "²".encode("latin-1"))], b"", "POST")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_nothing_that_is_not_signed_does_anything(
    address: Address, headers: list[tuple[str, bytes]], body: bytes, method: str
) -> None:
    """Whatever bytes come: a refusal below 500, and nothing applied."""
    raw = [(name.lower().encode(), value) for name, value in headers]
    response = await address.http.request(method, "/webhook/payment", content=body, headers=raw)
    assert 400 <= response.status_code < 500
    assert not address.ledger.applied


async def test_readiness_is_asked_for_once_a_second(address: Address) -> None:
    """However many probes come, the database is asked once, and they are told what is missing."""
    address.missing = ["PostgreSQL"]
    answers = await asyncio.gather(*(address.http.get("/readyz") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].json() == {"status": "not ready", "missing": ["PostgreSQL"]}
    assert address.asked == 1


async def test_probes_are_answered(address: Address) -> None:
    """Alive and ready are 200; a process that leaves is alive and not ready, and closes its connections."""
    assert (await address.http.get("/healthz")).json() == {"status": "alive"}
    assert (await address.http.get("/readyz")).json() == {"status": "ready", "missing": []}
    address.drain.started = True
    leaving = await address.http.get("/readyz")
    assert (leaving.status_code, leaving.headers["connection"]) == (503, "close")
    assert (await address.send()).headers["connection"] == "close"
    assert (await address.http.get("/healthz")).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/healthz", 405)])
async def test_the_rest_is_refused_in_json(address: Address, method: str, path: str, status: int) -> None:
    """Paths and methods that are not there are told in JSON, with headers that forbid guessing and framing."""
    response = await address.http.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]
    assert response.headers["x-content-type-options"] == "nosniff"
