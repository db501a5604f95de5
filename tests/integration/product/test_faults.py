"""What must not lose, double or hide a product: each datastore away or frozen, the process killed, poison, replays."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from local.processes import Process
from protos.gen.ecommerce.events import v1 as events_v1
from services import events
from services.errors import UnavailableError
from services.events import Event
from services.publisher import Outgoing
from tests.factories.product import NOW, announcer, product
from tests.integration.product.conftest import Person, Shop, as_message
from tests.integration.product.topic import caught_up, dead_letters, events_about, send, send_back

# Seconds without Kafka. A minute shows nothing more than this does, and everyone who runs the tests waits for it.
OUTAGE = float(os.environ.get("PRODUCT_TEST_OUTAGE_SECONDS", "12"))


@asynccontextmanager
async def paused(process: Process) -> AsyncIterator[None]:
    process.pause()
    try:
        yield
    finally:
        process.resume()


@asynccontextmanager
async def killed(process: Process) -> AsyncIterator[None]:
    await process.kill()
    try:
        yield
    finally:
        await process.start()


async def _all_but_search_works(shop: Shop, owner: Person) -> None:
    """Writes and reads as ever; a search is unavailable, and says so soon."""
    made = await shop.create(owner, "While it is away")
    made = await shop.update(owner, made.id, "While it is still away")
    assert await shop.get(made.id) == made
    assert await shop.get_many([made.id]) == [made]
    assert made in await shop.find(skip=len(await shop.rows()) - 1)
    gone = await shop.create(owner, "Gone again")
    await shop.delete(owner, gone.id)
    clock = asyncio.get_running_loop().time
    started = clock()
    # Together, so that one that hangs would hold up the next. Each has two seconds, and a busy machine its own.
    answers = await asyncio.gather(*(shop.find("away") for _ in range(30)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [UnavailableError] * 30
    assert clock() - started < 8


async def test_elasticsearch_killed(shop: Shop, owner: Person) -> None:
    """Everything but text search works without Elasticsearch, and the index catches up by itself afterwards."""
    pid = shop.process.pid
    before = await shop.create(owner, "Before it went")
    await shop.found(before)
    async with killed(shop.datastores.elasticsearch):
        await _all_but_search_works(shop, owner)
        await shop.delete(owner, before.id)
    await shop.in_step()
    await shop.found(await shop.create(owner, "After it came back"))
    assert shop.process.pid == pid


async def test_elasticsearch_frozen(shop: Shop, owner: Person) -> None:
    """The same when it takes connections and never answers."""
    async with paused(shop.datastores.elasticsearch):
        await _all_but_search_works(shop, owner)
    await shop.in_step()


async def test_started_without_elasticsearch(shop: Shop, owner: Person) -> None:
    """A service that starts before Elasticsearch is ready, and makes up for the index later."""
    await shop.process.stop()
    async with killed(shop.datastores.elasticsearch):
        await shop.process.start()
        await shop.reachable()
        await _all_but_search_works(shop, owner)
    await shop.in_step()


async def test_index_deleted(shop: Shop, owner: Person) -> None:
    """An index that someone deletes is built again by the running service, with everything in it."""
    made = [await shop.create(owner, f"Kept {number}") for number in range(3)]
    for name in await shop.index.indices():
        await shop.index.drop(name)
    await shop.update(owner, made[0].id, "Changed meanwhile")
    await shop.delete(owner, made[1].id)
    await shop.searchable()
    await shop.in_step()
    assert len(await shop.index.indices()) == 1


async def test_killed_after_the_commit_and_before_publishing(shop: Shop, owner: Person) -> None:
    """Once the service is back, the product is there once and its event arrives."""
    kafka = shop.datastores.kafka
    async with paused(kafka):
        made = await shop.create(owner, "Committed")
        await shop.process.kill()
    await shop.process.start()
    await shop.reachable()
    told = await events_about(kafka.bootstrap_servers, made.id)
    assert len({event.id for event in told}) == 1
    assert isinstance(told[0].message, events_v1.ProductCreated)
    assert await shop.get(made.id) == made
    await shop.found(made)
    assert [row.name for row in (await shop.rows()).values()].count("Committed") == 1


async def test_kafka_away_for_a_while(shop: Shop, owner: Person) -> None:
    """Products are put up, changed and taken down all the while; their events arrive afterwards, each in its order."""
    kafka = shop.datastores.kafka
    lasting = await shop.create(owner, "Lasting")
    ids: list[str] = []
    async with killed(kafka):
        clock = asyncio.get_running_loop().time
        back = clock() + OUTAGE
        while clock() < back:
            made = await shop.create(owner, f"During {len(ids)}")
            ids.append(made.id)
            lasting = await shop.update(owner, lasting.id, f"Lasting {len(ids)}", expected_version=lasting.version)
            await shop.update(owner, made.id, "Then this")
            await shop.delete(owner, made.id)
            await asyncio.sleep(0.2)
    for product_id in ids:
        told = await events_about(kafka.bootstrap_servers, product_id, lambda found: len(_firsts(found)) == 3)
        assert [type(event.message) for event in _firsts(told)] == [
            events_v1.ProductCreated,
            events_v1.ProductUpdated,
            events_v1.ProductDeleted,
        ]
    told = await events_about(kafka.bootstrap_servers, lasting.id, lambda found: len(_firsts(found)) == lasting.version)
    assert [_version(event) for event in _firsts(told)] == list(range(1, lasting.version + 1))
    await shop.in_step()


async def test_postgres_restarted(shop: Shop, owner: Person) -> None:
    """Without PostgreSQL calls are unavailable; afterwards all goes on without a restart of the service."""
    pid = shop.process.pid
    made = await shop.create(owner, "Durable")
    async with killed(shop.datastores.postgres):
        for attempt in (shop.get(made.id), shop.find(), shop.create(owner, "x")):
            with pytest.raises(UnavailableError):
                await attempt
        # What was found before is found still: a search needs the index alone.
        assert isinstance(await shop.find("durable"), list)
    await shop.reachable()
    assert await shop.get(made.id) == made
    await shop.found(await shop.create(owner, "Thereafter"))
    await shop.in_step()
    assert shop.process.pid == pid


async def test_the_whole_topic_replayed_twice(shop: Shop, owner: Person) -> None:
    """Two replays from the first event on leave table and index as they were."""
    kafka = shop.datastores.kafka.bootstrap_servers
    kept = await shop.create(owner, "Kept through replays")
    kept = await shop.update(owner, kept.id, "Kept through replays, changed")
    gone = await shop.create(owner, "Gone through replays")
    await shop.delete(owner, gone.id)
    await shop.in_step()
    rows, documents = await shop.rows(), await shop.documents()
    for _ in range(2):
        await shop.process.stop()
        assert await send_back(kafka) > 10
        await shop.process.start()
        await caught_up(kafka)
        assert await shop.rows() == rows
        assert await shop.documents() == documents
    await shop.reachable()
    assert as_message(documents[kept.id]) == kept
    assert gone.id not in documents


async def test_poison(shop: Shop, owner: Person) -> None:
    """What is no event, and events that name no product, become dead letters with their reasons; the rest goes on."""
    kafka = shop.datastores.kafka.bootstrap_servers
    nameless = events.new_event(
        "product_events", "k", events_v1.ProductDeleted(id="\x00", version=1), "/x", lambda: NOW, lambda: "e1"
    )
    of_orders = events.new_event("product_events", "k", events_v1.OrderPlaced(), "/x", lambda: NOW, lambda: "e2")
    headers, value = events.to_record(announcer().created(product(1, "Never stored")))
    await send(
        kafka,
        Outgoing("product_events", b"k", b"\xff\xfe garbage", []),
        Outgoing("product_events", b"k", b"\xff\xff", headers),
        Outgoing("product_events", b"k", None, []),
        _outgoing(nameless),
        _outgoing(of_orders),
        Outgoing("product_events", b"k", value, headers),
    )
    made = await shop.create(owner, "After the poison")
    await shop.found(made)
    letters = await dead_letters(kafka, 5)
    assert len(letters) == 5
    assert {letter["dlq-topic"] for letter in letters} == {"product_events"}
    assert all(letter["dlq-reason"] for letter in letters)
    reasons = " ".join(letter["dlq-reason"] for letter in letters)
    assert "tells of no product" in reasons
    assert "no valid id" in reasons
    await caught_up(kafka)
    # An event about a product that is not in the table puts nothing into the index.
    await shop.in_step()


def _firsts(told: Sequence[Event]) -> list[Event]:
    """Repeated deliveries left out."""
    firsts: dict[str, Event] = {}
    for event in told:
        firsts.setdefault(event.id, event)
    return list(firsts.values())


def _version(event: Event) -> int:
    assert isinstance(event.message, events_v1.ProductCreated | events_v1.ProductUpdated)
    assert event.message.product is not None
    return event.message.product.version


def _outgoing(event: Event) -> Outgoing:
    headers, value = events.to_record(event)
    return Outgoing(event.topic, event.key.encode(), value, headers)
