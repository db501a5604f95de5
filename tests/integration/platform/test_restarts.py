"""Claims about datastores that go away: errors are clear, nothing acknowledged is lost, nothing needs a restart."""

import asyncio
from uuid import uuid4

import pytest

from local.platform import Platform
from tests.client import CREATE_ORDER, CREATE_PRODUCT, PRODUCT_BY_ID, SEARCH, UPDATE_PRODUCT, GraphQL, all_orders
from tests.integration.platform.events import read_topic
from tests.integration.platform.trickle import Trickle

# Seconds in which everything has to work again by itself once a datastore is back, on a busy machine.
HEALING = 60.0
# How long Kafka is down in the test that says "for a minute".
MINUTE = 60.0


async def _searchable(ask: GraphQL, name: str, product_id: str) -> None:
    """Waits until text search answers the product."""
    async with asyncio.timeout(HEALING):
        while True:
            answer = await ask.ask(SEARCH, {"q": name})
            if any(product["id"] == product_id for product in answer.data.get("product", [])):
                return
            await asyncio.sleep(0.1)


@pytest.mark.timeout(600)
async def test_datastores_restarted_under_a_trickle(platform: Platform, ask: GraphQL) -> None:
    """Each datastore killed and started again in turn: clear errors, all heals by itself, every acknowledged write is there."""  # noqa: E501
    pids = {name: platform.service(name).pid for name in ("account", "product", "order", "payment", "gateway")}
    token = await ask.register(f"{uuid4().hex}@example.com")
    datastores = platform.datastores
    async with Trickle(ask, token) as trickle:
        await trickle.all_work(HEALING)
        for store in (datastores.postgres, datastores.kafka, datastores.elasticsearch):
            await store.kill()
            await asyncio.sleep(3)  # the outage itself: requests go on failing meanwhile
            await store.start()
            await trickle.all_work(HEALING)

    assert not trickle.faults
    assert {code for codes in trickle.codes.values() for code in codes} <= {"UNAVAILABLE"}
    assert pids == {name: platform.service(name).pid for name in pids}
    assert await all_orders(ask, token) >= set(trickle.orders)
    for product_id in trickle.products:
        (product,) = (await ask(PRODUCT_BY_ID, {"id": product_id}))["product"]
        await _searchable(ask, product["name"], product_id)


@pytest.mark.timeout(600)
async def test_kafka_down_for_a_minute(platform: Platform, ask: GraphQL) -> None:
    """Orders and products are accepted without Kafka; their events arrive afterwards, each product's in order."""
    token = await ask.register(f"{uuid4().hex}@example.com")
    kafka = platform.datastores.kafka
    await kafka.kill()
    ends = asyncio.get_running_loop().time() + MINUTE
    versions: dict[str, int] = {}
    orders: list[int] = []
    while asyncio.get_running_loop().time() < ends:
        product = {"name": "made in the dark", "description": "", "price": 1.5}
        product_id = (await ask(CREATE_PRODUCT, {"p": product}, token))["createProduct"]["id"]
        for price in (2.5, 3.5):
            updated = await ask(UPDATE_PRODUCT, {"p": product | {"id": product_id, "price": price}}, token)
            versions[product_id] = updated["updateProduct"]["version"]
        order = {"products": [{"id": product_id, "quantity": 1}]}
        orders.append((await ask(CREATE_ORDER, {"o": order}, token))["createOrder"]["id"])
        await asyncio.sleep(1)
    await kafka.start()

    def all_there(seen: dict[str, list[int]]) -> bool:
        return all(seen.get(key, [0])[-1] == last for key, last in versions.items())

    changes = await read_topic(kafka.bootstrap_servers, "product_events", all_there, within=HEALING)
    for product_id, last in versions.items():
        assert changes[product_id] == list(range(1, last + 1))
    wanted = {str(order_id) for order_id in orders}
    placed = await read_topic(
        kafka.bootstrap_servers, "order_events", lambda seen: wanted <= seen.keys(), within=HEALING
    )
    assert all(len(placed[key]) == 1 for key in wanted)
