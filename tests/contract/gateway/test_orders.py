"""What the gateway relies on in the order service, for the fake and the real one."""

from uuid import uuid4

import pytest

from protos.gen.ecommerce.order.v1 import OrderItem, OrderStatus
from services.errors import ForbiddenError, InvalidError, NotFoundError
from tests.contract.gateway.conftest import Services
from tests.factories.gateway import usd


async def _product(services: Services, token: str, minor_units: int = 1999) -> str:
    return (await services.products.create(token, "Mug", "Holds tea.", usd(minor_units))).id


async def test_an_order_keeps_the_prices_of_its_moment(services: Services) -> None:
    """Names, prices and the total are the catalogue's; lines of one product are merged; the time is in UTC."""
    token, account_id = await services.customer()
    mug, bowl = await _product(services, token), await _product(services, token, 1)
    items = [OrderItem(mug, 1), OrderItem(bowl, 5), OrderItem(mug, 2)]
    order = await services.orders.place(token, items, "")
    assert (order.account_id, order.status, order.total_price) == (account_id, OrderStatus.PLACED, usd(6002))
    assert order.created_at is not None
    assert order.created_at.tzinfo is not None
    lines = [(line.product_id, line.name, line.description, line.price, line.quantity) for line in order.lines]
    assert lines == [(mug, "Mug", "Holds tea.", usd(1999), 3), (bowl, "Mug", "Holds tea.", usd(1), 5)]


async def test_what_is_no_order_is_refused(services: Services) -> None:
    """No lines, no pieces and an unknown product are errors."""
    token, _ = await services.customer()
    product = await _product(services, token)
    with pytest.raises(InvalidError):
        await services.orders.place(token, [], "")
    with pytest.raises(InvalidError):
        await services.orders.place(token, [OrderItem(product, 0)], "")
    with pytest.raises(NotFoundError):
        await services.orders.place(token, [OrderItem(str(uuid4()), 1)], "")


async def test_a_key_makes_a_repetition_harmless(services: Services) -> None:
    """The same key answers the same order; another key, another account and no key make new ones."""
    token, _ = await services.customer()
    items = [OrderItem(await _product(services, token), 1)]
    other, _ = await services.customer()
    placed = [
        (await services.orders.place(who, items, key)).id
        for who, key in ((token, "a"), (token, "a"), (token, "b"), (other, "a"), (token, ""), (token, ""))
    ]
    assert placed[0] == placed[1]
    assert len(set(placed)) == 5


async def test_orders_of_accounts_come_newest_first(services: Services) -> None:
    """Each account asked for has its page, in the order asked for, newest first, empty where there is nothing."""
    (token, mine), (_, others) = await services.customer(), await services.customer()
    items = [OrderItem(await _product(services, token), 1)]
    ids = [(await services.orders.place(token, items, "")).id for _ in range(3)]

    async def pages(skip: int, take: int) -> list[list[int]]:
        answer = await services.orders.of_accounts(services.administrator, [others, mine], skip, take)
        return [[order.id for order in orders] for orders in answer]

    assert await pages(0, 10) == [[], ids[::-1]]
    assert await pages(1, 1) == [[], [ids[1]]]
    assert [order.id for order in (await services.orders.of_accounts(token, [mine], 0, 10))[0]] == ids[::-1]


async def test_others_orders_are_for_administrators(services: Services) -> None:
    """A customer who asks for another's orders, even beside the own ones, gets a ForbiddenError."""
    (token, mine), (_, others) = await services.customer(), await services.customer()
    with pytest.raises(ForbiddenError):
        await services.orders.of_accounts(token, [mine, others], 0, 10)


async def test_one_order_is_its_owners(services: Services) -> None:
    """An administrator gets any; for everybody else another's order does not exist."""
    (token, _), (other, _) = await services.customer(), await services.customer()
    order = await services.orders.place(token, [OrderItem(await _product(services, token), 2)], "")
    assert await services.orders.get(token, order.id) == order
    assert await services.orders.get(services.administrator, order.id) == order
    for who, order_id in ((other, order.id), (token, 2**31 - 1), (token, 0)):
        with pytest.raises(NotFoundError, match=f"There is no order {order_id}"):
            await services.orders.get(who, order_id)
