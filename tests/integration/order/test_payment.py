"""What the payment service may do with orders, signed in by account for the secret that both know."""

import pytest

from protos.gen.ecommerce.order import v1 as order_v1
from services import rpc
from services.errors import ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError, UnavailableError
from tests.integration.order.conftest import Person, Shop

PAID = order_v1.OrderStatus.PAID


async def get(shop: Shop, token: str | None, order_id: int) -> order_v1.Order | None:
    with rpc.acting_as(token):
        return (await shop.orders.get_order(order_v1.GetOrderRequest(id=order_id))).order


async def placed(shop: Shop, seller: Person, buyer: Person) -> order_v1.Order:
    return await shop.place(buyer, {(await shop.product(seller, 1999)).id: 2})


async def test_an_order_is_read_by_owner_payment_and_administrator(
    shop: Shop, seller: Person, buyer: Person, administrator: Person
) -> None:
    """Whole, as it was answered when it was placed; for others there is none, and nobody has to sign in."""
    order = await placed(shop, seller, buyer)
    for token in (buyer.token, administrator.token, await shop.payment().current()):
        assert await get(shop, token, order.id) == order
    for token, order_id in ((seller.token, order.id), (buyer.token, 2**31 - 1), (buyer.token, -1)):
        with pytest.raises(NotFoundError, match=f"There is no order {order_id}"):
            await get(shop, token, order_id)
    with pytest.raises(UnauthenticatedError):
        await get(shop, None, order.id)


async def test_payment_moves_an_order_and_nothing_else(shop: Shop, seller: Person, buyer: Person) -> None:
    """It says that an order is paid, may say so twice, and has no orders, products or account of its own."""
    order = await placed(shop, seller, buyer)
    payment = Person(0, await shop.payment().current())
    assert (await shop.move(payment, order.id, PAID)).status is PAID
    assert (await shop.move(payment, order.id, PAID)).status is PAID
    with pytest.raises(ConflictError):
        await shop.move(payment, order.id, order_v1.OrderStatus.CANCELLED)
    with pytest.raises(ForbiddenError):
        await shop.place(payment, {order.lines[0].product_id: 1})
    with pytest.raises(ForbiddenError):
        await shop.shown(payment, buyer.id)
    with pytest.raises(ForbiddenError):
        await shop.product(payment, 1)


async def test_a_wrong_secret_signs_nobody_in(shop: Shop) -> None:
    """The service hears that it cannot sign in now; whoever runs it finds the reason in its log."""
    with pytest.raises(UnavailableError):
        await shop.payment("not the secret of the payment service").current()
