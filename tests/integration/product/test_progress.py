"""How far changes have come, asked of the real database, Kafka and Elasticsearch."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from local.datastores import Datastores
from services import outbox
from services.consumer import Consumer
from services.database import Database
from services.errors import UnavailableError
from services.events import Event
from services.product.index import ElasticsearchIndex
from services.product.progress import CommittedOffsets, Progress, State
from tests.integration import kafka

NewDatabase = Callable[[str], Awaitable[str]]
INSERT = sa.text(
    "INSERT INTO outbox (topic, key, headers, value, created_at, refusal)"
    " VALUES ('t', 'k', '{}', '', now() - make_interval(secs => :age), :refusal)"
)


@dataclass(frozen=True)
class Place:
    """A database with an outbox, a topic, and the index."""

    database: Database
    datastores: Datastores
    topic: str
    index: ElasticsearchIndex
    committed: CommittedOffsets

    async def wait(self, *, age: float, refusal: str | None = None) -> None:
        """An event that waits for so many seconds, or that was refused."""
        async with self.database.transaction() as session:
            await (await session.connection()).execute(INSERT, {"age": age, "refusal": refusal})

    def progress(self, committed: Callable[[], Awaitable[Mapping[int, int]]] | None = None) -> Progress:
        return Progress(self.database, self.index, committed or self.committed)


@pytest.fixture
async def place(datastores: Datastores, new_database: NewDatabase) -> AsyncIterator[Place]:
    """Nothing has happened yet."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(await new_database("progress")))
        async with database.transaction() as session:
            connection = await session.connection()
            await connection.run_sync(outbox.OutboxRecord.__table__.create)  # type: ignore[attr-defined] # a table class
        topic = await kafka.new_topic(datastores.kafka.bootstrap_servers)
        index = ElasticsearchIndex([datastores.elasticsearch.url])
        stack.push_async_callback(index.close)
        committed = CommittedOffsets(datastores.kafka.bootstrap_servers, f"group-{topic}", topic)
        stack.push_async_callback(committed.close)
        yield Place(database, datastores, topic, index, committed)


async def test_events_that_wait_are_told_of(place: Place) -> None:
    """What waits for no longer than the relay may take is no backlog, what waits longer is one, and is one no more."""
    progress = place.progress()
    await place.wait(age=0)
    assert not (await progress.state()).backlogged
    await place.wait(age=1)
    assert (await progress.state()).backlogged
    async with place.database.transaction() as session:
        await (await session.connection()).execute(sa.text("DELETE FROM outbox"))
    assert not (await progress.state()).backlogged
    await progress.close()


async def test_each_refusal_is_told_apart(place: Place) -> None:
    """Events that Kafka refused for good wait for nothing; each further one gives the set another name."""
    progress = place.progress()
    names = [(await progress.state()).refused]
    for _ in range(3):
        await place.wait(age=60, refusal="too large")
        state = await progress.state()
        assert not state.backlogged
        names.append(state.refused)
    assert names[0] == ""
    assert len(set(names)) == 4
    await place.wait(age=60)
    assert (await progress.state()).refused == ""
    await progress.close()


async def test_what_the_group_has_handled(place: Place) -> None:
    """Offsets are those that the group has committed, by partition; none before it has handled anything."""
    assert await place.committed() == {}

    async def handle(_: object) -> None:
        return None

    events: list[Event] = [kafka.new_event(place.topic, f"key-{n}", 1) for n in range(20)]
    servers = place.datastores.kafka.bootstrap_servers
    await kafka.send(servers, [kafka.outgoing(event) for event in events])
    consumer = Consumer(servers, f"group-{place.topic}", [place.topic], handle)
    handled = 0
    while handled < len(events):
        handled += await consumer.run_once()
    await consumer.close()
    offsets = await place.committed()
    assert sum(offsets.values()) == len(events)
    progress = place.progress()
    assert (await progress.state()).indexed in ({}, offsets)
    await progress.close()


async def test_the_index_in_use(place: Place) -> None:
    """The index is told by name, and as incomplete until its maker has finished."""
    for name in await place.index.indices():
        await place.index.drop(name)
    found: list[State] = []

    async def look() -> None:
        progress = place.progress()
        found.append(await progress.state())
        await progress.close()

    index = await place.index.create()
    await look()
    await place.index.promote(index)
    await look()
    await place.index.finish(index)
    await look()
    await place.index.drop(index)
    assert [(state.index, state.index_complete) for state in found] == [("", False), (index, False), (index, True)]


async def test_parts_that_are_away_are_unknown(place: Place) -> None:
    """Without Kafka and with a slow cluster the rest is told all the same; without the database nothing is."""

    async def away() -> Mapping[int, int]:
        raise UnavailableError("Kafka does not answer now.")

    progress = place.progress(away)
    state = await progress.state()
    assert (state.backlogged, state.indexed) == (False, {})
    await progress.close()
    nowhere = Database("postgresql://u:p@127.0.0.1:9/d")
    progress = Progress(nowhere, place.index, place.committed)
    with pytest.raises(UnavailableError):
        await progress.state()
    await progress.close()
    await nowhere.close()
