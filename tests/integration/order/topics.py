"""Reads what is new on the topics that the order service writes to."""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.events import Event, ensure_topics, from_record
from tests.integration.order.conftest import Person

TOPICS = ("order_events", "interaction_events")
# Longest that anything on a busy machine takes which the tests wait for.
PATIENCE = 90.0


class News:
    """What the topics hold from a moment on; read again from there each time, so that duplicates are seen."""

    def __init__(self, bootstrap_servers: str, ends: dict[TopicPartition, int]) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._ends = ends

    @classmethod
    async def from_now(cls, bootstrap_servers: str) -> "News":
        """Remembers where the topics end now."""
        await ensure_topics(bootstrap_servers, TOPICS)
        async with AIOKafkaConsumer(*TOPICS, bootstrap_servers=bootstrap_servers) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
        return cls(bootstrap_servers, ends)

    async def until(self, enough: Callable[[Sequence[Event]], bool]) -> list[Event]:
        """Answers the events since then, in order by key, once there are enough of them."""
        found: list[Event] = []
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap_servers, enable_auto_commit=False)
        consumer.assign(list(self._ends))
        async with consumer:
            for partition, offset in self._ends.items():
                consumer.seek(partition, offset)
            async with asyncio.timeout(PATIENCE):
                while not enough(found):
                    polled = await consumer.getmany(timeout_ms=200)
                    found += [from_record(record) for records in polled.values() for record in records]
        return found


def about(events: Sequence[Event], order_id: int) -> list[Event]:
    """Those on order_events that are about one order, repeated deliveries left out."""
    return _of("order_events", order_id, events)


def purchases_of(events: Sequence[Event], buyer: Person) -> list[Event]:
    """Those on interaction_events that are an account's, likewise; what others did before may still be on its way."""
    return _of("interaction_events", buyer.id, events)


def _of(topic: str, key: int, events: Sequence[Event]) -> list[Event]:
    first_seen = {event.id: event for event in reversed(events)}
    return [
        event for event in events if (event.topic, event.key) == (topic, str(key)) and first_seen[event.id] is event
    ]
