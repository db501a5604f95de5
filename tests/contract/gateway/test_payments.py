"""What the gateway relies on in the payment service, for the fake and the real one with its sandbox."""

import pytest

from protos.gen.ecommerce.order.v1 import Order, OrderItem, OrderStatus
from protos.gen.ecommerce.payment.v1 import Payment, PaymentStatus
from services.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from services.gateway.payments import Buyer, Refund
from tests.contract.gateway.conftest import Services
from tests.factories.gateway import usd

THANKS = "/thanks?to=ada"


def _buyer(services: Services) -> Buyer:
    return Buyer("ada@example.com", "Ada", services.origin)


async def _order(services: Services, token: str, minor_units: int = 1999) -> Order:
    product = await services.products.create(token, "Mug", "Holds tea.", usd(minor_units))
    return await services.orders.place(token, [OrderItem(product.id, 2)], "")


async def _checkout(services: Services, token: str, order: Order) -> str:
    return await services.payments.open_checkout(token, _buyer(services), order.id, services.origin + THANKS)


async def _paid(services: Services, token: str, order: Order) -> Payment:
    """The order's only payment, once the buyer has paid."""
    await services.pay(order.id, await _checkout(services, token, order))
    (of_order,) = await services.payments.of_orders(token, [order.id])
    (payment,) = of_order
    return payment


async def test_a_page_is_on_our_own_address(services: Services) -> None:
    """It is where the client reached the platform; asked for again, it is the same one."""
    token, _ = await services.customer()
    order = await _order(services, token)
    url = await _checkout(services, token, order)
    assert url.startswith(f"{services.origin}/checkout/")
    assert await _checkout(services, token, order) == url


async def test_only_the_owner_opens_a_page(services: Services) -> None:
    """For others, administrators included, the order does not exist, as one that there is not."""
    (token, _), (other, _) = await services.customer(), await services.customer()
    order = await _order(services, token)
    for stranger in (other, services.administrator):
        with pytest.raises(NotFoundError):
            await _checkout(services, stranger, order)
    with pytest.raises(NotFoundError):
        await services.payments.open_checkout(token, _buyer(services), 2**31 - 1, services.origin + THANKS)


@pytest.mark.parametrize("redirect_url", ["https://evil.example/thanks", "//evil.example", "javascript:alert(1)", ""])
async def test_a_redirect_elsewhere_is_refused(services: Services, redirect_url: str) -> None:
    """Only the platform's own host is allowed where no other is named."""
    token, _ = await services.customer()
    order = await _order(services, token)
    with pytest.raises(InvalidError):
        await services.payments.open_checkout(token, _buyer(services), order.id, redirect_url)


async def test_a_portal_is_opened(services: Services) -> None:
    """On our own address, too, also for who has bought nothing yet."""
    token, _ = await services.customer()
    assert (await services.payments.open_portal(token, _buyer(services))).startswith(f"{services.origin}/portal/")


async def test_a_paid_order_has_its_payment(services: Services) -> None:
    """One, of the order's total, and the order is paid: it cannot be paid again."""
    token, account_id = await services.customer()
    order = await _order(services, token)
    payment = await _paid(services, token, order)
    assert (payment.order_id, payment.account_id, payment.provider) == (order.id, account_id, "sandbox")
    assert (payment.status, payment.amount) == (PaymentStatus.SUCCEEDED, usd(3998))
    assert (payment.refunded, payment.refunding) == (usd(0), usd(0))
    assert payment.created_at is not None
    assert payment.created_at.tzinfo is not None
    assert (await services.orders.get(token, order.id)).status is OrderStatus.PAID
    with pytest.raises(ConflictError):
        await _checkout(services, token, order)


async def test_payments_come_in_the_order_asked_for(services: Services) -> None:
    """Each order has its own; one without any, another's and one that does not exist have none."""
    (token, _), (other, _) = await services.customer(), await services.customer()
    first, unpaid, second = [await _order(services, token) for _ in range(3)]
    strange = await _order(services, other)
    payments = [await _paid(services, token, first), await _paid(services, token, second)]
    theirs = await _paid(services, other, strange)
    ids = [second.id, unpaid.id, strange.id, 2**31 - 1, first.id]
    assert await services.payments.of_orders(token, ids) == [[payments[1]], [], [], [], [payments[0]]]
    assert await services.payments.of_orders(services.administrator, ids) == [
        [payments[1]],
        [],
        [theirs],
        [],
        [payments[0]],
    ]


async def test_an_administrator_gives_money_back(services: Services) -> None:
    """A part, once for each key, then all that is left; more there is not."""
    token, _ = await services.customer()
    payment = await _paid(services, token, await _order(services, token))

    async def refund(minor_units: int | None, key: str = "") -> int:
        amount = None if minor_units is None else usd(minor_units)
        answered = await services.payments.refund(services.administrator, Refund(payment.id, amount, "A scratch.", key))
        assert (answered.id, answered.amount) == (payment.id, payment.amount)
        return sum(money.minor_units for money in (answered.refunded, answered.refunding) if money)

    assert await refund(998, key=f"key of {payment.id}") == 998
    assert await refund(998, key=f"key of {payment.id}") == 998
    with pytest.raises(ConflictError):
        await refund(3001)
    assert await refund(None) == 3998
    for left in (None, 1):
        with pytest.raises(ConflictError):
            await refund(left)


async def test_nobody_else_gives_money_back(services: Services) -> None:
    """Not who paid; and what was never paid is not found."""
    token, _ = await services.customer()
    payment = await _paid(services, token, await _order(services, token))
    with pytest.raises(ForbiddenError):
        await services.payments.refund(token, Refund(payment.id, None, "", ""))
    with pytest.raises(NotFoundError):
        await services.payments.refund(services.administrator, Refund("no payment", None, "", ""))
