"""What is asked about when nothing was told: lost webhooks, pages whose time is over, processes that died."""

import pytest

from protos.gen.ecommerce.product import v1 as product_v1
from tests.integration.order.conftest import Person
from tests.integration.payment.till import Till

STATUS = "SELECT status FROM checkout_sessions WHERE order_id = :o ORDER BY created_at DESC LIMIT 1"
PAGE = "SELECT status FROM sandbox_checkouts WHERE order_id = :o ORDER BY created_at DESC LIMIT 1"


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """Sessions are asked about after a second instead of a quarter of an hour."""
    return {"RECONCILE_AFTER": "1"}


async def test_a_webhook_that_never_came(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """The provider is asked, and the order is paid; what comes after all changes nothing."""
    order_id = (await till.place(buyer, {product.id: 1})).id
    await till.paid_page(buyer, order_id)
    await till.becomes(administrator, "PAID", order_id)
    posted = await till.posted(order_id)
    ids = [one.id for one in posted]
    assert not await till.sql("SELECT delivery_id FROM webhook_deliveries WHERE delivery_id = ANY(:ids)", ids=ids)
    await till.delivered(*posted)
    await till.settled(order_id)
    assert await till.status(administrator, order_id) == "PAID"
    assert len(await till.shown_payments(buyer, order_id)) == 1


async def test_a_page_whose_time_is_over(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """It is closed on both sides, the order stays placed, and can be paid on another page."""
    order_id = (await till.place(buyer, {product.id: 1})).id
    page = await till.checkout(buyer, order_id)
    await till.change("UPDATE checkout_sessions SET expires_at = now() WHERE order_id = :o", o=order_id)
    await till.until(STATUS, "expired", o=order_id)
    await till.until(PAGE, "expired", o=order_id)
    await till.press(page, "pay")
    assert await till.posted(order_id) == []
    assert await till.status(administrator, order_id) == "PLACED"
    again = await till.checkout(buyer, order_id)
    assert again != page
    assert await till.press(again, "pay") == 303
    await till.becomes(administrator, "PAID", order_id)


async def test_paid_at_the_last_moment(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """A session whose time is over, but which was paid before, is paid."""
    order_id = (await till.place(buyer, {product.id: 1})).id
    page = await till.checkout(buyer, order_id)
    assert await till.press(page, "pay") == 303
    await till.change("UPDATE checkout_sessions SET expires_at = now() WHERE order_id = :o", o=order_id)
    await till.becomes(administrator, "PAID", order_id)
    await till.until(STATUS, "completed", o=order_id)


async def test_a_page_that_was_left_half_opened(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """Its process died before the address was stored, and nobody came back: it ends when its time is over."""
    order_id = (await till.place(buyer, {product.id: 1})).id
    await till.checkout(buyer, order_id)
    await till.change(
        "UPDATE checkout_sessions SET status = 'opening', url = '', provider_session_id = '',"
        " checked_at = now() - interval '2 minutes', expires_at = now() WHERE order_id = :o",
        o=order_id,
    )
    await till.until(STATUS, "expired", o=order_id)
    await till.until(PAGE, "expired", o=order_id)
    assert await till.status(administrator, order_id) == "PLACED"
    assert await till.press(await till.checkout(buyer, order_id), "pay") == 303
    await till.becomes(administrator, "PAID", order_id)


async def test_a_replaced_page_takes_no_payment(till: Till, buyer: Person, product: product_v1.Product) -> None:
    """With another way back, a new page takes the place of the old one."""
    order_id = (await till.place(buyer, {product.id: 1})).id
    old = await till.checkout(buyer, order_id)
    new = await till.checkout(buyer, order_id, "http://127.0.0.1/elsewhere")
    assert old != new
    await till.until(
        "SELECT string_agg(status, ' ' ORDER BY created_at) FROM sandbox_checkouts WHERE order_id = :o",
        "expired open",
        o=order_id,
    )
    await till.press(old, "pay")
    assert await till.posted(order_id) == []


async def test_asking_goes_on_after_a_kill(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """Killed while it asks, it asks again after its start."""
    order_id = (await till.place(buyer, {product.id: 1})).id
    async with till.held("payments", "INSERT") as held:
        await till.paid_page(buyer, order_id)
        await held.reached()
        await till.killed()
    await till.started()
    await till.becomes(administrator, "PAID", order_id)
