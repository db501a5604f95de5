"""Reads a topic from its start, as a consumer that comes late would."""

from collections.abc import Callable

from aiokafka import AIOKafkaConsumer

from protos.gen.ecommerce.events.v1 import ProductDeleted
from services.events import Event, from_record


async def read_topic(
    bootstrap_servers: str, topic: str, enough: Callable[[dict[str, list[int]]], bool], *, within: float
) -> dict[str, list[int]]:
    """Answers, for each key, the versions of its events in their order (0 for events that have none), each event once.

    Reads until `enough` says so; raises AssertionError with what was there when that takes more than `within` seconds.
    """
    seen: dict[str, list[int]] = {}
    ids: set[str] = set()
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer:
        waited = 0.0
        while not enough(seen):
            batches = await consumer.getmany(timeout_ms=500)
            waited += 0 if batches else 0.5
            assert waited < within, f"{topic} has only {seen}"
            for records in batches.values():
                for record in records:
                    event = from_record(record)
                    if event.id not in ids:
                        ids.add(event.id)
                        seen.setdefault(event.key, []).append(_version(event))
    return seen


def _version(event: Event) -> int:
    if isinstance(event.message, ProductDeleted):
        return event.message.version
    snapshot = getattr(event.message, "product", None)
    return snapshot.version if snapshot else 0
