"""What the tests on a real Kafka share: topics of their own, events to send, and what arrived."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer

from protos.gen.ecommerce.events import v1
from services import events
from services.events import DEAD_LETTER_SUFFIX, Event, Topic
from services.publisher import Outgoing, Publisher

# Longest that anything on a busy machine takes which the tests wait for.
PATIENCE = 90.0


async def new_topic(bootstrap_servers: str, partitions: int = 3, **config: str) -> str:
    """Makes a topic that no other test has, with its dead-letter topic."""
    name = f"test_{uuid4().hex[:12]}"
    topics = [Topic(name, partitions, config), Topic(name + DEAD_LETTER_SUFFIX, 1, {"max.message.bytes": "2097152"})]
    await events.create_topics(bootstrap_servers, topics, PATIENCE)
    return name


def new_event(topic: str, key: str, version: int, *, padding: int = 0) -> Event:
    """Makes an event that is told from others of its key by its version."""
    product = v1.ProductSnapshot(id=key, version=version, description="x" * padding)
    message = v1.ProductUpdated(product=product)
    return events.new_event(topic, key, message, "/test", lambda: datetime.now(UTC), lambda: str(uuid4()))


def version_of(event: Event) -> int:
    """Answers the version that `new_event` was given."""
    assert isinstance(event.message, v1.ProductUpdated)
    assert event.message.product is not None
    return event.message.product.version


def outgoing(event: Event) -> Outgoing:
    """Answers the event as a record to send."""
    headers, value = events.to_record(event)
    return Outgoing(event.topic, event.key.encode(), value, headers)


async def send(bootstrap_servers: str, records: Sequence[Outgoing]) -> None:
    """Sends records, all of them acknowledged."""
    publisher = Publisher(bootstrap_servers, client_id="test", max_record_bytes=4 * 1024 * 1024)
    try:
        assert await publisher.publish(records) == [None] * len(records)
    finally:
        await publisher.close()


async def read(bootstrap_servers: str, topic: str, enough: Callable[[list[Any]], bool] | int) -> list[Any]:
    """Answers the records of a topic from its beginning, once there are enough; in order by partition."""
    suffices = (lambda found: len(found) >= enough) if isinstance(enough, int) else enough
    kafka = _reader(bootstrap_servers, topic)
    found: list[Any] = []
    try:
        await kafka.start()
        async with asyncio.timeout(PATIENCE):
            while not suffices(found):
                polled = await kafka.getmany(timeout_ms=200)
                found += [record for records in polled.values() for record in records]
    finally:
        await kafka.stop()
    return found


async def count(bootstrap_servers: str, topic: str) -> int:
    """Answers how many records a topic has had."""
    kafka = _reader(bootstrap_servers, topic)
    try:
        await kafka.start()
        return sum((await kafka.end_offsets(kafka.assignment())).values())
    finally:
        await kafka.stop()


def _reader(bootstrap_servers: str, topic: str) -> AIOKafkaConsumer:
    """Answers a client of no group that reads all partitions from the beginning."""
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )


def versions_by_key(records: Sequence[Any]) -> dict[str, list[int]]:
    """Answers the versions of each key in the order in which they are on the topic."""
    found: dict[str, list[int]] = {}
    for record in records:
        event = events.from_record(record)
        found.setdefault(event.key, []).append(version_of(event))
    return found
