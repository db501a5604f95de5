"""What must not lose an order: the process killed, Kafka frozen or away, PostgreSQL restarted."""

import asyncio
import os
from uuid import uuid4

import pytest
from sqlalchemy import text

from local.datastores import Datastores
from local.probes import grpc_serves
from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.order import v1 as order_v1
from services.errors import UnavailableError
from tests.integration.order.conftest import Person, Shop
from tests.integration.order.topics import PATIENCE, News, about

# Seconds without Kafka. A minute shows nothing more than this does, and everyone who runs the tests waits for it.
OUTAGE = float(os.environ.get("ORDER_TEST_OUTAGE_SECONDS", "12"))


async def waiting_events(shop: Shop) -> int:
    async with shop.database.session() as session:
        return int((await (await session.connection()).execute(text("SELECT count(*) FROM outbox"))).scalar_one())


async def health_is(shop: Shop, *, serving: bool) -> None:
    """Waits until the service's health says so; nobody announces that."""
    async with asyncio.timeout(PATIENCE):
        while await grpc_serves(shop.order_process.port) is not serving:  # noqa: ASYNC110 another process's state
            await asyncio.sleep(0.1)


async def test_killed_after_the_commit_and_before_anything_is_published(
    shop: Shop, seller: Person, buyer: Person, datastores: Datastores
) -> None:
    """Once the service is back, the order is there once, its events arrive, and a repeat is answered with it."""
    known = await shop.product(seller, 1999)
    news = await News.from_now(datastores.kafka.bootstrap_servers)
    datastores.kafka.pause()
    try:
        order = await shop.place(buyer, {known.id: 2}, "the-key")
        await shop.order_process.kill()
        assert await waiting_events(shop) == 2
    finally:
        datastores.kafka.resume()
    await shop.order_process.start()
    await shop.reachable_again(buyer)
    told = await news.until(
        lambda events: bool(about(events, order.id)) and any(event.key == str(buyer.id) for event in events)
    )
    assert [type(event.message) for event in about(told, order.id)] == [events_v1.OrderPlaced]
    assert len({event.id for event in told if event.key == str(buyer.id)}) == 1
    assert await shop.shown(buyer, buyer.id) == [order]
    assert await shop.place(buyer, {known.id: 2}, "the-key") == order
    assert await shop.shown(buyer, buyer.id) == [order]


async def test_killed_while_orders_pour_in(shop: Shop, seller: Person, buyer: Person, datastores: Datastores) -> None:
    """Clients that repeat their requests with their keys have one order each, whenever the kill hit, with its event."""
    known = await shop.product(seller, 1999)
    news = await News.from_now(datastores.kafka.bootstrap_servers)
    keys = [f"{uuid4()}" for _ in range(40)]
    placing = [asyncio.create_task(shop.placed_again(buyer, {known.id: 1}, key, within=60)) for key in keys]
    await asyncio.wait(placing, return_when=asyncio.FIRST_COMPLETED)
    await shop.order_process.kill()
    await shop.order_process.start()
    orders = await asyncio.gather(*placing)
    ids = {order.id for order in orders}
    assert len(ids) == len(keys)
    assert {order.id for order in await shop.shown(buyer, buyer.id)} == ids
    told = await news.until(lambda events: all(about(events, order_id) for order_id in ids))
    assert all(len(about(told, order_id)) == 1 for order_id in ids)


async def test_kafka_away_for_a_while(
    shop: Shop, seller: Person, buyer: Person, administrator: Person, datastores: Datastores
) -> None:
    """Orders are taken and moved on, also by a service that is started meanwhile; all events arrive, in order."""
    known = await shop.product(seller, 1999)
    news = await News.from_now(datastores.kafka.bootstrap_servers)
    states = order_v1.OrderStatus
    ids: list[int] = []
    await datastores.kafka.kill()
    try:
        clock = asyncio.get_running_loop().time
        back = clock() + OUTAGE
        while clock() < back:
            order = await shop.place(buyer, {known.id: 1})
            await shop.move(administrator, order.id, states.PAID)
            await shop.move(administrator, order.id, states.REFUNDED)
            ids.append(order.id)
        await shop.order_process.restart()
        await shop.reachable_again(buyer)
        late = await shop.place(buyer, {known.id: 1})
    finally:
        await datastores.kafka.start()
    assert len(ids) > 2
    told = await news.until(
        lambda events: all(len(about(events, order_id)) == 3 for order_id in ids) and bool(about(events, late.id))
    )
    for order_id in ids:
        placed, paid, refunded = (event.message for event in about(told, order_id))
        assert isinstance(placed, events_v1.OrderPlaced)
        assert isinstance(paid, events_v1.OrderStatusChanged)
        assert isinstance(refunded, events_v1.OrderStatusChanged)
        assert (paid.previous, paid.current, refunded.current) == (states.PLACED, states.PAID, states.REFUNDED)


async def test_postgresql_restarted_under_way(
    shop: Shop, seller: Person, buyer: Person, datastores: Datastores
) -> None:
    """While it is away, placing says UNAVAILABLE; then the same process works, and nothing acknowledged is lost."""
    known = await shop.product(seller, 1999)
    before = await shop.place(buyer, {known.id: 1})
    pid = shop.order_process.pid
    await datastores.postgres.kill()
    try:
        with pytest.raises(UnavailableError):
            await shop.place(buyer, {known.id: 1}, "while-away")
        await health_is(shop, serving=False)
    finally:
        await datastores.postgres.start()
    await health_is(shop, serving=True)
    after = await shop.placed_again(buyer, {known.id: 1}, "while-away")
    assert shop.order_process.pid == pid
    assert await shop.shown(buyer, buyer.id) == [after, before]
