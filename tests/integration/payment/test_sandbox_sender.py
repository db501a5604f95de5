"""Claims about the built-in provider's deliveries, on a real database and a listener that answers as it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import insert, text

import services.payment
from services import migration
from services.database import Database
from services.payment import standard_webhooks
from services.payment.models import OrderPaymentRecord
from services.payment.providers.sandbox.models import SandboxDelivery
from services.payment.providers.sandbox.sender import GIVE_UP, LEASE, LONGEST_BACKOFF, Sender

MIGRATIONS: Final = Path(services.payment.__file__).with_name("migrations")
SECRETS: Final = ("whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8)
TOLERANCE: Final = timedelta(minutes=5)
BODY: Final = '{"type":"payment.created"}'
NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Listener:
    """Keeps what it is sent; answers the next status of `answers`, then 200."""

    answers: list[int] = field(default_factory=list)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head)}
                self.taken.append((headers, await reader.readexactly(int(headers["content-length"]))))
                status = self.answers.pop(0) if self.answers else 200
                writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()


async def waiting(database: Database) -> int:
    """Answers how many deliveries are still to go."""
    async with database.session() as session:
        counted = await (await session.connection()).execute(text("SELECT count(*) FROM sandbox_deliveries"))
        return int(counted.scalar_one())


@dataclass
class Post:
    """The provider's queue, its sender, and the clock that they go by."""

    database: Database
    listener: Listener
    url: str
    now: datetime = NOW

    def clock(self) -> datetime:
        return self.now

    @contextlib.asynccontextmanager
    async def sender(self, url: str = "") -> AsyncIterator[Sender]:
        made = Sender(self.database, url or self.url, SECRETS, self.clock)
        try:
            yield made
        finally:
            await made.close()

    async def queue(self, name: str, *, copies: int = 1, late: float = 0) -> None:
        row = {
            "id": name,
            "type": "payment.created",
            "body": BODY,
            "created_at": self.now,
            "due_at": self.now + timedelta(seconds=late),
            "copies_left": copies,
            "attempts": 0,
        }
        async with self.database.transaction() as session:
            await (await session.connection()).execute(insert(SandboxDelivery), row)

    def sent(self) -> list[str]:
        """Answers the ids of what arrived, each rightly signed at the moment of this try."""
        return [
            standard_webhooks.verify(SECRETS[:1], headers, body, self.now, timedelta(days=7))[0]
            for headers, body in self.listener.taken
        ]


@pytest.fixture(scope="module")
async def kept(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """A migrated database."""
    url = await new_database("sandbox")
    await asyncio.to_thread(migration.migrate, url, MIGRATIONS, OrderPaymentRecord.metadata)
    async with Database(url, pool_size=4, application_name="sandbox-sender") as opened:
        yield opened


@pytest.fixture
async def post(kept: Database) -> AsyncIterator[Post]:
    """An empty queue, and somebody who listens."""
    async with kept.transaction() as session:
        await (await session.connection()).execute(text("TRUNCATE sandbox_deliveries"))
    listener = Listener()
    server = await asyncio.start_server(listener, "127.0.0.1", 0)
    yield Post(kept, listener, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhook/payment")
    server.close()
    await server.wait_closed()


async def test_a_delivery_is_signed_and_sent_once(post: Post) -> None:
    """What is due arrives with its body as it is, signed by each secret, and leaves the queue."""
    await post.queue("msg_1")
    async with post.sender() as sender:
        assert (await sender.run_once(), await sender.run_once()) == (1, 0)
    ((headers, body),) = post.listener.taken
    assert body == BODY.encode()
    for secret in SECRETS:
        assert standard_webhooks.verify([secret], headers, body, post.now, TOLERANCE) == ("msg_1", post.now)
    assert await waiting(post.database) == 0


async def test_a_delivery_is_repeated_until_it_is_taken(post: Post) -> None:
    """One that is refused comes again under its id, with the time of the new try, and ends with the first 2xx."""
    post.listener.answers = [500, 401, 303]
    await post.queue("msg_1")
    async with post.sender() as sender:
        for _ in range(4):
            assert await sender.run_once() == 1
            post.now += timedelta(seconds=LONGEST_BACKOFF)
        assert await sender.run_once() == 0
    assert post.sent() == ["msg_1"] * 4
    assert len({headers["webhook-timestamp"] for headers, _ in post.listener.taken}) == 4


async def test_nobody_listens(post: Post) -> None:
    """A shop that is away is tried again, and one delivery that waits holds up no other."""
    await post.queue("msg_1")
    async with post.sender("http://127.0.0.1:9/webhook/payment") as sender:
        assert await sender.run_once() == 1
    await post.queue("msg_2")
    async with post.sender() as sender:
        assert await sender.run_once() == 1
        post.now += timedelta(seconds=LONGEST_BACKOFF)
        assert await sender.run_once() == 1
    assert post.sent() == ["msg_2", "msg_1"]


async def test_late_and_twice(post: Post) -> None:
    """One that is held back is not sent before its time, and one with two copies arrives twice under one id."""
    await post.queue("msg_1", copies=2, late=5)
    async with post.sender() as sender:
        assert await sender.run_once() == 0
        post.now += timedelta(seconds=5)
        assert (await sender.run_once(), await sender.run_once()) == (1, 0)
        post.now += timedelta(seconds=5)
        assert (await sender.run_once(), await sender.run_once()) == (1, 0)
    assert post.sent() == ["msg_1", "msg_1"]


async def test_two_senders_share_the_queue(post: Post) -> None:
    """Of two replicas at once, each delivery is sent by one."""
    names = [f"msg_{number:02}" for number in range(20)]
    for name in names:
        await post.queue(name)
    async with post.sender() as one, post.sender() as other:
        while sum(await asyncio.gather(one.run_once(), other.run_once())):
            pass
    assert sorted(post.sent()) == names


async def test_what_a_dead_sender_had_is_sent_by_another(post: Post) -> None:
    """A delivery whose sender ended in the middle is claimed again once its lease has ended, and not before."""
    await post.queue("msg_1")
    async with post.sender() as dead, post.sender() as other:
        await dead._claim()
        assert await other.run_once() == 0
        post.now += LEASE
        assert await other.run_once() == 1
    assert post.sent() == ["msg_1"]


async def test_a_delivery_is_given_up_after_days(post: Post) -> None:
    """What was refused for three days is tried no more."""
    await post.queue("msg_1")
    post.listener.answers = [503, 503]
    async with post.sender() as sender:
        await sender.run_once()
        assert await waiting(post.database) == 1
        post.now += GIVE_UP + timedelta(seconds=1)
        await sender.run_once()
    assert await waiting(post.database) == 0
