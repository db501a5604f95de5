"""What must not lose or double a payment: kills at every step, an order service away, webhooks from all sides."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest

from local.datastores import Datastores
from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.payment import v1 as payment_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.errors import ConflictError, UnavailableError
from services.events import Event
from tests.integration.order.conftest import Person
from tests.integration.order.topics import News, about
from tests.integration.payment.till import Till

# Seconds without the order service. A minute shows nothing more than this does, and everyone who runs the tests waits.
OUTAGE = float(os.environ.get("PAYMENT_TEST_OUTAGE_SECONDS", "15"))
SESSIONS = "SELECT count(*) FROM checkout_sessions WHERE order_id = :o"
PAGES = "SELECT count(*) FROM sandbox_checkouts WHERE order_id = :o"
GIVEN_BACK = (
    "SELECT count(*) FROM sandbox_refunds r JOIN sandbox_payments p ON p.id = r.payment_id"
    " JOIN sandbox_checkouts c ON c.id = p.checkout_id WHERE c.order_id = :o"
)
REASONS = (
    "SELECT r.reason, r.status, r.amount_minor FROM refunds r JOIN payments p ON p.id = r.payment_id"
    " WHERE p.order_id = :o AND r.automatic"
)


async def ordered(till: Till, buyer: Person, product: product_v1.Product, quantity: int = 1) -> int:
    return (await till.place(buyer, {product.id: quantity})).id


async def moves(news: News, order_id: int, last: order_v1.OrderStatus) -> list[order_v1.OrderStatus]:
    """The statuses that an order went through, as everybody else is told."""

    def statuses(events: Sequence[Event]) -> list[order_v1.OrderStatus]:
        messages = [event.message for event in about(events, order_id)]
        return [message.current for message in messages if isinstance(message, events_v1.OrderStatusChanged)]

    return statuses(await news.until(lambda events: last in statuses(events)))


async def test_killed_after_the_provider_opened_a_page(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """The page was made and its address never stored: the next request answers that page, and one payment is made."""
    order_id = await ordered(till, buyer, product, 2)
    async with till.held("checkout_sessions", "UPDATE") as held:
        lost = asyncio.create_task(till.checkout(buyer, order_id))
        await held.reached()
        assert (await till.sql(PAGES, o=order_id))[0][0] == 1
        lost.cancel()
        await till.killed()
    await till.started()
    page = await till.checkout(buyer, order_id)
    assert ((await till.sql(SESSIONS, o=order_id))[0][0], (await till.sql(PAGES, o=order_id))[0][0]) == (1, 1)
    assert await till.press(page, "pay") == 303
    assert await till.delivered(*await till.posted(order_id)) == ["applied", "applied"]
    await till.becomes(administrator, "PAID", order_id)
    with pytest.raises(ConflictError):
        await till.checkout(buyer, order_id)


async def test_killed_inside_the_webhooks_transaction(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """Nothing was written and nothing answered; the provider's repetition is taken as the first."""
    order_id = await ordered(till, buyer, product)
    await till.paid_page(buyer, order_id)
    _, succeeded = await till.posted(order_id)
    async with till.held("order_updates", "INSERT") as held:
        unanswered = asyncio.create_task(till.deliver(succeeded))
        await held.reached()
        await till.killed()
        with pytest.raises(httpx.TransportError):
            await unanswered
    await till.started()
    assert (await till.sql("SELECT count(*) FROM webhook_deliveries WHERE delivery_id = :d", d=succeeded.id))[0][0] == 0
    assert await till.delivered(succeeded, succeeded) == ["applied", "duplicate"]
    await till.becomes(administrator, "PAID", order_id)


@pytest.mark.parametrize("step", ["UPDATE", "DELETE"], ids=["before the order is told", "before that is noted"])
async def test_killed_between_the_webhook_and_the_order(  # noqa: PLR0917 fixtures
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person, datastores: Datastores, step: str
) -> None:
    """A webhook that was answered 2xx reaches the order, whenever the kill hits, and changes it once."""
    order_id = await ordered(till, buyer, product)
    await till.paid_page(buyer, order_id)
    news = await News.from_now(datastores.kafka.bootstrap_servers)
    async with till.held("order_updates", step) as held:
        assert await till.delivered(*await till.posted(order_id)) == ["applied", "applied"]
        await held.reached()
        await till.killed()
    if step == "UPDATE":
        assert await till.status(administrator, order_id) == "PLACED"
    await till.started()
    await till.becomes(administrator, "PAID", order_id)
    await till.settled(order_id)
    assert await moves(news, order_id, order_v1.OrderStatus.PAID) == [order_v1.OrderStatus.PAID]


async def test_killed_after_the_provider_gave_money_back(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """The refund's answer was never stored: it is asked for again under the same id, and money is given back once."""
    order_id = await ordered(till, buyer, product)
    await till.paid_page(buyer, order_id)
    await till.delivered(*await till.posted(order_id))
    (payment,) = await till.shown_payments(buyer, order_id)
    async with till.held("refunds", "UPDATE", "NEW.status <> OLD.status") as held:
        with rpc.acting_as(administrator.token):
            await till.payments.refund_payment(payment_v1.RefundPaymentRequest(payment_id=payment.id))
        await held.reached()
        assert (await till.sql(GIVEN_BACK, o=order_id))[0][0] == 1
        await till.killed()
    await till.leases_end()
    await till.started()
    await till.becomes(administrator, "REFUNDED", order_id)
    assert (await till.sql(GIVEN_BACK, o=order_id))[0][0] == 1


async def test_the_order_service_is_away_while_webhooks_arrive(
    till: Till, product: product_v1.Product, administrator: Person
) -> None:
    """All of them are taken meanwhile; every order is paid soon after it is back."""
    buyers = [await till.customer() for _ in range(4)]
    orders = {await ordered(till, buyer, product): buyer for buyer in buyers for _ in range(5)}
    for order_id, buyer in orders.items():
        await till.paid_page(buyer, order_id)
    waiting = iter([await till.posted(order_id) for order_id in orders])
    await till.order_process.kill()
    ends = asyncio.get_running_loop().time() + OUTAGE
    for posted in waiting:
        assert set(await till.delivered(*posted)) == {"applied"}
        await asyncio.sleep(OUTAGE / len(orders))
    await asyncio.sleep(max(0, ends - asyncio.get_running_loop().time()))
    assert (await till.sql("SELECT count(*) FROM order_updates WHERE refusal IS NULL"))[0][0] >= len(orders)
    await till.order_process.start()
    await till.becomes(administrator, "PAID", *orders)
    for order_id in orders:
        await till.settled(order_id)


async def test_one_webhook_a_hundred_times_at_once(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person, datastores: Datastores
) -> None:
    """On two replicas: applied once, all others are duplicates, and the order changes once."""
    order_id = await ordered(till, buyer, product)
    await till.paid_page(buyer, order_id)
    _, succeeded = await till.posted(order_id)
    news = await News.from_now(datastores.kafka.bootstrap_servers)
    await till.started("payment-2")
    try:
        names = ["payment", "payment-2"] * 50
        answers = await asyncio.gather(*(till.deliver(succeeded, instance=name) for name in names))
    finally:
        await till.platform.service("payment-2").stop()
    assert {answer.status_code for answer in answers} == {200}
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert (outcomes.count("applied"), outcomes.count("duplicate")) == (1, 99)
    await till.becomes(administrator, "PAID", order_id)
    await till.settled(order_id)
    assert len(await till.shown_payments(buyer, order_id)) == 1
    assert await moves(news, order_id, order_v1.OrderStatus.PAID) == [order_v1.OrderStatus.PAID]


async def test_one_payment_told_in_many_deliveries_at_once(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """Each is new, and together they come to one payment that is not given back."""
    order_id = await ordered(till, buyer, product)
    await till.paid_page(buyer, order_id)
    posted = await till.posted(order_id)
    await till.started("payment-2")
    try:
        copies = [replace(one, id=f"{one.id}-{number}") for one in posted for number in range(25)]
        names = ["payment", "payment-2"] * 25
        answers = await asyncio.gather(
            *(till.deliver(one, instance=name) for one, name in zip(copies, names, strict=True))
        )
    finally:
        await till.platform.service("payment-2").stop()
    assert [answer.json() for answer in answers] == [{"outcome": "applied"}] * len(copies)
    await till.becomes(administrator, "PAID", order_id)
    (payment,) = await till.shown_payments(buyer, order_id)
    assert payment.status == payment_v1.PaymentStatus.SUCCEEDED
    assert (await till.sql(REASONS, o=order_id)) == []


async def test_two_replicas_share_the_work(till: Till, product: product_v1.Product, administrator: Person) -> None:
    """Webhooks on either side, loops on both, one of them killed in the middle: every order is paid, and none twice."""
    buyer = await till.customer()
    orders = [await ordered(till, buyer, product) for _ in range(20)]
    for order_id in orders:
        await till.paid_page(buyer, order_id)
    posted = [one for order_id in orders for one in await till.posted(order_id)]
    await till.started("payment-2")
    try:
        names = ["payment", "payment-2"] * len(orders)
        half = len(posted) // 2
        await asyncio.gather(*(till.deliver(o, instance=n) for o, n in zip(posted[:half], names, strict=False)))
        await till.killed()
        await asyncio.gather(*(till.deliver(one, instance="payment-2") for one in posted[half:]))
        # What the killed one had claimed is told by the other one when its lease has ended.
        await till.becomes(administrator, "PAID", *orders)
        await asyncio.gather(*map(till.settled, orders))
        assert (await till.sql("SELECT count(*) FROM payments WHERE order_id = ANY(:o)", o=orders))[0][0] == len(orders)
        assert not await till.sql(
            "SELECT id FROM refunds WHERE payment_id IN (SELECT id FROM payments WHERE order_id = ANY(:o))", o=orders
        )
    finally:
        await till.started()
        await till.platform.service("payment-2").stop()


@pytest.mark.parametrize("known", [True, False], ids=["told before", "found out by the refusal"])
async def test_a_payment_for_an_order_cancelled_meanwhile(
    till: Till,
    buyer: Person,
    product: product_v1.Product,
    administrator: Person,
    datastores: Datastores,
    *,
    known: bool,
) -> None:
    """It is given back by itself, once, and shown; the order stays cancelled."""
    order_id = await ordered(till, buyer, product)
    await till.paid_page(buyer, order_id)
    if not known:
        datastores.kafka.pause()
    try:
        await till.move(administrator, order_id, order_v1.OrderStatus.CANCELLED)
        if known:
            await till.until("SELECT cancelled FROM order_payments WHERE order_id = :o", wanted=True, o=order_id)
        assert await till.delivered(*await till.posted(order_id)) == ["applied", "applied"]
        await till.until(GIVEN_BACK, 1, o=order_id)
    finally:
        if not known:
            datastores.kafka.resume()
    await till.settled(order_id)
    assert await till.status(administrator, order_id) == "CANCELLED"
    (payment,) = await till.shown_payments(buyer, order_id)
    assert payment.status == payment_v1.PaymentStatus.REFUNDED
    assert [tuple(row) for row in await till.sql(REASONS, o=order_id)] == [("order_cancelled", "succeeded", 1999)]
    # The provider's own word of the refund comes later, and changes nothing.
    await till.delivered(*(await till.posted(order_id))[2:])
    await till.settled(order_id)
    assert (await till.sql(GIVEN_BACK, o=order_id))[0][0] == 1


async def test_a_cancelled_order_closes_its_page(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """Nobody can pay on it any more, and no new one is opened."""
    order_id = await ordered(till, buyer, product)
    page = await till.checkout(buyer, order_id)
    await till.move(administrator, order_id, order_v1.OrderStatus.CANCELLED)
    await till.until("SELECT status FROM checkout_sessions WHERE order_id = :o", "expired", o=order_id)
    await till.until("SELECT status FROM sandbox_checkouts WHERE order_id = :o", "expired", o=order_id)
    await till.press(page, "pay")
    assert await till.posted(order_id) == []
    with pytest.raises(ConflictError):
        await till.checkout(buyer, order_id)


@pytest.mark.parametrize("first", [0, 1], ids=["the earlier told first", "the later told first"])
async def test_two_pages_both_paid(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person, first: int
) -> None:
    """One payment pays the order, the other one is given back by itself."""
    order_id = await ordered(till, buyer, product)
    await till.paid_page(buyer, order_id)
    # The shop has not heard of that payment yet, so another page can be opened.
    await till.paid_page(buyer, order_id, "http://127.0.0.1/elsewhere")
    posted = await till.posted(order_id)
    halves = [posted[:2], posted[2:]]
    await till.delivered(*halves[first], *halves[1 - first])
    await till.becomes(administrator, "PAID", order_id)
    await till.until(GIVEN_BACK, 1, o=order_id)
    await till.settled(order_id)
    # The webhooks of the refund, and all others once more.
    await till.delivered(*(await till.posted(order_id)))
    await till.settled(order_id)
    assert await till.status(administrator, order_id) == "PAID"
    shown = [payment.status for payment in await till.shown_payments(buyer, order_id)]
    assert sorted(shown) == sorted([payment_v1.PaymentStatus.SUCCEEDED, payment_v1.PaymentStatus.REFUNDED])
    assert [tuple(row) for row in await till.sql(REASONS, o=order_id)] == [("duplicate", "succeeded", 1999)]


async def test_declined_and_paid_after_that(
    till: Till, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """The order has failed, and is paid after all, on the same page."""
    order_id = await ordered(till, buyer, product)
    page = await till.checkout(buyer, order_id)
    assert await till.press(page, "decline") == 303
    await till.delivered(*await till.posted(order_id))
    await till.becomes(administrator, "PAYMENT_FAILED", order_id)
    assert await till.checkout(buyer, order_id) == page
    assert await till.press(page, "pay") == 303
    await till.delivered(*await till.posted(order_id))
    await till.becomes(administrator, "PAID", order_id)


async def test_many_ask_for_one_page_at_once(till: Till, buyer: Person, product: product_v1.Product) -> None:
    """All of them are answered with the same page."""
    order_id = await ordered(till, buyer, product)
    pages = await asyncio.gather(*(till.checkout(buyer, order_id) for _ in range(20)))
    assert len(set(pages)) == 1
    assert (await till.sql(PAGES, o=order_id))[0][0] == 1


async def test_the_order_service_away_at_the_checkout(till: Till, buyer: Person, product: product_v1.Product) -> None:
    """It is said that it cannot be done now, soon, and nothing is written."""
    order_id = await ordered(till, buyer, product)
    till.order_process.pause()
    try:
        request = payment_v1.CreateCheckoutSessionRequest(
            order_id=order_id, email="a@example.com", name="A", redirect_url="http://127.0.0.1/back"
        )
        async with asyncio.timeout(20):
            with pytest.raises(UnavailableError), rpc.acting_as(buyer.token):
                await till.payments.create_checkout_session(request)
    finally:
        till.order_process.resume()
    assert (await till.sql(SESSIONS, o=order_id))[0][0] == 0
