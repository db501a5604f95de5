"""Reading a stretch of a topic apart from any consumer group: from one set of offsets to another."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.errors import UnavailableError
from services.events import Event, UnreadableEventError, from_record

# Seconds within which Kafka has to get anywhere; who reads gives up then, and starts again from the beginning.
_PATIENCE: Final = 30.0
_POLL_MILLISECONDS: Final = 500
_BATCH: Final = 500

# By partition, the offset of the next event.
Offsets = Mapping[int, int]

log = structlog.get_logger(__name__)


class EventTail:
    """The events of one topic, by offset. Raises UnavailableError when Kafka does not answer."""

    def __init__(self, consumer: Any, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

    async def ends(self) -> dict[int, int]:
        """Answers where the next event of each partition will be."""
        with _unavailable_when_it_is():
            async with asyncio.timeout(_PATIENCE):
                ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return {partition.partition: end for partition, end in ends.items()}

    async def read(self, start: Offsets, until: Offsets) -> AsyncIterator[list[Event]]:
        """Yields the events from `start` up to and without `until`, in batches of at most 500, each partition in order.

        Records that are no events are passed over. A partition that `start` does not name is read from its beginning.
        """
        due = {number: end for number, end in until.items() if start.get(number, 0) < end}
        self._consumer.pause(*self._consumer.assignment())
        for number in due:
            self._consumer.seek(self._partition(number), start.get(number, 0))
            self._consumer.resume(self._partition(number))
        progress_at = time.monotonic()
        while due:
            with _unavailable_when_it_is():
                polled = await self._consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=_BATCH)
                await self._drop_finished(due)
            if polled:
                progress_at = time.monotonic()
                yield _events(polled, until)
            elif due and time.monotonic() - progress_at > _PATIENCE:
                raise UnavailableError("Kafka does not answer now. Try again later.")

    async def _drop_finished(self, due: dict[int, int]) -> None:
        """Positions pass over offsets that compaction has emptied, so they tell more than the records do."""
        for number, end in list(due.items()):
            partition = self._partition(number)
            async with asyncio.timeout(_PATIENCE):
                if await self._consumer.position(partition) >= end:
                    self._consumer.pause(partition)
                    del due[number]

    def _partition(self, number: int) -> TopicPartition:
        return TopicPartition(self._topic, number)


@asynccontextmanager
async def event_tail(bootstrap_servers: str, topic: str) -> AsyncIterator[EventTail]:
    """Opens the topic for reading; it has to exist."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        request_timeout_ms=10_000,
    )
    try:
        with _unavailable_when_it_is():
            async with asyncio.timeout(_PATIENCE):
                await consumer.start()
        yield EventTail(consumer, topic)
    finally:
        await consumer.stop()


def _events(polled: Mapping[TopicPartition, Sequence[Any]], until: Offsets) -> list[Event]:
    events: list[Event] = []
    for partition, records in polled.items():
        for record in records:
            if record.offset >= until.get(partition.partition, 0):
                break
            try:
                events.append(from_record(record))
            except UnreadableEventError as error:
                # The consumer of this topic has put it among the dead letters, or will.
                log.info("Passing over a record that is no event.", reason=error.reason, offset=record.offset)
    return events


@contextmanager
def _unavailable_when_it_is() -> Iterator[None]:
    try:
        yield
    except (KafkaError, TimeoutError, OSError) as error:
        raise UnavailableError("Kafka does not answer now. Try again later.") from error
