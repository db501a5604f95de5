"""The outbox on real PostgreSQL and Kafka: what is committed arrives, in order by key, whatever dies in between."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from local.datastores import Datastores
from services import outbox
from services.database import Database
from services.errors import UnavailableError
from services.events import Event
from services.outbox import Relay
from services.publisher import Publisher
from tests.integration.kafka import PATIENCE, count, new_event, new_topic, outgoing, read, versions_by_key

NewDatabase = Callable[[str], Awaitable[str]]


@pytest.fixture
async def url(new_database: NewDatabase) -> str:
    """The address of a database with an outbox."""
    return await new_database("outbox")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database with an empty outbox, and a table whose rows are counted up."""
    database = Database(url, application_name="test")
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(lambda sync: outbox.create_table(Operations(MigrationContext.configure(sync))))
        await connection.execute(sa.text("CREATE TABLE counters (key TEXT PRIMARY KEY, version INT NOT NULL)"))
    yield database
    await database.close()


@pytest.fixture
async def new_relay(datastores: Datastores, url: str) -> AsyncIterator[Callable[[], Relay]]:
    """Makes a relay as a replica of the service would have it, with a pool of its own."""
    async with contextlib.AsyncExitStack() as closing:

        def make() -> Relay:
            database = Database(url, application_name="test")
            publisher = Publisher(datastores.kafka.bootstrap_servers, client_id="test")
            closing.push_async_callback(database.close)
            closing.push_async_callback(publisher.close)
            return Relay(database, publisher)

        yield make


@contextlib.asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[None]:
    """Runs the relays beside the block, and stops them gracefully."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(relay.run(stop)) for relay in relays]
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)


async def stage(database: Database, *events: Event) -> None:
    async with database.transaction() as session:
        await outbox.stage(session, *events)


async def count_up(database: Database, topic: str, key: str) -> None:
    """Changes a row and tells of it, as a store does."""
    async with database.transaction() as session:
        connection = await session.connection()
        statement = sa.text(
            "INSERT INTO counters VALUES (:key, 1)"
            " ON CONFLICT (key) DO UPDATE SET version = counters.version + 1 RETURNING version"
        )
        version = (await connection.execute(statement, {"key": key})).scalar_one()
        await outbox.stage(session, new_event(topic, key, version))


async def waiting(database: Database) -> int:
    """How many events Kafka may still take."""
    async with database.session() as session:
        connection = await session.connection()
        count = sa.text("SELECT count(*) FROM outbox WHERE refusal IS NULL")
        return int((await connection.execute(count)).scalar_one())


async def settled(database: Database) -> None:
    """Waits until the relay at work has Kafka's answer to every event: its records can be read a moment before that."""
    async with asyncio.timeout(PATIENCE):
        while await waiting(database):  # noqa: ASYNC110 a row tells nobody that it goes
            await asyncio.sleep(0.02)


async def test_publishes_what_is_committed_and_nothing_else(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay]
) -> None:
    """An event of a transaction that is rolled back never existed; one that is committed arrives as it was staged."""
    topic = await new_topic(datastores.kafka.bootstrap_servers)
    event = new_event(topic, "one", 1)
    with contextlib.suppress(ZeroDivisionError):
        async with database.transaction() as session:
            await outbox.stage(session, new_event(topic, "one", 0))
            raise ZeroDivisionError
    await stage(database, event)
    assert await new_relay().run_once() == 1
    (record,) = await read(datastores.kafka.bootstrap_servers, topic, 1)
    sent = outgoing(event)
    assert (record.key, record.value, dict(record.headers)) == (sent.key, sent.value, dict(sent.headers))
    assert await waiting(database) == 0


async def test_keeps_the_order_of_each_key_under_concurrent_writers(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay]
) -> None:
    """Writers that change the same rows at once have their events published in the order of the changes."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    relay = new_relay()

    async def write(key: str) -> None:
        await count_up(database, topic, key)
        relay.wake()

    async with running(relay):
        await asyncio.gather(*(write(f"key-{number % 4}") for number in range(400)))
        records = await read(servers, topic, 400)
    assert versions_by_key(records) == {f"key-{number}": list(range(1, 101)) for number in range(4)}


async def test_an_event_is_on_kafka_right_after_its_commit(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A woken relay waits for no poll: the quickest of 20 events takes less than 100 ms to be acknowledged."""
    monkeypatch.setattr(outbox, "POLL_SECONDS", 3600.0)
    topic = await new_topic(datastores.kafka.bootstrap_servers)
    relay = new_relay()
    durations = []
    async with running(relay):
        for version in range(20):
            await stage(database, new_event(topic, "one", version))
            began = time.perf_counter()
            relay.wake()
            while await waiting(database):
                pass
            durations.append(time.perf_counter() - began)
    assert min(durations) < 0.1


async def test_kafka_away_for_a_while_costs_nothing(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay]
) -> None:
    """What is committed while Kafka is frozen, and then dead, arrives when it is back, once and in order by key."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    async with running(new_relay()):
        await count_up(database, topic, "key-0")
        await settled(database)
        datastores.kafka.pause()
        for number in range(30):
            await count_up(database, topic, f"key-{number % 3}")
        datastores.kafka.resume()
        await settled(database)
        await datastores.kafka.kill()
        for number in range(30):
            await count_up(database, topic, f"key-{number % 3}")
        await datastores.kafka.start()
        records = await read(servers, topic, 61)
    assert versions_by_key(records) == {
        "key-0": list(range(1, 22)),
        "key-1": list(range(1, 21)),
        "key-2": list(range(1, 21)),
    }


async def test_a_backlog_larger_than_a_batch_is_published_and_measured(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay]
) -> None:
    """1,200 waiting events are counted, published in order, and gone."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await stage(database, *(new_event(topic, "one", version) for version in range(1200)))
    relay = new_relay()
    assert await relay.run_once() == outbox.BATCH
    assert outbox.waiting_events._value.get() == 1200
    assert 0 < outbox.oldest_event_seconds._value.get() < 60
    async with running(relay):
        assert versions_by_key(await read(servers, topic, 1200)) == {"one": list(range(1200))}
        await settled(database)


async def test_a_process_killed_after_the_commit_loses_nothing(
    datastores: Datastores, database: Database, url: str, new_relay: Callable[[], Relay]
) -> None:
    """Killed before anything was published, the process leaves its events to the next relay."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    datastores.kafka.pause()
    try:
        process = await start_miniature(url, servers, topic, 30)
        assert await committed(process, 30) == 30
        process.kill()
        await process.wait()
        assert await waiting(database) == 30
    finally:
        datastores.kafka.resume()
    assert await count(servers, topic) == 0
    async with running(new_relay()):
        records = await read(servers, topic, 30)
    assert versions_by_key(records) == {f"key-{n}": list(range(n, 30, 3)) for n in range(3)}


async def test_a_process_killed_while_publishing_loses_nothing_and_another_takes_over(
    datastores: Datastores, database: Database, url: str, new_relay: Callable[[], Relay]
) -> None:
    """Killed in the middle of it, the process is followed by the relay that stood by; each event arrives, in order."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    process = await start_miniature(url, servers, topic, 1000)
    assert await committed(process, 50) == 50
    async with running(new_relay()):
        seen = 50 + await committed(process, 100)
        process.kill()
        seen += await committed(process, 1000)
        await process.wait()
        await settled(database)
        records = await read(servers, topic, lambda found: len({record.value for record in found}) >= seen)
    first_times = {key: list(dict.fromkeys(versions)) for key, versions in versions_by_key(records).items()}
    for number in range(3):
        versions = first_times[f"key-{number}"]
        assert versions == list(range(number, versions[-1] + 1, 3))
    assert sum(map(len, first_times.values())) >= seen


async def start_miniature(url: str, servers: str, topic: str, events: int) -> asyncio.subprocess.Process:
    arguments = (url, servers, topic, str(events))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.outbox_process", *arguments, stdout=asyncio.subprocess.PIPE
    )


async def committed(process: asyncio.subprocess.Process, events: int) -> int:
    """Reads so many lines, or to the end; answers how many."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        for seen in range(events):
            if not (await process.stdout.readline()).endswith(b"\n"):
                return seen
    return events


async def test_two_relays_do_the_work_of_one(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay]
) -> None:
    """With two replicas at once nothing is published twice or out of order."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    relays = new_relay(), new_relay()
    async with running(*relays):
        for number in range(200):
            await count_up(database, topic, f"key-{number % 2}")
            relays[number % 2].wake()
        records = await read(servers, topic, 200)
    assert await count(servers, topic) == 200
    assert versions_by_key(records) == {f"key-{number}": list(range(1, 101)) for number in range(2)}


async def test_a_commit_of_any_replica_wakes_the_relay_at_work(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that stands by passes on that it was woken, so that nobody's event waits for the poll."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    monkeypatch.setattr(outbox, "POLL_SECONDS", 3600.0)
    at_work, standing_by = new_relay(), new_relay()
    async with running(at_work):
        await stage(database, new_event(topic, "one", 1))
        at_work.wake()
        await read(servers, topic, 1)
        async with running(standing_by):
            await stage(database, new_event(topic, "one", 2))
            standing_by.wake()
            await read(servers, topic, 2)


async def test_goes_on_when_postgresql_was_restarted(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay]
) -> None:
    """A relay whose database is killed and started again publishes what is committed afterwards."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    async with running(new_relay()):
        await stage(database, new_event(topic, "one", 1))
        await read(servers, topic, 1)
        await datastores.postgres.kill()
        with pytest.raises(UnavailableError):
            await stage(database, new_event(topic, "one", 2))
        await datastores.postgres.start()
        await stage(database, new_event(topic, "one", 3))
        records = await read(servers, topic, lambda found: len({record.value for record in found}) == 2)
    assert versions_by_key(records)["one"][-1] == 3


async def test_what_kafka_refuses_for_good_is_put_aside(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay]
) -> None:
    """An event too large for the client, and one too large for the topic, keep their reason; those around them go."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers, partitions=1, **{"max.message.bytes": "20000"})
    sizes = [0, 30_000, 0, 0, 2_000_000, 0]
    await stage(database, *(new_event(topic, "one", version, padding=size) for version, size in enumerate(sizes)))
    async with running(new_relay()):
        await settled(database)
        records = await read(servers, topic, 4)
    assert versions_by_key(records) == {"one": [0, 2, 3, 5]}
    async with database.session() as session:
        connection = await session.connection()
        refusals = (await connection.execute(sa.text("SELECT refusal FROM outbox ORDER BY id"))).scalars().all()
    assert len(refusals) == 2
    assert all("MessageSizeTooLargeError" in refusal for refusal in refusals)


async def test_stops_in_time_while_kafka_is_away(
    datastores: Datastores, database: Database, new_relay: Callable[[], Relay]
) -> None:
    """A relay in the middle of sending to a frozen Kafka ends within ten seconds, and its events stay."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    stop = asyncio.Event()
    task = asyncio.create_task(new_relay().run(stop))
    await stage(database, new_event(topic, "one", 1))
    await settled(database)
    datastores.kafka.pause()
    try:
        await stage(database, new_event(topic, "one", 2))
        stop.set()
        async with asyncio.timeout(10):
            await task
        assert await waiting(database) == 1
    finally:
        datastores.kafka.resume()


async def test_a_relay_without_kafka_says_so(database: Database) -> None:
    """`run_once` raises UnavailableError when Kafka does not take what waits; the event stays."""
    await stage(database, new_event("product_events", "one", 1))
    relay = Relay(database, Publisher("127.0.0.1:9", client_id="test", patience=1))
    with pytest.raises(UnavailableError):
        await relay.run_once()
    assert await waiting(database) == 1
