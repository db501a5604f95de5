"""Who looked at which product: told on Kafka for the recommender's sake, never at the expense of the person looking.

A view is put into a queue in memory and the request goes on. A background loop takes batches from the queue and
publishes them. While Kafka is away the batch is tried again and the queue fills; what no longer fits is dropped and
counted. A view that is lost costs nobody anything, so none is worth a slow or failed request.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog
from prometheus_client import Counter, Gauge

from protos.gen.ecommerce.events.v1 import ProductRetrieved
from services.errors import UnavailableError
from services.events import Event, new_event, to_record
from services.publisher import Outcome, Outgoing, RefusedError

TOPIC: Final = "interaction_events"
SOURCE: Final = "/gateway"
# Views kept while Kafka is away: about 200 bytes each, 2 MB in all.
CAPACITY: Final = 10_000
MAX_BATCH: Final = 500
# Seconds in which views gather to a batch: sending each by itself costs more than answering its request.
GATHER_SECONDS: Final = 0.2
# Seconds between two attempts while Kafka is away.
RETRY_SECONDS: Final = 1.0
# Seconds at shutdown for what still waits.
FINISH_SECONDS: Final = 4.0

log = structlog.get_logger(__name__)

_sent = Counter("gateway_interactions_sent", "Interactions that Kafka acknowledged.")
_dropped = Counter("gateway_interactions_dropped", "Interactions given up.", ("reason",))
_waiting = Gauge("gateway_interactions_waiting", "Interactions in the queue.", multiprocess_mode="livesum")


class Publisher(Protocol):
    """What services/publisher.py does."""

    async def publish(self, records: Sequence[Outgoing]) -> list[Outcome]:
        """Answers what became of each record."""

    async def close(self) -> None:
        """Closes the connections."""


class Interactions:
    """The queue and its sender; at most `capacity` views wait."""

    def __init__(
        self,
        publisher: Publisher,
        *,
        capacity: int = CAPACITY,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._publisher = publisher
        self._clock = clock
        self._ids = ids
        self._queue: asyncio.Queue[Event] = asyncio.Queue(capacity)
        # Taken from the queue and not yet published.
        self._batch: list[Event] = []

    def viewed(self, product_id: str, account_id: int | None) -> None:
        """Notes that the account, or a visitor (None), looked at the product; returns at once."""
        key = product_id if account_id is None else str(account_id)
        message = ProductRetrieved(product_id=product_id, account_id=account_id)
        try:
            self._queue.put_nowait(new_event(TOPIC, key, message, SOURCE, self._clock, self._ids))
        except asyncio.QueueFull:
            _dropped.labels("full").inc()
        _waiting.set(self._queue.qsize())

    async def run(self, stop: asyncio.Event) -> None:
        """Publishes until told to stop, then for a few seconds more what waits; the rest is dropped and counted."""
        stopping = asyncio.create_task(stop.wait())
        sending = asyncio.create_task(self._send_always())
        try:
            await asyncio.wait([stopping, sending], return_when=asyncio.FIRST_COMPLETED)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0 if sending.done() else FINISH_SECONDS):
                    await self._queue.join()
        finally:
            stopping.cancel()
            sending.cancel()
            await asyncio.wait([sending])
        if not sending.cancelled():
            # It failed: whoever runs this loop logs that and starts it again.
            sending.result()
        await self._leave()

    async def run_once(self) -> int:
        """Waits for views, publishes one batch of them and answers how many Kafka took."""
        if not self._batch:
            self._batch = [await self._queue.get()]
        self._fill()
        outcomes = await self._publisher.publish([_outgoing(event) for event in self._batch])
        refused = sum(isinstance(outcome, RefusedError) for outcome in outcomes)
        sent = outcomes.count(None)
        _sent.inc(sent)
        _dropped.labels("refused").inc(refused)
        done = zip(self._batch, outcomes, strict=True)
        self._batch = [event for event, outcome in done if isinstance(outcome, UnavailableError)]
        for _ in range(len(outcomes) - len(self._batch)):
            self._queue.task_done()
        return sent

    async def _send_always(self) -> None:
        while True:
            await self.run_once()
            if self._batch:
                await asyncio.sleep(RETRY_SECONDS)
            elif self._queue.qsize() < MAX_BATCH:
                await asyncio.sleep(GATHER_SECONDS)

    async def _leave(self) -> None:
        left = len(self._batch) + self._queue.qsize()
        if left:
            _dropped.labels("shutdown").inc(left)
            log.warning("interactions were dropped at shutdown", count=left)
        await self._publisher.close()

    def _fill(self) -> None:
        while len(self._batch) < MAX_BATCH and not self._queue.empty():
            self._batch.append(self._queue.get_nowait())
        _waiting.set(self._queue.qsize())


def _outgoing(event: Event) -> Outgoing:
    headers, value = to_record(event)
    return Outgoing(event.topic, event.key.encode(), value, headers)
