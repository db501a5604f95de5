"""product_events seen from outside: what it holds, what is poisonous, and how a consumer group is sent back."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.events import Event, UnreadableEventError, from_record
from services.publisher import Outgoing, Publisher
from tests.integration.product.conftest import PATIENCE, eventually

TOPIC = "product_events"
GROUP = "product-search-index"


async def events_about(
    bootstrap_servers: str, product_id: str, enough: Callable[[Sequence[Event]], bool] = bool
) -> list[Event]:
    """Answers a product's events in their order, from the first one on, once there are enough of them."""
    found: list[Event] = []
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(PATIENCE):
        while not enough(found):
            polled = await consumer.getmany(timeout_ms=200)
            for records in polled.values():
                found += [event for event in map(_readable, records) if event and event.key == product_id]
    return found


async def dead_letters(bootstrap_servers: str, count: int) -> list[dict[str, Any]]:
    """Answers the dead letters' headers with their key and value, once there are that many."""
    found: list[dict[str, Any]] = []
    consumer = AIOKafkaConsumer(f"{TOPIC}.dlq", bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(PATIENCE):
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    headers = {name: value.decode() for name, value in record.headers}
                    found.append({**headers, "key": record.key, "value": record.value})
    return found


async def send(bootstrap_servers: str, *records: Outgoing) -> None:
    """Puts records on the topic, whatever is in them."""
    publisher = Publisher(bootstrap_servers, client_id="test")
    try:
        assert await publisher.publish(records) == [None] * len(records)
    finally:
        await publisher.close()


async def send_back(bootstrap_servers: str) -> int:
    """Makes the indexer, which must not be running, start again at the first event; answers how many there are."""
    async with _group(bootstrap_servers) as consumer:
        partitions = await _partitions(consumer)
        await consumer.commit(dict.fromkeys(partitions, 0))
        return sum((await consumer.end_offsets(partitions)).values())


async def caught_up(bootstrap_servers: str) -> None:
    """Waits until the indexer has handled every event that there is now."""
    async with _group(bootstrap_servers) as consumer:
        partitions = await _partitions(consumer)
        ends = await consumer.end_offsets(partitions)

        async def done() -> bool:
            return all([await consumer.committed(one) == end for one, end in ends.items() if end])

        await eventually(done)


def _group(bootstrap_servers: str) -> AIOKafkaConsumer:
    """A client that speaks for the group without joining it."""
    return AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=GROUP, enable_auto_commit=False)


async def _partitions(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    await consumer.topics()
    partitions = [TopicPartition(TOPIC, number) for number in range(12)]
    consumer.assign(partitions)
    return partitions


def _readable(record: Any) -> Event | None:
    try:
        return from_record(record)
    except UnreadableEventError:
        return None
