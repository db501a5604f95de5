"""What an operation is measured against: that a cache really answers, and whose CPU counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.bench import sides
from tests.bench.scenarios import Request, Scenario
from tests.bench.sides import Side
from tests.bench.targets import until_kept

_ANY = Request("{ product { id } }", {})


def _scenario(*requests: Request, pattern: str | None = None) -> Scenario:
    return Scenario("a read", list(requests), None if pattern else lambda _request, _data: True, pattern)


@asynccontextmanager
async def _gateway(*answers: tuple[bytes, bytes]) -> AsyncIterator[str]:
    """Answers each request with the next of the headers and bodies, a connection each."""
    left = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        header, body = next(left)
        length = str(len(body)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\n" + header + b"Connection: close\r\nContent-Length: " + length)
        writer.write(b"\r\n\r\n" + body)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/graphql"
    assert next(left, None) is None


async def test_until_kept() -> None:
    """An answer without an entity tag was made anew: it is asked for again until it comes out of the cache."""
    async with _gateway((b"", b"right"), (b"", b"right"), (b'ETag: "1"\r\n', b"right")) as url:
        await until_kept(url, _scenario(_ANY), ["right"])


async def test_a_cache_that_answers_otherwise() -> None:
    """Bytes out of the cache that are not those made without it end the benchmark."""
    async with _gateway((b'ETag: "1"\r\n', b"wrong")) as url:
        with pytest.raises(RuntimeError, match="a read: the cache answers otherwise: wrong"):
            await until_kept(url, _scenario(_ANY), ["right"])


def test_what_a_cache_may_answer() -> None:
    """A cache may answer reads without a token: no read of somebody's own, and no write."""
    assert _scenario(_ANY).may_be_kept
    assert not _scenario(_ANY, Request("{ accounts { id } }", {}, "a token")).may_be_kept
    assert not _scenario(_ANY, pattern=".").may_be_kept


def test_whose_time_counts() -> None:
    """A gateway's request takes the time of all parts but the gateway beside it."""
    urls = {sides.GATEWAY: "http://one", sides.OFF: "http://other"}
    parts = {"postgres": 1, "order": 2, sides.GATEWAY: 3, sides.OFF: 4}
    side = Side("after", urls, parts, frozenset({"postgres"}), ("", ""))
    assert side.has_cache
    assert side.behind(sides.GATEWAY) == {"postgres": 1, "order": 2, sides.GATEWAY: 3}
    assert side.behind(sides.OFF) == {"postgres": 1, "order": 2, sides.OFF: 4}
