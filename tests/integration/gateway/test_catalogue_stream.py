"""Listening to changes of the catalogue on a real Kafka; what the product service says is up to each test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from betterproto2 import Message

from local.datastores import Datastores
from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services.errors import UnavailableError
from services.events import new_event
from services.gateway.catalogue_stream import VOUCHED_SECONDS, CatalogueStream
from services.publisher import Outgoing
from tests.integration import kafka

# What the listener is told: (what, of which product).
Told = list[tuple[str, str]]
PARTITIONS = 3
EVERYTHING = ("everything", "")


class Listener:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: Told = []

    def product_changed(self, product_id: str) -> None:
        self.told.append(("product", product_id))

    def membership_changed(self, product_id: str) -> None:
        self.told.append(("membership", product_id))

    def everything_changed(self) -> None:
        self.told.append(EVERYTHING)

    def take(self) -> Told:
        """What was told since the last time."""
        told, self.told = self.told, []
        return told


class Catalogue:
    """The product service: complete, and nothing waits, until a test says otherwise."""

    def __init__(self) -> None:
        self.known: product_v1.GetCatalogueStateResponse | None = product_v1.GetCatalogueStateResponse(
            index="products-1", index_complete=True
        )

    async def state(self) -> product_v1.GetCatalogueStateResponse:
        if self.known is None:
            raise UnavailableError("ProductService does not answer now.")
        return self.known


class Hall:
    """A stream on a topic of its own, with everything around it."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.topic = topic
        self.catalogue = Catalogue()
        self.listener = Listener()
        self.now = 0.0
        self.stream = CatalogueStream(bootstrap_servers, self.catalogue, topic=topic, clock=lambda: self.now)
        self.stream.tell(self.listener)

    async def send(self, *messages: Message, key: str = "p1") -> None:
        made = [
            new_event(self.topic, key, message, "/test", lambda: datetime.now(UTC), lambda: str(uuid4()))
            for message in messages
        ]
        await kafka.send(self.bootstrap_servers, [kafka.outgoing(event) for event in made])


@pytest.fixture
async def hall(datastores: Datastores) -> AsyncIterator[Hall]:
    """Live: one round is done."""
    bootstrap_servers = datastores.kafka.bootstrap_servers
    hall = Hall(bootstrap_servers, await kafka.new_topic(bootstrap_servers, PARTITIONS))
    assert not hall.stream.serving()
    assert await hall.stream.run_once()
    assert hall.stream.serving()
    hall.listener.take()
    yield hall
    await hall.stream._leave()


@asynccontextmanager
async def running(stream: CatalogueStream) -> AsyncIterator[None]:
    """Runs the loop."""
    stop = asyncio.Event()
    task = asyncio.create_task(stream.run(stop))
    yield
    stop.set()
    await task


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(kafka.PATIENCE):
        while not holds():  # noqa: ASYNC110 there is no event for what Kafka does
            await asyncio.sleep(0.02)


def created(product_id: str) -> Message:
    return events_v1.ProductCreated(product=events_v1.ProductSnapshot(id=product_id, version=1))


def updated(product_id: str) -> Message:
    return events_v1.ProductUpdated(product=events_v1.ProductSnapshot(id=product_id, version=2))


def deleted(product_id: str) -> Message:
    return events_v1.ProductDeleted(id=product_id, version=3)


async def test_each_event_is_told_before_the_round_vouches(hall: Hall) -> None:
    """All events that Kafka has when a round begins are told by its end, in order, each for what it is."""
    await hall.send(created("p1"), updated("p1"), deleted("p1"))
    await hall.send(*[updated("p2")] * 700, key="p2")
    await hall.send(events_v1.ProductRetrieved(product_id="p3"), key="p3")
    assert await hall.stream.run_once()
    told = hall.listener.take()
    of_first = [each for each in told if each[1] == "p1"]
    assert of_first == [("membership", "p1"), ("product", "p1"), ("membership", "p1")]
    assert told.count(("product", "p2")) == 700
    assert told.count(EVERYTHING) == 1


async def test_what_cannot_be_read_is_told_as_everything(hall: Hall) -> None:
    """A record that is no event may stand for any change."""
    await kafka.send(hall.bootstrap_servers, [Outgoing(hall.topic, b"p1", b"\xff", [("ce_type", b"nothing")])])
    assert await hall.stream.run_once()
    assert hall.listener.take() == [EVERYTHING]


async def test_vouching_ends_by_itself(hall: Hall) -> None:
    """A round is good for 0.7 s from its beginning, whatever happens afterwards."""
    hall.now += VOUCHED_SECONDS - 0.01
    assert hall.stream.serving()
    hall.now += 0.02
    assert not hall.stream.serving()
    assert await hall.stream.run_once()
    assert hall.stream.serving()
    assert hall.listener.take() == []


@pytest.mark.parametrize(
    "known", [product_v1.GetCatalogueStateResponse(backlogged=True, index="products-1", index_complete=True), None]
)
async def test_no_round_vouches_for_what_is_not_published(
    hall: Hall, known: product_v1.GetCatalogueStateResponse | None
) -> None:
    """While changes wait in the outbox, or nobody says whether they do, events are told and nothing is vouched for."""
    usual, hall.catalogue.known = hall.catalogue.known, known
    hall.now += VOUCHED_SECONDS
    await hall.send(updated("p1"))
    assert not await hall.stream.run_once()
    assert not hall.stream.serving()
    assert not hall.stream.index_is_current()
    assert hall.listener.take() == [("product", "p1")]
    hall.catalogue.known = usual
    assert await hall.stream.run_once()
    assert hall.stream.serving()
    # Every event between was heard, so nothing that is kept is in doubt.
    assert hall.listener.take() == []


@pytest.mark.parametrize("change", [{"refused": "ab"}, {"index": "products-2"}])
async def test_what_no_event_tells_of_is_told_as_everything(hall: Hall, change: dict[str, str]) -> None:
    """A change that Kafka refuses for good has no event, and another index may find other things."""
    known = {"index": "products-1", "index_complete": True} | change
    hall.catalogue.known = product_v1.GetCatalogueStateResponse(**known)  # type: ignore[arg-type] # texts and a truth
    assert await hall.stream.run_once()
    assert hall.listener.take() == [EVERYTHING]
    assert await hall.stream.run_once()
    assert hall.listener.take() == []


async def test_an_index_that_is_not_known_for_a_moment_changes_nothing(hall: Hall) -> None:
    """Searches are not kept meanwhile; those that were kept are still right."""
    hall.catalogue.known = product_v1.GetCatalogueStateResponse()
    assert await hall.stream.run_once()
    assert hall.stream.serving()
    assert not hall.stream.index_is_current()
    assert hall.listener.take() == []


async def test_the_index_is_current_when_it_has_what_was_heard(hall: Hall) -> None:
    """What the index's keeper has committed is compared with what this process has heard, by partition."""
    assert hall.stream.index_is_current()
    await hall.send(*[updated("p1")] * 3)
    assert await hall.stream.run_once()
    assert not hall.stream.index_is_current()
    positions = hall.stream._positions
    (partition,) = (each for each, position in positions.items() if position)
    for next_offset, current in ((2, False), (3, True), (4, True)):
        indexed = [product_v1.IndexedPartition(partition=partition, next_offset=next_offset)]
        hall.catalogue.known = product_v1.GetCatalogueStateResponse(
            indexed=indexed, index="products-1", index_complete=True
        )
        assert await hall.stream.run_once()
        assert hall.stream.index_is_current() is current
    assert hall.catalogue.known is not None
    hall.catalogue.known.index_complete = False
    assert await hall.stream.run_once()
    assert not hall.stream.index_is_current()


async def test_what_was_there_before_is_not_told(datastores: Datastores) -> None:
    """A process that starts hears of what happens from now on, and says once that it knows nothing of before."""
    bootstrap_servers = datastores.kafka.bootstrap_servers
    hall = Hall(bootstrap_servers, await kafka.new_topic(bootstrap_servers, PARTITIONS))
    await hall.send(*[updated("p1")] * 10)
    assert await hall.stream.run_once()
    assert EVERYTHING in hall.listener.told
    assert set(hall.listener.take()) == {EVERYTHING}
    await hall.send(updated("p2"))
    assert await hall.stream.run_once()
    assert hall.listener.take() == [("product", "p2")]
    await hall.stream._leave()


async def test_a_new_partition_is_noticed(hall: Hall) -> None:
    """Events on a partition that was added are heard, and nothing from before it is trusted."""
    hall.stream._clock = asyncio.get_running_loop().time
    async with running(hall.stream):
        admin = AIOKafkaAdminClient(bootstrap_servers=hall.bootstrap_servers)
        await admin.start()
        await admin.create_partitions({hall.topic: NewPartitions(PARTITIONS + 1)})
        await admin.close()
        await eventually(lambda: len(hall.stream._positions) == PARTITIONS + 1)
        await eventually(hall.stream.serving)
        assert EVERYTHING in hall.listener.take()


async def test_kafka_away_and_back(hall: Hall, datastores: Datastores) -> None:
    """Without Kafka nothing is vouched for; when it is back everything counts as changed, and then it goes on."""
    hall.stream._clock = asyncio.get_running_loop().time
    async with running(hall.stream):
        await eventually(hall.stream.serving)
        hall.listener.take()
        await datastores.kafka.kill()
        await eventually(lambda: not hall.stream.serving())
        await datastores.kafka.start()
        await eventually(hall.stream.serving)
        assert EVERYTHING in hall.listener.take()
        await hall.send(updated("p1"))
        await eventually(lambda: ("product", "p1") in hall.listener.told)


async def test_a_frozen_kafka_is_noticed(hall: Hall, datastores: Datastores) -> None:
    """A broker that keeps its connections and answers nothing is not taken for one without news."""
    hall.stream._clock = asyncio.get_running_loop().time
    async with running(hall.stream):
        await eventually(hall.stream.serving)
        datastores.kafka.pause()
        try:
            await eventually(lambda: not hall.stream.serving())
        finally:
            datastores.kafka.resume()
        await eventually(hall.stream.serving)
