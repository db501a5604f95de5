"""What reading a stretch of product_events promises, in memory and on Kafka."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from local.datastores import Datastores
from services import events
from services.errors import UnavailableError
from services.events import Event
from services.product.tail import event_tail
from services.publisher import Outgoing, Publisher
from tests.factories.product import announcer, product
from tests.fakes.product import FakeTail
from tests.integration.kafka import new_topic


@dataclass
class Told:
    """A topic under test, empty: `open` opens it, `tell` puts events on it."""

    open: Callable[[], Any]
    tell: Callable[[list[Event]], Awaitable[None]]


@pytest.fixture
def fake_told() -> Told:
    staged: list[Event] = []

    async def tell(told: list[Event]) -> None:
        staged.extend(told)

    return Told(FakeTail(staged).open, tell)


@pytest.fixture
async def kafka_told(datastores: Datastores) -> AsyncIterator[Told]:
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    publisher = Publisher(servers, client_id="test")

    async def tell(told: list[Event]) -> None:
        records = [Outgoing(topic, event.key.encode(), *_value_and_headers(event)) for event in told]
        # Between the events, what is none.
        records.insert(1, Outgoing(topic, told[0].key.encode(), b"garbage", []))
        assert await publisher.publish(records) == [None] * len(records)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        async with event_tail(servers, topic) as tail:
            yield tail

    yield Told(opened, tell)
    await publisher.close()


@pytest.fixture(params=["fake", "kafka"])
def told(request: pytest.FixtureRequest) -> Told:
    """Each of the two in turn."""
    return request.getfixturevalue(f"{request.param}_told")  # type: ignore[no-any-return] # pytest knows no types


async def test_stretches(told: Told) -> None:
    """Each stretch has exactly its events, a product's in their order; what is no event is passed over."""
    announce = announcer()
    first = [announce.created(product(number)) for number in range(1, 41)]
    second = [announce.updated(product(number, version=version)) for version in (2, 3) for number in range(1, 31)]
    async with told.open() as tail:
        beginning = await tail.ends()
        assert await _read(tail, beginning, beginning) == []
        await told.tell(first)
        middle = await tail.ends()
        await told.tell(second)
        end = await tail.ends()
        assert _by_key(await _read(tail, beginning, middle)) == _by_key(first)
        assert _by_key(await _read(tail, middle, end)) == _by_key(second)
        assert _by_key(await _read(tail, beginning, end)) == _by_key([*first, *second])
        # Offsets that were not noted are beginnings.
        assert _by_key(await _read(tail, {}, middle)) == _by_key(first)
        assert await _read(tail, end, middle) == []


async def test_away() -> None:
    """Where no Kafka is, that is said."""
    with pytest.raises(UnavailableError):
        async with event_tail("127.0.0.1:1", "product_events"):
            pass


async def _read(tail: Any, start: dict[int, int], until: dict[int, int]) -> list[Event]:
    return [event async for batch in tail.read(start, until) for event in batch]


def _by_key(found: list[Event]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for event in found:
        ids.setdefault(event.key, []).append(event.id)
    return ids


def _value_and_headers(event: Event) -> tuple[bytes, list[tuple[str, bytes]]]:
    headers, value = events.to_record(event)
    return value, headers
