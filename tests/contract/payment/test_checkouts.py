"""What the verbs ask of a store: the fake and PostgreSQL answer alike."""

import asyncio
import itertools
from dataclasses import dataclass
from datetime import timedelta

import pytest

from services.errors import ConflictError, NotFoundError
from services.payment.domain import (
    BegunCheckout,
    CheckoutStatus,
    Customer,
    Delivery,
    OpenedCheckout,
    OrderStatus,
    Outcome,
    Payment,
    PaymentStatus,
    RefundOrder,
)
from services.payment.service import Store
from tests.contract.payment.conftest import Clock, Kept
from tests.factories.payment import TOTAL, order, payment_fact, refund_fact
from tests.fakes.payment import FakePayments

BACK = "https://shop.example.com/thanks"


@dataclass
class Till:
    """A store under test and its clock."""

    store: Store
    clock: Clock

    async def begin(self, back: str = BACK, email: str = "b@example.com", order_id: int = 1) -> BegunCheckout:
        lasting = self.clock() + timedelta(hours=1)
        return await self.store.begin_checkout(order(order_id), email, "Buyer", back, lasting)

    async def open(self, begun: BegunCheckout) -> CheckoutStatus:
        session = begun.session.id
        return await self.store.opened_checkout(session, "cus_7", OpenedCheckout(f"cs_{session}", f"/c/{session}"))

    async def paid(self, order_id: int = 1, payment: str = "pay_1") -> Payment:
        begun = await self.begin(order_id=order_id)
        await self.open(begun)
        fact = payment_fact(session_id=begun.session.id, payment=payment)
        assert await self.store.apply(Delivery(f"evt_{payment}", "paid", (fact,))) == Outcome.APPLIED
        (paid,) = await self.store.payments_for_orders([order_id], None)
        return paid


@pytest.fixture
def fake_till() -> Till:
    """The fake."""
    clock, numbers = Clock(), itertools.count(1)
    return Till(FakePayments(clock, lambda: f"id-{next(numbers):04}"), clock)


@pytest.fixture
def postgres_till(kept: Kept) -> Till:
    """PostgreSQL."""
    return Till(kept.store, kept.clock)


@pytest.fixture(params=["fake_till", "postgres_till"])
def till(request: pytest.FixtureRequest) -> Till:
    """Each of them in turn."""
    chosen: Till = request.getfixturevalue(request.param)
    return chosen


async def test_a_checkout_is_opened_once(till: Till) -> None:
    """Until the provider's answer is kept the same session is answered, and afterwards with its page."""
    first = await till.begin()
    assert (first.session.status, first.replaced) == (CheckoutStatus.OPENING, "")
    assert first.customer == Customer(7, "b@example.com", "Buyer")
    assert await till.begin() == first
    assert await till.open(first) == CheckoutStatus.OPEN
    again = await till.begin()
    assert (again.session.id, again.session.status) == (first.session.id, CheckoutStatus.OPEN)
    assert (again.session.url, again.session.provider_session_id) == (
        f"/c/{first.session.id}",
        f"cs_{first.session.id}",
    )
    assert again.customer.provider_customer_id == "cus_7"


async def test_two_requests_at_once_share_a_session(till: Till) -> None:
    """There is one live page an order."""
    begun = await asyncio.gather(*(till.begin() for _ in range(10)))
    assert len({one.session.id for one in begun}) == 1


async def test_another_redirect_replaces_the_page(till: Till) -> None:
    """The old page is named, so that it can be closed; its late answer does not bring it back."""
    first = await till.begin()
    await till.open(first)
    second = await till.begin(back=BACK + "?other")
    assert second.session.id != first.session.id
    assert second.replaced == f"cs_{first.session.id}"
    assert await till.open(first) == CheckoutStatus.EXPIRED
    assert await till.open(second) == CheckoutStatus.OPEN


@pytest.mark.parametrize(("minutes", "is_replaced"), [(44, False), (46, True), (61, True)])
async def test_a_page_with_little_time_left_is_replaced(till: Till, minutes: int, *, is_replaced: bool) -> None:
    """A quarter of an hour is a quarter of what a new page has; the new one has a session of its own."""
    first = await till.begin()
    await till.open(first)
    till.clock.forward(minutes=minutes)
    assert ((await till.begin()).session.id != first.session.id) == is_replaced


async def test_a_call_under_way_is_repeated_unchanged_or_not_at_all(till: Till) -> None:
    """While a page is opened, another e-mail makes another session; once it is open, it does not matter."""
    first = await till.begin()
    other = await till.begin(email="new@example.com")
    assert other.session.id != first.session.id
    await till.open(other)
    assert (await till.begin(email="third@example.com")).session.id == other.session.id


async def test_a_paid_order_takes_no_checkout(till: Till) -> None:
    """As soon as the payment is known here, before the order service is told."""
    await till.paid()
    with pytest.raises(ConflictError, match="PAID"):
        await till.begin()


@pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.PAID])
async def test_an_order_that_is_over_takes_no_checkout(till: Till, status: OrderStatus) -> None:
    """Whoever says so."""
    with pytest.raises(ConflictError, match=status.name):
        await till.store.begin_checkout(order(status=status), "b@example.com", "Buyer", BACK, till.clock())


async def test_customers_are_kept_by_account(till: Till) -> None:
    """With the newest e-mail and name, and the provider's id once there is one."""
    assert await till.store.customer(7, "a@example.com", "A") == Customer(7, "a@example.com", "A")
    await till.store.customer_named(7, "cus_1")
    assert await till.store.customer(7, "b@example.com", "B") == Customer(7, "b@example.com", "B", "cus_1")
    assert await till.store.customer(8, "b@example.com", "B") == Customer(8, "b@example.com", "B")


async def test_payments_are_shown_by_order_and_account(till: Till) -> None:
    """Those of the orders asked for, oldest first; somebody else sees none of them."""
    first = await till.paid(1, "pay_1")
    till.clock.forward(seconds=1)
    second = await till.paid(2, "pay_2")
    assert (first.order_id, first.account_id, first.amount_minor, first.currency) == (1, 7, TOTAL, "USD")
    assert first.status == PaymentStatus.SUCCEEDED
    assert await till.store.payments_for_orders([2, 1, 99], 7) == [first, second]
    assert await till.store.payments_for_orders([2], None) == [second]
    assert await till.store.payments_for_orders([1, 2], 8) == []
    assert await till.store.payments_for_orders([], None) == []


def asked(payment: Payment, amount: int | None = None, key: str = "", currency: str = "") -> RefundOrder:
    return RefundOrder(payment.id, amount, currency, "broken", 1, key)


async def test_a_refund_is_requested_and_shown(till: Till) -> None:
    """First a part, then all that is left; then there is nothing more."""
    payment = await till.paid()
    part = await till.store.request_refund(asked(payment, 997, currency="USD"))
    assert (part.refunded_minor, part.refunding_minor) == (0, 997)
    rest = await till.store.request_refund(asked(payment))
    assert (rest.refunded_minor, rest.refunding_minor) == (0, TOTAL)
    for amount in (1, None):
        with pytest.raises(ConflictError):
            await till.store.request_refund(asked(payment, amount))


async def test_what_was_given_back_elsewhere_counts(till: Till) -> None:
    """A refund in the provider's own pages leaves as much less."""
    payment = await till.paid()
    await till.store.apply(Delivery("evt_refund", "refunded", (refund_fact(amount=TOTAL - 10),)))
    with pytest.raises(ConflictError):
        await till.store.request_refund(asked(payment, 11))
    shown = await till.store.request_refund(asked(payment, 10))
    assert (shown.refunded_minor, shown.refunding_minor) == (TOTAL - 10, 10)


async def test_a_repeated_refund_is_one(till: Till) -> None:
    """The key is the asker's; with another wish it is a conflict."""
    payment = await till.paid()
    first = await till.store.request_refund(asked(payment, 10, key="k"))
    assert await till.store.request_refund(asked(payment, 10, key="k")) == first
    with pytest.raises(ConflictError, match="key"):
        await till.store.request_refund(asked(payment, 11, key="k"))
    other = RefundOrder(payment.id, 10, "", "", 2, "k")
    assert (await till.store.request_refund(other)).refunding_minor == 20


async def test_refunds_at_once_give_no_more_than_there_is(till: Till) -> None:
    """Of five wishes for the whole, one is granted."""
    payment = await till.paid()
    wishes = (till.store.request_refund(asked(payment)) for _ in range(5))
    outcomes = await asyncio.gather(*wishes, return_exceptions=True)
    assert sum(isinstance(outcome, Payment) for outcome in outcomes) == 1
    assert all(isinstance(outcome, Payment | ConflictError) for outcome in outcomes)


async def test_a_refund_needs_its_payment(till: Till) -> None:
    """Unknown, unpaid, or in another currency."""
    with pytest.raises(NotFoundError):
        await till.store.request_refund(RefundOrder("unknown", None, "", "", 1, ""))
    begun = await till.begin()
    fact = payment_fact(PaymentStatus.FAILED, session_id=begun.session.id)
    await till.store.apply(Delivery("evt_failed", "failed", (fact,)))
    (failed,) = await till.store.payments_for_orders([1], None)
    with pytest.raises(ConflictError):
        await till.store.request_refund(asked(failed))
    paid = await till.paid(2, "pay_2")
    with pytest.raises(ConflictError, match="USD"):
        await till.store.request_refund(asked(paid, 1, currency="EUR"))


async def test_deliveries_count_once(till: Till) -> None:
    """By their id; those without facts and those of others are known as well."""
    assert await till.store.apply(Delivery("evt_1", "strange")) == Outcome.IGNORED
    assert await till.store.apply(Delivery("evt_1", "strange")) == Outcome.DUPLICATE
    foreign = Delivery("evt_2", "paid", (payment_fact(session_id="unknown"),))
    assert await till.store.apply(foreign) == Outcome.UNMATCHED
    assert await till.store.apply(foreign) == Outcome.DUPLICATE
