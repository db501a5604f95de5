"""The open loop, against a real server on a socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.bench.arrivals import Arrivals, Call, post

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"


class Server:
    """Answers each request with the same bytes, once it is let to; counts requests and connections."""

    def __init__(self, answer: bytes = _OK) -> None:
        self.answer = answer
        self.connections = 0
        self.bodies: list[bytes] = []
        self.let = asyncio.Event()
        self.let.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await self._head(reader):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            self.bodies.append(await reader.readexactly(length))
            await self.let.wait()
            writer.write(self.answer)
        writer.close()

    @staticmethod
    async def _head(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return b""


@asynccontextmanager
async def _served(server: Server) -> AsyncIterator[int]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def _draw(port: int, right: Callable[[bytes], bool] = lambda body: body == b"fine") -> Callable[[], Call]:
    call = Call(post("127.0.0.1", port, b"{}", "a token"), right)
    return lambda: call


async def test_right_answers() -> None:
    """Every call that was due is sent and answered, over connections that are kept."""
    server = Server()
    async with _served(server) as port, Arrivals("127.0.0.1", port, connections=4) as arrivals:
        found = await arrivals.offer(400, 0.5, _draw(port))
    assert found.due == len(found.seconds) + found.refused
    assert len(found.seconds) == len(server.bodies) > 50
    assert (found.wrong, found.failed) == (0, 0)
    assert server.connections <= 4
    assert set(server.bodies) == {b"{}"}


async def test_same_arrivals_at_every_run() -> None:
    """A seed decides how many calls come in a time."""
    async with _served(Server()) as port, Arrivals("127.0.0.1", port) as arrivals:
        first, again = [await arrivals.offer(300, 0.3, _draw(port), seed=5) for _ in range(2)]
    assert first.due == again.due > 0


async def test_bounded() -> None:
    """While every connection waits for its answer, what is due is counted as refused and not sent."""
    server = Server()
    server.let.clear()
    async with _served(server) as port, Arrivals("127.0.0.1", port, connections=2, timeout=30) as arrivals:
        offering = asyncio.create_task(arrivals.offer(500, 0.2, _draw(port)))
        done, _ = await asyncio.wait({offering}, timeout=0.5)
        assert not done
        assert len(server.bodies) == 2
        server.let.set()
        found = await offering
    assert len(found.seconds) == 2
    assert found.refused == found.due - 2 > 0


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", "wrong"),
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nfine", "wrong"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "failed"),
    ],
)
async def test_wrong_and_failed(answer: bytes, counted: str) -> None:
    """Another body and another status are wrong, an answer that does not say where it ends failed: none counts."""
    async with _served(Server(answer)) as port, Arrivals("127.0.0.1", port) as arrivals:
        found = await arrivals.offer(200, 0.2, _draw(port))
    assert getattr(found, counted) == found.due > 0
    assert not found.seconds


async def test_old_connections() -> None:
    """A connection that nobody used for long is not used again: the server may close it at that very moment."""
    server = Server()
    async with _served(server) as port, Arrivals("127.0.0.1", port, fresh=0) as arrivals:
        found = await arrivals.offer(200, 0.2, _draw(port))
    assert server.connections == found.due == len(found.seconds) > 0


async def test_nobody_there() -> None:
    """A refused connection is a failed call, and the load goes on."""
    async with _served(Server()) as port:
        pass
    async with Arrivals("127.0.0.1", port) as arrivals:
        found = await arrivals.offer(100, 0.2, _draw(port))
    assert found.failed == found.due > 0


async def test_no_answer() -> None:
    """An answer that does not come is given up after the timeout."""
    server = Server()
    server.let.clear()
    async with _served(server) as port:
        async with Arrivals("127.0.0.1", port, timeout=0.05) as arrivals:
            found = await arrivals.offer(100, 0.2, _draw(port))
        server.let.set()
    assert found.failed == found.due > 0
