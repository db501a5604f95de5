"""Who looked at which product: told on Kafka for the recommender's sake, never at the expense of the person looking.

A view is noted in memory and the request goes on. Each view of an account is an event of its own; those of visitors are
only counted by product, and all that came together within a second are one event: most views are theirs, and many are
answered from memory, where an event for each would cost more than the answer. A background loop publishes. While Kafka
is away the batch is tried again and views gather; what no longer fits is dropped and counted. A view that is lost costs
nobody anything, so none is worth a slow or failed request.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Protocol

import structlog
from betterproto2 import Message
from prometheus_client import Counter, Gauge

from protos.gen.ecommerce.events.v1 import ProductRetrieved, ProductsRetrieved, Retrievals
from services import telemetry
from services.errors import UnavailableError
from services.events import Event, new_event, to_record
from services.loops import first_of, work_until
from services.publisher import Outcome, Outgoing, RefusedError

TOPIC: Final = "interaction_events"
SOURCE: Final = "/gateway"
# Views of accounts, and products viewed by visitors, kept while Kafka is away: about 200 bytes each, 4 MB in all.
CAPACITY: Final = 10_000
# Events of one attempt, and products in one event: the recommender takes hundreds of events at once.
MAX_BATCH: Final = 500
MAX_PRODUCTS: Final = 100
# Seconds in which views gather to a batch: sending each by itself costs more than answering its request.
GATHER_SECONDS: Final = 1.0
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
    """What was viewed and is still to be told, and its sender; bounded by `capacity` for accounts and for visitors."""

    def __init__(
        self,
        publisher: Publisher,
        *,
        capacity: int = CAPACITY,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._publisher = publisher
        self._capacity = capacity
        self._clock = clock
        self._ids = ids
        # Of accounts; and by visitors, how often each product was viewed.
        self._views: deque[Event] = deque()
        self._visits: dict[str, int] = {}
        self._arrived = asyncio.Event()
        # Made of them and not yet published, each with the number of views that it tells of.
        self._batch: list[tuple[Event, int]] = []

    def viewed(self, product_id: str, account_id: int | None) -> None:
        """Notes that the account, or a visitor (None), looked at the product; returns at once."""
        if account_id is None:
            views = self._visits.get(product_id, 0)
            if not views and len(self._visits) >= self._capacity:
                _dropped.labels("full").inc()
                return
            self._visits[product_id] = views + 1
        elif len(self._views) >= self._capacity:
            _dropped.labels("full").inc()
            return
        else:
            self._views.append(self._event(str(account_id), _by_account(product_id, account_id)))
        self._arrived.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publishes until told to stop, then for a few seconds more what waits; the rest is dropped and counted."""
        try:
            await work_until(stop, self._work(stop), FINISH_SECONDS)
        finally:
            await self._leave()

    async def run_once(self) -> int:
        """Waits for views, publishes one batch of them and answers how many Kafka took."""
        if not self._batch:
            await self._arrived.wait()
        self._fill()
        outcomes = await self._publisher.publish([_outgoing(event) for event, _ in self._batch])
        done = list(zip(self._batch, outcomes, strict=True))
        sent = sum(views for (_, views), outcome in done if outcome is None)
        _sent.inc(sent)
        _dropped.labels("refused").inc(sum(views for (_, views), outcome in done if isinstance(outcome, RefusedError)))
        self._batch = [each for each, outcome in done if isinstance(outcome, UnavailableError)]
        _waiting.set(self._left())
        return sent

    async def _work(self, stop: asyncio.Event) -> None:
        while not (stop.is_set() and not self._left()):
            if not self._left():
                await first_of(RETRY_SECONDS, stop, self._arrived)
                continue
            if len(self._views) + len(self._visits) < MAX_BATCH:
                await first_of(GATHER_SECONDS, stop)
            await self.run_once()
            if self._batch:
                await asyncio.sleep(RETRY_SECONDS)

    async def _leave(self) -> None:
        left = self._left()
        if left:
            _dropped.labels("shutdown").inc(left)
            log.warning("interactions were dropped at shutdown", count=left)
        await self._publisher.close()

    def _left(self) -> int:
        return sum(views for _, views in self._batch) + len(self._views) + sum(self._visits.values())

    def _fill(self) -> None:
        """Makes events of what visitors viewed, and takes the views of accounts, as many as a batch may have."""
        while self._visits and len(self._batch) < MAX_BATCH:
            taken = dict(islice(self._visits.items(), MAX_PRODUCTS))
            for product_id in taken:
                del self._visits[product_id]
            with telemetry.tracer.start_as_current_span(f"{TOPIC} gather"):
                self._batch.append((self._event("", _by_visitors(taken)), sum(taken.values())))
        while self._views and len(self._batch) < MAX_BATCH:
            self._batch.append((self._views.popleft(), 1))
        if not self._views and not self._visits:
            self._arrived.clear()

    def _event(self, key: str, message: Message) -> Event:
        event = new_event(TOPIC, key, message, SOURCE, self._clock, self._ids)
        return event if key else replace(event, key=event.id)


def _by_account(product_id: str, account_id: int) -> Message:
    return ProductRetrieved(product_id=product_id, account_id=account_id)


def _by_visitors(visits: Mapping[str, int]) -> Message:
    return ProductsRetrieved(
        retrievals=[Retrievals(product_id=product_id, quantity=views) for product_id, views in visits.items()]
    )


def _outgoing(event: Event) -> Outgoing:
    headers, value = to_record(event)
    return Outgoing(event.topic, event.key.encode(), value, headers)
