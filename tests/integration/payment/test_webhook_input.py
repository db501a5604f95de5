"""Bad input at the webhook's address of a real process on a real database: refused, counted, and nothing written."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from local.datastores import Datastores
from tests.integration.payment.inbox import BODY, OLDER, PATH, TOLERANCE, Inbox, inbox, signed

STRANGER = "whsec_" + "Wldr" * 8
# How far from the edge of the tolerance the clocks are set: more than a request takes on a busy machine.
MARGIN = 20
TOO_LARGE = b"{" + b" " * 256 * 1024
STATUS = {"unsigned": 401, "wrongly_signed": 401, "stale": 400, "malformed": 400, "too_large": 413}


@pytest.fixture(scope="module")
async def post(datastores: Datastores) -> AsyncIterator[Inbox]:
    """A payment process for the tests of this file."""
    # It takes leave for so long that somebody who asks at any pace is answered in between.
    async with inbox(datastores, LEAVE_SECONDS="5") as running:
        yield running


def refused(response: httpx.Response, status: int) -> None:
    """Asserts that the answer is an error in JSON, without a stack trace."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    assert "Traceback" not in response.text


@pytest.mark.parametrize(
    ("headers", "body", "outcome"),
    [
        pytest.param({}, BODY, "unsigned", id="unsigned"),
        pytest.param({"webhook-signature": ""}, BODY, "unsigned", id="id missing"),
        pytest.param({"webhook-timestamp": "9" * 30}, BODY, "unsigned", id="time out of range"),
        pytest.param({"webhook-signature": "v1,AAAA"}, BODY, "wrongly_signed", id="signature of another length"),
        pytest.param({"webhook-signature": "v1a,x v2,y"}, BODY, "wrongly_signed", id="other schemes only"),
        pytest.param({}, TOO_LARGE, "too_large", id="oversized"),
    ],
)
async def test_bad_signatures(post: Inbox, headers: Mapping[str, str], body: bytes, outcome: str) -> None:
    """Unsigned, wrongly signed and oversized ones are refused, counted, and leave the database as it was."""
    before, written = await post.counted(outcome), await post.written()
    given = {**signed("msg_bad", body), **headers} if headers else {}
    refused(await post.send(given, body), STATUS[outcome])
    assert await post.counted(outcome) == before + 1
    assert await post.written() == written


@pytest.mark.parametrize(
    ("body", "secrets", "seconds", "outcome"),
    [
        pytest.param(BODY, [STRANGER], 0, "wrongly_signed", id="a stranger's secret"),
        pytest.param(BODY, [OLDER], -TOLERANCE - MARGIN, "stale", id="too old"),
        pytest.param(BODY, [OLDER], TOLERANCE + MARGIN, "stale", id="from the future"),
        pytest.param(b"", [OLDER], 0, "malformed", id="empty"),
        pytest.param(b'{"type":"payment.succeeded"', [OLDER], 0, "malformed", id="half of a JSON"),
        pytest.param(b"[" * 200_000, [OLDER], 0, "malformed", id="deep"),
        pytest.param(
            b'{"type":"payment.succeeded","timestamp":"2026-11-23T12:00:00Z","data":{}}',
            [OLDER],
            0,
            "malformed",
            id="a known type without what it must have",
        ),
        pytest.param(
            b'{"type":"a\\u0000b","timestamp":"2026-11-23T12:00:00Z"}', [OLDER], 0, "malformed", id="text with NUL"
        ),
    ],
)
async def test_signed_and_still_wrong(post: Inbox, body: bytes, secrets: list[str], seconds: int, outcome: str) -> None:
    """Whoever signs it: stale ones, and ones that cannot be understood, are refused, counted, and not written down."""
    before, written = await post.counted(outcome), await post.written()
    refused(await post.send(signed("msg_wrong", body, secrets=secrets, seconds=seconds), body), STATUS[outcome])
    assert await post.counted(outcome) == before + 1
    assert await post.written() == written


@pytest.mark.parametrize("seconds", [-TOLERANCE + MARGIN, TOLERANCE - MARGIN])
async def test_a_clock_within_the_tolerance(post: Inbox, seconds: int) -> None:
    """A sender whose clock is off by less than the tolerance is heard."""
    response = await post.send(signed(f"msg_skewed_{seconds}", seconds=seconds))
    assert (response.status_code, response.json()) == (200, {"outcome": "ignored"})


@pytest.mark.parametrize("secrets", [[OLDER], [STRANGER, OLDER]], ids=["the older alone", "with one of the next"])
async def test_secrets_are_rotated_without_a_gap(post: Inbox, secrets: list[str]) -> None:
    """While both sides change, one secret in common is enough."""
    assert (await post.send(signed(f"msg_rotated_{len(secrets)}", secrets=secrets))).status_code == 200


async def test_an_unknown_type_is_recorded_once(post: Inbox) -> None:
    """What concerns nothing is answered 2xx and written down; fifty replays at once write nothing."""
    headers = signed("msg_replayed")
    assert (await post.send(headers)).json() == {"outcome": "ignored"}
    before, written = await post.counted("duplicate"), await post.written()
    answers = await asyncio.gather(*(post.send(headers) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["outcome"] for answer in answers} == {"duplicate"}
    assert await post.counted("duplicate") == before + 50
    assert await post.written() == written
    assert await post.outcomes("msg_replayed") == ["ignored"]


async def test_a_replay_with_another_body(post: Inbox) -> None:
    """Someone who keeps the headers of a delivery can send nothing else with them."""
    headers = signed("msg_kept")
    await post.send(headers)
    written = await post.written()
    refused(await post.send(headers, BODY.replace(b"waved", b"moved")), 401)
    assert await post.written() == written


def request(headers: Mapping[str, str], *more: str) -> bytes:
    """A request's head, as it is on the wire."""
    lines = [f"POST {PATH} HTTP/1.1", "Host: payment", *(f"{name}: {value}" for name, value in headers.items()), *more]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_a_connection_that_ends_inside_the_body(post: Inbox) -> None:
    """Half a body, rightly signed as a whole, writes nothing, whether its sender waits for an answer or not."""
    head, written = request(signed("msg_half"), f"Content-Length: {len(BODY)}"), await post.written()
    answer = await post.raw(head, BODY[:20])
    assert not answer or answer.startswith(b"HTTP/1.1 400")
    assert await post.outcomes("msg_half") == []
    assert await post.written() == written


async def test_a_body_that_stops_coming(post: Inbox) -> None:
    """Who falls silent inside the body is told 408 in time and loses the connection; others are served meanwhile."""
    before = await post.counted("unfinished")
    head = request(signed("msg_slow"), f"Content-Length: {len(BODY)}")
    silent = asyncio.create_task(post.raw(head, BODY[:20], end=False))
    assert (await post.send(signed("msg_beside_slow"))).status_code == 200
    assert not silent.done()
    assert (await silent).startswith(b"HTTP/1.1 408")
    assert await post.counted("unfinished") == before + 1
    assert await post.outcomes("msg_slow") == []


async def test_a_length_that_was_not_said_is_counted(post: Inbox) -> None:
    """An endless body in chunks is answered 413 where it passes the limit, and writes nothing."""
    before = await post.counted("too_large")
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    answer = await post.raw(request(signed("msg_endless"), "Transfer-Encoding: chunked"), *[chunk] * 20)
    assert answer.startswith(b"HTTP/1.1 413")
    assert await post.counted("too_large") == before + 1


async def test_a_length_that_is_said_is_believed_when_it_is_too_large(post: Inbox) -> None:
    """Nothing of such a body has to come first."""
    answer = await post.raw(request({}, "Content-Length: 999999999"), end=False)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"POST\r\n\r\n", id="half a line"),
        pytest.param(request({}, "Content-Length: -1"), id="a negative length"),
        pytest.param(request({}, "Content-Length: 5", "Content-Length: 6") + b"123456", id="two lengths"),
        pytest.param(request({}, "Transfer-Encoding: chunked") + b"zz\r\n", id="chunks of no length"),
        pytest.param(
            request({}, "Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n", id="length and chunks"
        ),
        pytest.param(request({f"x-{number}": "y" * 100 for number in range(2_000)}), id="too many headers"),
        pytest.param(b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", id="a long path"),
        pytest.param(b"POST /webhook/%ff%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", id="no text in a path"),
    ],
)
async def test_what_is_no_http(post: Inbox, wire: bytes) -> None:
    """Whatever is written to the port is refused or ends the connection; the next webhook is served."""
    written = await post.written()
    answer = await post.raw(wire)
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert await post.written() == written
    assert (await post.http.get("/healthz")).status_code == 200


async def test_without_the_database_it_comes_again(post: Inbox, datastores: Datastores) -> None:
    """While PostgreSQL is away webhooks get 503 and a time to come back, forged ones 401; what is repeated is taken."""
    headers = signed("msg_away")
    await datastores.postgres.kill()
    try:
        before = await post.counted("unavailable")
        response = await post.send(headers)
        refused(response, 503)
        assert int(response.headers["retry-after"]) > 0
        assert await post.counted("unavailable") == before + 1
        refused(await post.send(signed("msg_away", secrets=[STRANGER])), 401)
        assert (await post.http.get("/healthz")).status_code == 200
        ready = await _readiness(post, 503)
        assert ready["missing"] == ["PostgreSQL"]
    finally:
        await datastores.postgres.start()
    await _readiness(post, 200)
    assert (await post.send(headers)).json() == {"outcome": "ignored"}
    assert await post.outcomes("msg_away") == ["ignored"]


async def _readiness(post: Inbox, status: int) -> dict[str, list[str]]:
    """What /readyz says once it has that status; its answer is a second old at most."""
    async with asyncio.timeout(30):
        while True:
            response = await post.http.get("/readyz")
            if response.status_code == status:
                answer: dict[str, list[str]] = response.json()
                return answer
            await asyncio.sleep(0.1)


async def test_it_leaves_without_losing_a_webhook(post: Inbox) -> None:
    """Told to stop, it says so at /readyz, closes connections, and answers whoever still comes until it is gone."""
    stopping = asyncio.create_task(post.process.stop())
    answer = await _readiness(post, 503)
    assert answer["missing"] == []
    response = await post.send(signed("msg_last"))
    assert (response.status_code, response.headers["connection"]) == (200, "close")
    await stopping
    assert await post.outcomes("msg_last") == ["ignored"]
    await post.process.start()
