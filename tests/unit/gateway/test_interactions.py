"""Claims about views: told with the viewer, in batches, within bounds, and never in anyone's way."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from protos.gen.ecommerce.events.v1 import ProductRetrieved, ProductsRetrieved
from services import codec
from services.gateway import interactions as module
from services.gateway.interactions import MAX_BATCH, MAX_PRODUCTS, Interactions
from services.publisher import Outgoing, RefusedError
from tests.fakes.gateway import FakePublisher
from tests.unit.gateway.conftest import Shop

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


def _message(record: Outgoing) -> ProductRetrieved:
    assert record.value is not None
    return codec.decode(ProductRetrieved, record.value)


def _visits(publisher: FakePublisher) -> dict[str, int]:
    """How often visitors viewed what, by all that was published."""
    seen: Counter[str] = Counter()
    for record in publisher.records:
        if dict(record.headers)["ce_type"].endswith(b".ProductsRetrieved"):
            assert record.value is not None
            told = codec.decode(ProductsRetrieved, record.value).retrievals
            assert 0 < len(told) <= MAX_PRODUCTS
            seen.update({each.product_id: each.quantity for each in told})
    return seen


def _viewers(publisher: FakePublisher) -> list[tuple[str, int | None]]:
    """Accounts' views in order."""
    told = [record for record in publisher.records if dict(record.headers)["ce_type"].endswith(b".ProductRetrieved")]
    return [(_message(record).product_id, _message(record).account_id) for record in told]


def _dropped(reason: str) -> float:
    return REGISTRY.get_sample_value("gateway_interactions_dropped_total", {"reason": reason}) or 0.0


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def interactions(publisher: FakePublisher) -> Interactions:
    return Interactions(publisher, capacity=3, clock=lambda: NOW, ids=lambda: "an-id")


async def test_a_view_says_who_saw_what(interactions: Interactions, publisher: FakePublisher) -> None:
    """An account's view is an event that is keyed by it; visitors' views are counted by product and name nobody."""
    interactions.viewed("mug", 7)
    for name in ("bowl", "mug", "bowl"):
        interactions.viewed(name, None)
    assert await interactions.run_once() == 4
    visitors, account = publisher.records
    assert (account.topic, account.key) == ("interaction_events", b"7")
    assert _viewers(publisher) == [("mug", 7)]
    assert _visits(publisher) == {"bowl": 2, "mug": 1}
    assert visitors.key == b"an-id"
    for record, kind in ((account, b"ProductRetrieved"), (visitors, b"ProductsRetrieved")):
        headers = dict(record.headers)
        assert headers["ce_type"] == b"ecommerce.events.v1." + kind
        assert (headers["ce_id"], headers["ce_source"]) == (b"an-id", b"/gateway")
        assert headers["ce_time"].decode() == NOW.isoformat()


async def test_only_a_product_that_was_seen_is_told(shop: Shop) -> None:
    """product(id:) tells of a view with the viewer; lists, searches and missing products tell nothing."""
    token = await shop.customer()
    product = await shop.product(token)
    query = "query($id: String, $q: String) { product(id: $id, query: $q) { id } }"
    for variables in ({}, {"q": "mug"}, {"id": "nothing"}):
        await shop.data(query, variables)
    assert shop.interactions._left() == 0
    await shop.data(query, {"id": product}, token)
    await shop.data(query, {"id": product})
    await shop.ask(query, {"id": product}, shop.services.key.expired_token(1))
    await shop.interactions.run_once()
    assert _viewers(shop.publisher) == [(product, 1)]
    assert _visits(shop.publisher) == {product: 2}


async def test_one_request_is_one_look(shop: Shop) -> None:
    """A product that several fields of a request show was looked at once; another product is another look."""
    owner = await shop.customer()
    mug, bowl = await shop.product(owner, "Mug"), await shop.product(owner, "Bowl")
    await shop.data(
        f'{{ a: product(id: "{mug}") {{ id }} b: product(id: "{mug}") {{ name }} c: product(id: "{bowl}") {{ id }} }}'
    )
    await shop.interactions.run_once()
    assert _visits(shop.publisher) == {mug: 1, bowl: 1}


@pytest.mark.parametrize("viewer", [None, 7])
async def test_what_does_not_fit_is_dropped_and_counted(
    interactions: Interactions, publisher: FakePublisher, viewer: int | None
) -> None:
    """While Kafka is away views gather, the rest is counted, and nothing of what was kept is lost or doubled."""
    publisher.down = True
    before = _dropped("full")
    for n in range(5):
        interactions.viewed(str(n), viewer)
    assert _dropped("full") == before + 2
    assert await interactions.run_once() == 0
    publisher.down = False
    interactions.viewed("5", viewer)
    assert await interactions.run_once() == 4
    kept = dict.fromkeys("0125", 1)
    assert kept == (_visits(publisher) if viewer is None else Counter(name for name, _ in _viewers(publisher)))


async def test_views_go_out_in_bounded_batches(publisher: FakePublisher) -> None:
    """What gathered goes out in batches; an event tells of no more products than it may."""
    interactions = Interactions(publisher)
    for n in range(MAX_BATCH + 1):
        interactions.viewed(str(n), 7)
    assert [await interactions.run_once(), await interactions.run_once()] == [MAX_BATCH, 1]
    for n in range(MAX_PRODUCTS + 1):
        interactions.viewed(str(n), None)
    assert await interactions.run_once() == MAX_PRODUCTS + 1
    assert _visits(publisher) == {str(n): 1 for n in range(MAX_PRODUCTS + 1)}
    assert len(publisher.records) == MAX_BATCH + 3


async def test_what_kafka_refuses_for_good_is_given_up(interactions: Interactions, publisher: FakePublisher) -> None:
    """A refused view is counted and does not hold up the next one."""
    publisher.outcome = RefusedError("too large")
    before = _dropped("refused")
    interactions.viewed("mug", None)
    assert await interactions.run_once() == 0
    assert _dropped("refused") == before + 1
    publisher.outcome = None
    interactions.viewed("bowl", None)
    assert await interactions.run_once() == 1


async def test_stopping_sends_what_waits(interactions: Interactions, publisher: FakePublisher) -> None:
    """Told to stop, the loop publishes what is in the queue, closes the connections and returns."""
    stop = asyncio.Event()
    for name in ("mug", "bowl"):
        interactions.viewed(name, None)
    stop.set()
    await interactions.run(stop)
    assert _visits(publisher) == {"mug": 1, "bowl": 1}
    assert publisher.closed


async def test_stopping_waits_no_longer_than_it_says(
    interactions: Interactions, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Kafka away a stop is bounded in time, and what is lost is counted."""
    monkeypatch.setattr(module, "FINISH_SECONDS", 0.05)
    publisher.down = True
    before = _dropped("shutdown")
    stop = asyncio.Event()
    interactions.viewed("mug", None)
    stop.set()
    await interactions.run(stop)
    assert _dropped("shutdown") == before + 1
    assert publisher.closed


async def test_the_loop_tries_again(
    interactions: Interactions, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view that could not be sent is sent once Kafka is back, without another view to push it."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    publisher.down = True
    stop = asyncio.Event()
    running = asyncio.create_task(interactions.run(stop))
    interactions.viewed("mug", None)
    await publisher.reaches(3)
    publisher.down = False
    await publisher.reaches(len(publisher.batches) + 1)
    stop.set()
    await running
    assert _visits(publisher) == {"mug": 1}
