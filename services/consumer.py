"""Reading events from Kafka at least once: the offset is committed only after the effect.

A `Consumer` hands all events of one poll to its handler, in order by partition, and commits when the handler is done.
What the handler raises says what to do:

    UnavailableError, OSError, TimeoutError   what it needs is away: the same events again after a pause, without end
    anything else                             one of the events is at fault: the halves, then theirs, until it is alone;
                                              if it fails alone as well, it becomes a dead letter and the rest goes on

A dead letter is the record as it was, on `<topic>.dlq`, with headers that tell where it came from, who could not handle
it, when and why; records that are no events of ours go there too. It is acknowledged before the offset is committed.

The process's share of the group is kept however long the handler takes, since heartbeats go on beside it. When the
group is shared out anew, the events at hand are dropped uncommitted: their next owner reads them again. So a handler
sees events twice and must not mind.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from opentelemetry import trace
from prometheus_client import Counter, Gauge

from services import events, telemetry
from services.errors import UnavailableError
from services.events import DEAD_LETTER_SUFFIX, REQUEST_SECONDS, TOPICS, Event, Header, UnreadableEventError
from services.loops import backoff, first_of, within, work_until
from services.publisher import RETRY_MS, Outgoing, Publisher

# Longest wait for the first event of a batch: how soon a stop is noticed. It delays nothing.
POLL_SECONDS: Final = 0.2
# Longest that the broker holds a request open that finds nothing; records of a partition that was just read can wait
# this long for the request to come back.
FETCH_WAIT_MS: Final = 100
# The shortest that brokers accept by default: how long the partitions of a killed process are without an owner.
SESSION_SECONDS: Final = 6.0
# Longest that joining the group takes: others have a session's time to join anew, and a killed one to be missed.
JOIN_SECONDS: Final = 30.0
COMMIT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
# Seconds that a stop waits for the batch at hand.
STOP_SECONDS: Final = 4.0
# Seconds before what was unavailable is tried again: the first time, and after many.
FIRST_BACKOFF: Final = 0.1
LONGEST_BACKOFF: Final = 2.0
# How often an event is tried alone before it is a dead letter.
ATTEMPTS: Final = 3
# A day in ms. Time limits for the handler are set here, so the client need not leave the group when one takes long.
_POLL_INTERVAL_MS: Final = 24 * 60 * 60 * 1000
# The SDK keeps no more links than that on one span.
_MOST_LINKS: Final = 128
DEAD_LETTER_HEADER: Final = "dlq-"
# Characters of a reason; the whole of it is in the log.
_LONGEST_REASON: Final = 1000
# A letter is larger than its record by these headers, so its topic takes more (see events.py).
_DEAD_LETTER_BYTES: Final = 2 * 1024 * 1024

handled_events = Counter("consumer_handled_events_total", "Events whose effect is done.", ["group"])
dead_letters = Counter("consumer_dead_letters_total", "Records put on a dead-letter topic.", ["group", "topic"])
retries = Counter("consumer_retries_total", "Times that a batch waited for what it needs.", ["group"])
lag_events = Gauge("consumer_lag_events", "Records that this process has still to read.", ["group"])

log = structlog.get_logger(__name__)


class Handler(Protocol):
    """Makes the effect of a batch; safe to call again with the same events."""

    async def __call__(self, batch: Sequence[Event], /) -> None:
        """Returns when the effect is lasting; see the module's docstring for what it raises."""


class _AbandonedError(Exception):
    """The events at hand are no longer ours, or the process is to end: they stay uncommitted."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    record: Any
    event: Event


class Consumer:
    """Reads `topics` as a member of `group`, from the earliest record on, and creates those that do not exist.

    A call of the handler that takes longer than `handler_timeout` seconds is cancelled and counts as unavailable.
    """

    def __init__(  # noqa: PLR0913 each is a choice of the one who wires
        self,
        bootstrap_servers: str,
        group: str,
        topics: Iterable[str],
        handler: Handler,
        *,
        max_batch: int = 500,
        handler_timeout: float = 60.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group = group
        self._topics = frozenset(topics)
        self._handler = handler
        self._max_batch = max_batch
        self._handler_timeout = handler_timeout
        self._clock = clock
        self._dead_letters = Publisher(
            bootstrap_servers, client_id=f"{group}-dead-letters", max_record_bytes=_DEAD_LETTER_BYTES
        )
        self._kafka: AIOKafkaConsumer | None = None
        self._rebalances = _Rebalances()
        self._stop = asyncio.Event()
        # Records of each partition that were there when it was last read, and are still to be read.
        self._behind: dict[TopicPartition, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop` is set and the batch at hand is done; survives the loss of Kafka."""
        self._stop = stop
        try:
            await work_until(stop, self._work(stop), STOP_SECONDS)
        finally:
            await self.close()

    async def run_once(self) -> int:
        """Handles one batch and answers how many records were in it, dead letters included; joins the group first.

        Raises KafkaError, UnavailableError or TimeoutError when Kafka does not answer; events that were at hand then
        are read again.
        """
        try:
            return await self._turn(await self._joined())
        except BaseException:
            # What was read and not committed is read again only by a client that starts from the committed offsets.
            await self.close()
            raise

    async def close(self) -> None:
        """Leaves the group and closes the connections within a few seconds."""
        kafka, self._kafka = self._kafka, None
        if kafka is not None and not await within(CLOSE_SECONDS, kafka.stop()):
            # It stopped half-way; without this its connections would stay.
            await within(CLOSE_SECONDS, kafka._client.close())  # noqa: SLF001 the library has no other way
        await self._dead_letters.close()

    async def _turn(self, kafka: AIOKafkaConsumer) -> int:
        polled = await kafka.getmany(timeout_ms=int(POLL_SECONDS * 1000), max_records=self._max_batch)
        # Taken without giving way after the poll: these records are those of this generation of the group.
        generation = self._rebalances.count
        self._measure(kafka, polled)
        records = [record for of_partition in polled.values() for record in of_partition]
        if not records:
            if kafka._fetcher.error_future.done():  # noqa: SLF001 nothing else tells that no record will ever come again
                raise KafkaError("The client has stopped fetching.")
            return 0
        with contextlib.suppress(_AbandonedError):
            await self._handle(await self._readable(records, generation), generation)
            await self._commit(kafka, polled)
        return len(records)

    async def _work(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                await self.run_once()
            except (KafkaError, UnavailableError, TimeoutError, OSError) as error:
                failures += 1
                log.warning("Reading from Kafka fails.", group=self._group, error=repr(error))
                await first_of(backoff(failures, FIRST_BACKOFF, LONGEST_BACKOFF), stop)
            else:
                failures = 0

    async def _joined(self) -> AIOKafkaConsumer:
        """Answers the client once it is a member of the group."""
        if self._kafka is not None:
            return self._kafka
        wanted = self._topics | {topic + DEAD_LETTER_SUFFIX for topic in self._topics}
        await events.ensure_topics(self._bootstrap_servers, wanted & TOPICS.keys(), wait=0)
        self._kafka = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            client_id=self._group,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_poll_interval_ms=_POLL_INTERVAL_MS,
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=int(SESSION_SECONDS * 1000 / 4),
            retry_backoff_ms=RETRY_MS,
            request_timeout_ms=int((REQUEST_SECONDS + SESSION_SECONDS) * 1000),
        )
        self._kafka.subscribe(list(self._topics), listener=self._rebalances)
        async with asyncio.timeout(JOIN_SECONDS):
            await self._kafka.start()
        return self._kafka

    async def _readable(self, records: Sequence[Any], generation: int) -> list[_Delivery]:
        """Answers the events among the records; the others become dead letters."""
        deliveries: list[_Delivery] = []
        for record in records:
            try:
                deliveries.append(_Delivery(record, events.from_record(record)))
            except UnreadableEventError as error:
                await self._bury(record, f"Unreadable: {error.reason}", generation)
        return deliveries

    async def _handle(self, deliveries: Sequence[_Delivery], generation: int) -> None:
        if not deliveries:
            return
        failure = await self._attempt(deliveries, generation)
        if failure is None:
            handled_events.labels(self._group).inc(len(deliveries))
        elif len(deliveries) == 1:
            await self._handle_alone(deliveries[0], failure, generation)
        else:
            middle = len(deliveries) // 2
            await self._handle(deliveries[:middle], generation)
            await self._handle(deliveries[middle:], generation)

    async def _handle_alone(self, delivery: _Delivery, failure: Exception, generation: int) -> None:
        attempt, last = 1, failure
        while attempt < ATTEMPTS:
            await self._pause(attempt, generation)
            again = await self._attempt([delivery], generation)
            if again is None:
                handled_events.labels(self._group).inc()
                return
            attempt, last = attempt + 1, again
        log.error("An event cannot be handled.", group=self._group, event_id=delivery.event.id, exc_info=last)
        await self._bury(delivery.record, f"{type(last).__name__}: {last}", generation)

    async def _attempt(self, deliveries: Sequence[_Delivery], generation: int) -> Exception | None:
        """Answers what one of the events makes the handler raise; waits for as long as what it needs is away."""
        batch = [delivery.event for delivery in deliveries]
        failures = 0
        while True:
            try:
                with telemetry.tracer.start_as_current_span(f"{self._group} handle", links=_links(batch)):
                    async with asyncio.timeout(self._handler_timeout):
                        await self._handler(batch)
            except (UnavailableError, OSError, TimeoutError) as error:
                failures += 1
                retries.labels(self._group).inc()
                log.warning("Events wait for what they need.", group=self._group, events=len(batch), error=repr(error))
                await self._pause(failures, generation)
            except Exception as error:  # noqa: BLE001 whatever it is, the event is kept with it
                return error
            else:
                return None

    async def _bury(self, record: Any, reason: str, generation: int) -> None:
        """Puts the record on its dead-letter topic; returns when it is acknowledged."""
        letter = _dead_letter(record, reason, self._group, self._clock())
        failures = 0
        while (await self._dead_letters.publish([letter]))[0] is not None:
            failures += 1
            await self._pause(failures, generation)
        dead_letters.labels(self._group, record.topic).inc()
        log.error("A dead letter.", topic=record.topic, partition=record.partition, offset=record.offset, reason=reason)

    async def _pause(self, failures: int, generation: int) -> None:
        await first_of(backoff(failures, FIRST_BACKOFF, LONGEST_BACKOFF), self._stop)
        if self._stop.is_set() or generation != self._rebalances.count:
            raise _AbandonedError

    async def _commit(self, kafka: AIOKafkaConsumer, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        mine = kafka.assignment()
        offsets = {partition: records[-1].offset + 1 for partition, records in polled.items() if partition in mine}
        # The group was shared out anew in between: the next owner handles the same events again, to the same effect.
        with contextlib.suppress(CommitFailedError, IllegalStateError):
            async with asyncio.timeout(COMMIT_SECONDS):
                await kafka.commit(offsets)

    def _measure(self, kafka: AIOKafkaConsumer, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        for partition, records in polled.items():
            self._behind[partition] = (kafka.highwater(partition) or 0) - records[-1].offset - 1
        mine = kafka.assignment()
        self._behind = {partition: count for partition, count in self._behind.items() if partition in mine}
        lag_events.labels(self._group).set(sum(self._behind.values()))


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc] # the library has no types
    """Counts how often the group was shared out."""

    def __init__(self) -> None:
        self.count = 0

    def on_partitions_revoked(self, revoked: object) -> None:  # noqa: ARG002
        self.count += 1

    def on_partitions_assigned(self, assigned: object) -> None:
        pass


def _links(batch: Sequence[Event]) -> list[trace.Link]:
    """Answers links to the calls in which the events arose."""
    parents = dict.fromkeys(event.traceparent for event in batch if event.traceparent)
    contexts = (telemetry.extract({"traceparent": parent}) for parent in list(parents)[:_MOST_LINKS])
    return [trace.Link(trace.get_current_span(context).get_span_context()) for context in contexts]


def _dead_letter(record: Any, reason: str, group: str, moment: datetime) -> Outgoing:
    """Answers the record as it was, with the circumstances of its death in place of those of an earlier one."""
    circumstances = {
        "reason": reason[:_LONGEST_REASON],
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "group": group,
        "time": moment.isoformat(),
    }
    original: list[Header] = [header for header in record.headers if not header[0].startswith(DEAD_LETTER_HEADER)]
    added = [(DEAD_LETTER_HEADER + name, text.encode(errors="replace")) for name, text in circumstances.items()]
    # Kafka's client takes no record without key and value.
    value = b"" if record.key is None and record.value is None else record.value
    return Outgoing(record.topic + DEAD_LETTER_SUFFIX, record.key, value, [*original, *added])
