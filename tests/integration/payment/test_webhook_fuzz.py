"""Anything at all at the HTTP address of a real process: no fault of ours, and nothing written that was not signed."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local.datastores import Datastores
from tests.factories.payment import TOTAL
from tests.integration.payment.inbox import PATH, Inbox, inbox, signed

FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
TYPES = (
    *(f"payment.{what}" for what in ("created", "succeeded", "failed", "cancelled")),
    *(f"refund.{what}" for what in ("created", "succeeded")),
)
SESSION = "0199"
# What is right in an event, so that single wrong members are met beside right ones.
EVENT = {
    "payment_id": "pay_1",
    "refund_id": "ref_1",
    "checkout_id": "co_1",
    "session_id": SESSION,
    "order_id": 1,
    "amount": TOTAL,
    "currency": "USD",
    "occurred_at": "2026-11-23T12:00:00Z",
}
ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "\ud7ff\U0010ffff", "x" * 5_000, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
    | st.sampled_from([2**31, 2**63, 2**64, -1, 10**400, {}, [], [[[]]]])
)
WORD = st.from_regex(rb"[!-~]{1,12}", fullmatch=True)


def _utf8(text: str) -> bytes:
    return text.encode(errors="ignore")


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (ValueError, OverflowError):
        return repr(value).encode()


@pytest.fixture(scope="module")
async def post(datastores: Datastores) -> AsyncIterator[Inbox]:
    """A payment process for the tests of this file."""
    async with inbox(datastores) as running:
        yield running


@pytest.fixture(scope="module")
async def session(post: Inbox) -> None:
    """A checkout that events can be about."""
    await post.begin_checkout(SESSION)


@given(
    method=st.sampled_from([b"POST", b"GET", b"PUT", b"OPTIONS", b"HEAD", b"BREW"]) | WORD,
    path=st.sampled_from([PATH.encode(), b"/readyz", b"/checkout/", b"/checkout/x", b"/portal/x", b"/portal/x/refund"])
    | WORD.map(lambda word: b"/" + word)
    | WORD.map(lambda word: b"/checkout/" + word)
    | WORD,
    headers=st.lists(st.tuples(WORD, st.binary(max_size=40)), max_size=5),
    body=st.binary(max_size=100),
)
@example(b"POST", b"/checkout/x/pay", [(b"Content-Type", b"multipart/form-data")], b"a=b")
@example(b"POST", b"/checkout/x/pay", [(b"Content-Type", b"application/x-www-form-urlencoded")], b"%ff=%zz&&&=")
@FUZZ
async def test_requests_of_any_form(
    post: Inbox, method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """Bytes that look more or less like HTTP are answered below 500 or not at all, and nothing is written."""
    written = await post.written()
    head = [b"%s %s HTTP/1.1" % (method, path), b"Host: payment", b"Content-Length: %d" % len(body)]
    lines = [*head, *(name + b": " + value for name, value in headers), b"Connection: close"]
    answer = await post.raw(b"\r\n".join([*lines, b"", body]))
    assert not answer or answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.0 4")), answer
    assert await post.written() == written


@given(
    kind=st.sampled_from(TYPES) | st.text(max_size=20),
    wrong=st.dictionaries(st.sampled_from([*EVENT, "timestamp", "reason", "request_id"]), ODD, max_size=3),
    missing=st.sets(st.sampled_from([*EVENT]), max_size=1),
)
@example("payment.succeeded", {}, set())
@FUZZ
@pytest.mark.usefixtures("session")
async def test_signed_events_of_any_content(post: Inbox, kind: str, wrong: dict[str, Any], missing: set[str]) -> None:
    """An event that a provider signed is taken or refused, whatever is in it: never an error of ours."""
    data = {name: value for name, value in {**EVENT, **wrong}.items() if name not in missing}
    event = {"type": kind, "timestamp": wrong.get("timestamp", EVENT["occurred_at"]), "data": data}
    await _is_answered(post, _json(event))


@given(st.text(max_size=300).map(_utf8) | st.recursive(ODD, lambda inner: st.lists(inner, max_size=3)).map(_json))
@example(b'{"type":"payment.succeeded","timestamp":"2026-11-23T12:00:00Z","data":' + b"[" * 100_000)
@example(b'{"type":' + b"9" * 100_000)
@FUZZ
async def test_signed_bytes_of_any_kind(post: Inbox, body: bytes) -> None:
    """What is rightly signed and no event at all is refused."""
    await _is_answered(post, body)


async def test_nothing_of_it_was_a_fault_of_ours(post: Inbox) -> None:
    """After all that the process runs, has logged no traceback, and counts no webhook that failed."""
    assert (await post.http.get("/readyz")).status_code == 200
    assert await post.counted("failed") == 0
    assert "Traceback" not in post.process.log_path.read_text()


async def _is_answered(post: Inbox, body: bytes) -> None:
    response = await post.send(signed(f"msg_{uuid4()}", body), body)
    assert response.status_code in (200, 400), response.text
