"""Kafka as the recommender's intake sees it: events put on the topics, and where its consumer groups have got to."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import stamina
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from betterproto2 import Message

from protos.gen.ecommerce.events import v1
from protos.gen.ecommerce.money.v1 import Money
from services.events import Event, ensure_topics, new_event, to_record
from services.publisher import Outgoing, Publisher

GROUPS: Final = {"product_events": "recommender-products", "interaction_events": "recommender-interactions"}
# Longest that anything on a busy machine takes which the tests wait for.
PATIENCE: Final = 90.0
Positions = Mapping[TopicPartition, int]


def product(product_id: str, description: str, version: int = 1, name: str = "") -> Event:
    """Tells that a product is there; above version 1, that it changed."""
    snapshot = v1.ProductSnapshot(
        id=product_id,
        name=name or f"Thing {product_id}",
        description=description,
        price=Money(minor_units=1999, currency="USD"),
        account_id=1,
        version=version,
    )
    message = v1.ProductCreated(product=snapshot) if version == 1 else v1.ProductUpdated(product=snapshot)
    return _event("product_events", product_id, message)


def deleted(product_id: str, version: int = 2) -> Event:
    """Tells that a product is gone."""
    return _event("product_events", product_id, v1.ProductDeleted(id=product_id, account_id=1, version=version))


def view(account_id: int | None, product_id: str, at: datetime | None = None) -> Event:
    """Tells that somebody looked at a product."""
    key = product_id if account_id is None else str(account_id)
    return _event("interaction_events", key, v1.ProductRetrieved(product_id=product_id, account_id=account_id), at)


def purchase(account_id: int, product_id: str, at: datetime | None = None, quantity: int = 1) -> Event:
    """Tells that an account bought a product."""
    message = v1.ProductPurchased(product_id=product_id, account_id=account_id, quantity=quantity, order_id=1)
    return _event("interaction_events", str(account_id), message, at)


def record(event: Event) -> Outgoing:
    """Answers the event as a record to send."""
    headers, value = to_record(event)
    return Outgoing(event.topic, event.key.encode(), value, headers)


def _event(topic: str, key: str, message: Message, at: datetime | None = None) -> Event:
    return new_event(topic, key, message, "/test", lambda: at or datetime.now(UTC), lambda: str(uuid4()))


class Feed:
    """Both topics of the recommender, from the moment on when it was opened."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._publisher = Publisher(bootstrap_servers, client_id="recommender-test")
        self._beginning: Positions = {}

    async def open(self) -> None:
        """Has both groups begin here: what other tests have put on the topics is none of this one's business."""
        await ensure_topics(self._servers, GROUPS)
        self._beginning = await self._ends()
        await self.rewind()

    async def close(self) -> None:
        """Closes its connections."""
        await self._publisher.close()

    async def tell(self, *events: Event) -> None:
        """Puts events on their topics, all of them acknowledged."""
        await self.send([record(event) for event in events])

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Puts records on their topics, all of them acknowledged."""
        assert await self._publisher.publish(records) == [None] * len(records)

    async def rewind(self) -> None:
        """Makes both groups read everything since the opening again; their members have to be gone."""
        for topic, group in GROUPS.items():
            positions = {partition: at for partition, at in self._beginning.items() if partition.topic == topic}
            await self._commit(group, positions)

    async def caught_up(self) -> None:
        """Waits until both groups have done all that is on the topics now."""
        ends = await self._ends()
        await self._until(lambda done: all(done[partition] >= end for partition, end in ends.items()))

    async def _until(self, enough: Callable[[Positions], bool]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)
        done: Positions = {}
        try:
            await admin.start()
            async with asyncio.timeout(PATIENCE):
                while not (done and enough(done)):
                    await asyncio.sleep(0.05)
                    done = await self._committed(admin)
        except TimeoutError:
            raise AssertionError(f"the recommender has not got further than {done}") from None
        finally:
            await admin.close()

    async def _committed(self, admin: AIOKafkaAdminClient) -> Positions:
        """Answers where both groups are; where nothing was committed yet, that is the opening."""
        done = dict(self._beginning)
        for topic, group in GROUPS.items():
            wanted = [partition for partition in done if partition.topic == topic]
            for partition, position in (await admin.list_consumer_group_offsets(group, partitions=wanted)).items():
                done[partition] = max(position.offset, done[partition])
        return done

    async def _ends(self) -> Positions:
        async with AIOKafkaConsumer(*GROUPS, bootstrap_servers=self._servers) as consumer:
            ends: Positions = await consumer.end_offsets(consumer.assignment())
        return ends

    async def _commit(self, group: str, positions: Positions) -> None:
        """Sets a group back; a killed member counts as one until its session ends, so it is tried for a while."""
        async for attempt in stamina.retry_context(on=KafkaError, attempts=None, timeout=30, wait_max=0.5):
            with attempt:
                async with _member(self._servers, group) as consumer:
                    consumer.assign(list(positions))
                    await consumer.commit(dict(positions))


def _member(servers: str, group: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False)
