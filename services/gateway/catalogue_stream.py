"""Hears of every change to the catalogue on product_events, and vouches that it does.

Silence on a topic means that nothing happened or that nothing gets through, so it is never trusted by itself. Several
times a second, in this order: note the time, ask the product service whether all that was committed is published, ask
Kafka where its partitions end, and hear all events up to there. Only then is it known that every change older than the
noted time, but for the 200 ms that the outbox may take, was heard of. That is good for 0.7 seconds, so an answer that
is given from memory lacks nothing that was committed a second before. Whatever stands still (this process, product,
the outbox's relay, Kafka) lets those seconds run out.

What the client says of its last fetch would be no proof: a process that was paused takes an old answer for a new one.

The topic is read without a consumer group, since every process needs every event, from its end on: what was before is
in the answers of the services. A client that had to start again has missed something, and says so to the listener.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter

from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services.errors import EcommerceError, UnavailableError
from services.events import TOPICS, UnreadableEventError, ensure_topics, from_record
from services.loops import backoff, first_of, within, work_until

TOPIC: Final = "product_events"
# Seconds for which a round vouches, from its beginning, and between the beginnings of two.
VOUCHED_SECONDS: Final = 0.7
INTERVAL_SECONDS: Final = 0.2
# Seconds that a round may take before the client is thought to be stuck, and that starting one may take.
ROUND_SECONDS: Final = 3.0
START_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
STOP_SECONDS: Final = 1.0
# Longest that the broker holds a request open that finds nothing.
FETCH_WAIT_MS: Final = 200
# How soon a partition that was added is noticed. Who writes to it has to notice it first, and takes minutes for that.
METADATA_MS: Final = 1_000
REQUEST_MS: Final = 2_000
POLL_MS: Final = 200
MAX_RECORDS: Final = 500
FIRST_BACKOFF: Final = 0.1
LONGEST_BACKOFF: Final = 2.0

_rounds = Counter("gateway_catalogue_stream_rounds", "Rounds of listening by what came of them.", ("outcome",))
_live, _behind, _failed = (_rounds.labels(outcome) for outcome in ("live", "behind", "failed"))
log = structlog.get_logger(__name__)


class Catalogue(Protocol):
    """Whom to ask besides Kafka."""

    async def state(self) -> product_v1.GetCatalogueStateResponse:
        """See protos/product.proto; raises UnavailableError and its like."""


class Listener(Protocol):
    """Who is told; see CatalogueCache."""

    def product_changed(self, product_id: str) -> None:
        """The product has other contents."""

    def membership_changed(self, product_id: str) -> None:
        """The product was created or deleted."""

    def everything_changed(self) -> None:
        """Nobody knows what changed."""


class CatalogueStream:
    """Listens, and answers `serving` and `index_is_current` to a CatalogueCache, which is its listener."""

    def __init__(
        self,
        bootstrap_servers: str,
        catalogue: Catalogue,
        *,
        topic: str = TOPIC,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._catalogue = catalogue
        self._clock = clock
        self._listeners: list[Listener] = []
        self._kafka: AIOKafkaConsumer | None = None
        # Offsets of the next event to be heard, by partition.
        self._positions: dict[int, int] = {}
        self._heard = asyncio.Condition()
        # How often in a row the service has said nothing.
        self._unanswered = 0
        self._live_until = float("-inf")
        # When the round began that told the following.
        self._known_at = float("-inf")
        self._indexed: Mapping[int, int] = {}
        self._index_complete = False
        # What has to stay as it is for events alone to tell of changes.
        self._refused = ""
        self._index = ""

    def tell(self, listener: Listener) -> None:
        """Has the listener told from now on."""
        self._listeners.append(listener)

    def serving(self) -> bool:
        """Answers whether every change was heard of that is older than a second."""
        return self._clock() < self._live_until

    def index_is_current(self) -> bool:
        """Answers whether every search that begins now finds what the events heard so far tell of."""
        if not self._index_complete:
            return False
        indexed = self._indexed
        return all(indexed.get(partition, 0) >= position for partition, position in self._positions.items())

    async def run(self, stop: asyncio.Event) -> None:
        """Listens until `stop` is set; starts again after whatever fails."""
        try:
            await work_until(stop, self._work(stop), STOP_SECONDS)
        finally:
            await self._leave()

    async def run_once(self) -> bool:
        """Does one round and answers whether it vouches; raises KafkaError, OSError, UnavailableError, TimeoutError."""
        kafka = await self._started()
        hearing = asyncio.create_task(self._hear_always(kafka))
        try:
            return await self._round(kafka)
        finally:
            hearing.cancel()
            await asyncio.wait({hearing})

    async def _work(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                kafka = await self._started()
                failures = 0
                await self._listen(kafka, stop)
            except* (KafkaError, UnavailableError, TimeoutError, OSError) as errors:
                log.warning("Changes to the catalogue are not heard of now.", error=repr(errors.exceptions[0]))
                failures += 1
                _failed.inc()
            await self._leave()
            await first_of(backoff(failures, FIRST_BACKOFF, LONGEST_BACKOFF), stop)

    async def _listen(self, kafka: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        """Hears all the time, and begins a round at fixed intervals, whether or not the one before has ended.

        On a busy host a round takes long because every step of it waits for its turn; it vouches all the same.
        """
        async with asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(self._hear_always(kafka))
            while not stop.is_set():
                tasks.create_task(self._round(kafka))
                # A service that is away is asked less and less often; one that was late now and then is not.
                await first_of(backoff(max(1, self._unanswered - 2), INTERVAL_SECONDS, LONGEST_BACKOFF), stop)
            hearing.cancel()

    async def _round(self, kafka: AIOKafkaConsumer) -> bool:
        began = self._clock()
        async with asyncio.timeout(ROUND_SECONDS):
            state = await self._state()
            ends = await kafka.end_offsets(list(kafka.assignment()))
            self._check(kafka, ends)
            await self._heard_up_to(ends)
        complete = state is not None and not state.backlogged
        (_live if complete else _behind).inc()
        # A round that began later may have ended before: it knew more.
        if began >= self._known_at:
            self._known_at = began
            self._learn(state, began)
        return complete

    async def _state(self) -> product_v1.GetCatalogueStateResponse | None:
        try:
            state = await self._catalogue.state()
        except EcommerceError:
            self._unanswered += 1
            return None
        self._unanswered = 0
        return state

    def _learn(self, state: product_v1.GetCatalogueStateResponse | None, began: float) -> None:
        if state is None or state.backlogged:
            self._index_complete = False
            return
        replaced = state.index and state.index != self._index
        if replaced or state.refused != self._refused:
            self._everything_changed()
        self._index, self._refused = state.index or self._index, state.refused
        self._indexed = {each.partition: each.next_offset for each in state.indexed}
        self._index_complete = state.index_complete
        self._live_until = began + VOUCHED_SECONDS

    async def _hear_always(self, kafka: AIOKafkaConsumer) -> None:
        while True:
            polled = await kafka.getmany(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
            for records in polled.values():
                for record in records:
                    self._told(record)
            for partition in kafka.assignment():
                # Which may be further than the last record: compaction leaves gaps.
                self._positions[partition.partition] = await kafka.position(partition)
            async with self._heard:
                self._heard.notify_all()

    async def _heard_up_to(self, ends: Mapping[TopicPartition, int]) -> None:
        async with self._heard:
            await self._heard.wait_for(lambda: all(self._positions[one.partition] >= at for one, at in ends.items()))

    def _told(self, record: Any) -> None:
        try:
            message = from_record(record).message
        except UnreadableEventError:
            message = None
        for listener in self._listeners:
            match message:
                case events_v1.ProductUpdated(product=events_v1.ProductSnapshot(id=product_id)):
                    listener.product_changed(product_id)
                case events_v1.ProductCreated(product=events_v1.ProductSnapshot(id=product_id)):
                    listener.membership_changed(product_id)
                case events_v1.ProductDeleted(id=product_id):
                    listener.membership_changed(product_id)
                case _:
                    listener.everything_changed()

    def _everything_changed(self) -> None:
        for listener in self._listeners:
            listener.everything_changed()

    def _check(self, kafka: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> None:
        """Raises KafkaError where the topic is no longer the one that was started with."""
        if kafka.partitions_for_topic(self._topic) != self._positions.keys():
            raise KafkaError(f"{self._topic} has other partitions now.")
        if any(end < self._positions[each.partition] for each, end in ends.items()):
            raise KafkaError(f"{self._topic} is shorter now.")

    async def _started(self) -> AIOKafkaConsumer:
        if self._kafka is None:
            await ensure_topics(self._bootstrap_servers, {self._topic} & TOPICS.keys(), wait=0)
            kafka = self._client()
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._start(kafka)
            except BaseException:
                await _close(kafka)
                raise
            self._kafka = kafka
            # What came before this is in the services' answers, and perhaps not in those that were kept.
            self._everything_changed()
        return self._kafka

    def _client(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            client_id="gateway-catalogue",
            group_id=None,
            enable_auto_commit=False,
            # A position that is gone has to be noticed, and not mended.
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=METADATA_MS,
            request_timeout_ms=REQUEST_MS,
        )

    async def _start(self, kafka: AIOKafkaConsumer) -> None:
        """Places it at the end of every partition."""
        await kafka.start()
        await kafka._client.set_topics([self._topic])  # noqa: SLF001 only a subscription, which needs a group's ways, does it
        partitions = [TopicPartition(self._topic, each) for each in kafka.partitions_for_topic(self._topic) or ()]
        if not partitions:
            raise KafkaError(f"{self._topic} has no partitions yet.")
        kafka.assign(partitions)
        ends = await kafka.end_offsets(partitions)
        for partition, end in ends.items():
            kafka.seek(partition, end)
        self._positions = {partition.partition: end for partition, end in ends.items()}

    async def _leave(self) -> None:
        kafka, self._kafka = self._kafka, None
        if kafka is not None:
            await _close(kafka)


async def _close(kafka: AIOKafkaConsumer) -> None:
    if not await within(CLOSE_SECONDS, kafka.stop()):
        # It stopped half-way; without this its connections would stay.
        await within(CLOSE_SECONDS, kafka._client.close())  # noqa: SLF001 the library has no other way
