"""The verbs of payment: who may, what is refused, and what the provider is asked."""

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.errors import (
    ConflictError,
    EcommerceError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from services.payment.domain import (
    Amount,
    CheckoutFact,
    CheckoutStatus,
    Delivery,
    Fact,
    OrderStatus,
    Outcome,
    Payment,
)
from services.payment.provider import MalformedError, ProviderRefusedError, ProviderUnavailableError
from services.payment.rules import Rules
from services.payment.service import PaymentService
from services.tokens import Identity
from tests.factories.payment import NOW, TOTAL, administrator, buyer, order, payment_fact, refund_fact
from tests.fakes.payment import FakeOrders, FakePayments, FakeProvider

ORIGIN = "https://shop.example.com"
BACK = f"{ORIGIN}/thanks"
PAYMENT_SERVICE = Identity(0, "service", "a-services-token", "payment")


@dataclass
class Shop:
    """The service and what is around it; `checkout` asks with what is right unless a test says otherwise."""

    provider: FakeProvider = field(default_factory=FakeProvider)
    orders: FakeOrders = field(default_factory=lambda: FakeOrders({1: order()}))
    now: datetime = NOW

    def __post_init__(self) -> None:
        numbers = itertools.count(1)
        self.store = FakePayments(lambda: self.now, lambda: f"id-{next(numbers)}")
        rules = Rules(("shop.example.com",))
        self.service = PaymentService(self.store, self.provider, self.orders, rules, lambda: self.now)

    async def checkout(self, caller: Identity | None = None, **other: Any) -> str:
        asked = {"order_id": 1, "email": "b@example.com", "name": "Buyer", "redirect_url": BACK, "origin": ORIGIN}
        return await self.service.create_checkout(caller or buyer(), **{**asked, **other})

    async def paid(self) -> Payment:
        await self.checkout()
        fact = payment_fact(session_id=self.provider.opened[-1].session_id)
        assert await self.service.apply(Delivery("evt_1", "paid", (fact,))) == Outcome.APPLIED
        (payment,) = await self.service.payments_for_orders(buyer(), [1])
        return payment


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_a_checkout_is_for_the_orders_total(shop: Shop) -> None:
    """What the provider is asked for is the order service's order; the page's path gets the shop's address."""
    assert await shop.checkout() == f"{ORIGIN}/checkout/id-1"
    (request,) = shop.provider.opened
    assert request.order == order()
    assert (request.redirect_url, request.expires_at) == (BACK, NOW + timedelta(hours=1))
    assert request.customer.provider_customer_id == "cus_7"


async def test_a_providers_own_address_is_answered_as_it_is(shop: Shop) -> None:
    """Only paths are put after the shop's address."""
    shop.provider.absolute = True
    assert await shop.checkout() == "https://pay.example.net/checkout/id-1"


async def test_an_open_page_is_answered_again(shop: Shop) -> None:
    """Without asking the provider."""
    assert await shop.checkout() == await shop.checkout()
    assert len(shop.provider.opened) == 1


async def test_two_requests_at_once_open_one_page(shop: Shop) -> None:
    """Both may reach the provider, with the same idempotency key."""
    urls = await asyncio.gather(*(shop.checkout() for _ in range(5)))
    assert len(set(urls)) == 1
    assert {request.session_id for request in shop.provider.opened} == {"id-1"}


async def test_a_failed_opening_is_repeated_with_its_key(shop: Shop) -> None:
    """Nobody knows whether the first call arrived."""
    shop.provider.failing = ProviderUnavailableError("Not now.")
    with pytest.raises(UnavailableError):
        await shop.checkout()
    shop.provider.failing = None
    await shop.checkout()
    assert [request.session_id for request in shop.provider.opened] == ["id-1"]


async def test_another_redirect_closes_the_former_page(shop: Shop) -> None:
    """At once; where that fails, the answer is the new page all the same."""
    await shop.checkout()
    await shop.checkout(redirect_url=BACK + "?two")
    assert shop.provider.closed == ["cs_id-1"]


async def test_a_page_that_cannot_be_closed_now_is_no_error(shop: Shop) -> None:
    """The reconciliation closes it later."""
    await shop.checkout()
    close = shop.provider.close_checkout

    async def failing(provider_session_id: str) -> None:
        await close(provider_session_id)
        raise ProviderUnavailableError("Not now.")

    shop.provider.close_checkout = failing  # type: ignore[method-assign] # only this call fails
    assert await shop.checkout(redirect_url=BACK + "?two") == f"{ORIGIN}/checkout/id-2"


async def test_a_page_replaced_while_it_was_opened_is_not_answered(shop: Shop) -> None:
    """It is closed, and its request is a conflict."""

    def replaced() -> None:
        shop.provider.meanwhile = None
        session = shop.store._sessions["id-1"]
        shop.store._sessions["id-1"] = replace(session, status=CheckoutStatus.EXPIRED)

    shop.provider.meanwhile = replaced
    with pytest.raises(ConflictError):
        await shop.checkout()
    assert shop.provider.closed == ["cs_id-1"]


@pytest.mark.parametrize("status", set(OrderStatus) - {OrderStatus.PLACED, OrderStatus.PAYMENT_FAILED})
async def test_an_order_that_is_over_cannot_be_paid(shop: Shop, status: OrderStatus) -> None:
    """The provider hears nothing of it."""
    shop.orders.known[1] = order(status=status)
    with pytest.raises(ConflictError, match=status.name):
        await shop.checkout()
    assert shop.provider.opened == []


async def test_a_failed_payment_may_be_tried_again(shop: Shop) -> None:
    """The order says so."""
    shop.orders.known[1] = order(status=OrderStatus.PAYMENT_FAILED)
    assert await shop.checkout()


async def test_a_paid_order_is_a_conflict_before_the_order_service_knows(shop: Shop) -> None:
    """What is known here counts as well."""
    await shop.paid()
    with pytest.raises(ConflictError):
        await shop.checkout()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"order_id": 2}, NotFoundError),
        ({"redirect_url": "https://evil.example.net/"}, InvalidError),
        ({"email": "nobody"}, InvalidError),
        ({"name": ""}, InvalidError),
        ({"origin": "nowhere"}, InvalidError),
        ({"caller": PAYMENT_SERVICE}, ForbiddenError),
        # Administrators see every order, and pay their own only.
        ({"caller": administrator()}, NotFoundError),
        ({"caller": buyer(8)}, NotFoundError),
    ],
)
async def test_a_wrong_checkout_is_refused(shop: Shop, wrong: dict[str, Any], error: type[EcommerceError]) -> None:
    """With its own code, and nothing is asked of the provider."""
    with pytest.raises(error):
        await shop.checkout(**wrong)
    assert shop.provider.customers == []


async def test_verbs_need_a_sign_in(shop: Shop) -> None:
    """All four."""
    for call in (
        shop.service.create_checkout(None, 1, "b@example.com", "Buyer", BACK, ORIGIN),
        shop.service.create_portal(None, "b@example.com", "Buyer", ORIGIN),
        shop.service.payments_for_orders(None, [1]),
        shop.service.refund(None, "id-1", None),
    ):
        with pytest.raises(UnauthenticatedError):
            await call


async def test_without_the_order_service_nothing_is_opened(shop: Shop) -> None:
    """The amount is never guessed."""
    shop.orders.available = False
    with pytest.raises(UnavailableError):
        await shop.checkout()
    assert shop.provider.opened == []


async def test_what_the_provider_refuses_is_told(shop: Shop) -> None:
    """Its words are fit to be shown."""
    shop.provider.failing = ProviderRefusedError("This currency is not taken.")
    with pytest.raises(ConflictError, match="currency"):
        await shop.checkout()


async def test_a_portal_is_the_callers(shop: Shop) -> None:
    """Back from it leads to the shop."""
    url = await shop.service.create_portal(buyer(8), "c@example.com", "Caller", ORIGIN)
    assert url == f"{ORIGIN}/portal/cus_8?back={ORIGIN}"
    assert [customer.email for customer in shop.provider.customers] == ["c@example.com"]


async def test_payments_are_ones_own(shop: Shop) -> None:
    """An administrator sees anyone's; a thousand orders are the most."""
    payment = await shop.paid()
    assert await shop.service.payments_for_orders(buyer(8), [1]) == []
    assert await shop.service.payments_for_orders(administrator(), [1, 1, 5]) == [payment]
    assert await shop.service.payments_for_orders(buyer(), range(1000)) == [payment]
    with pytest.raises(InvalidError):
        await shop.service.payments_for_orders(buyer(), range(1001))


async def test_an_administrator_refunds(shop: Shop) -> None:
    """A part, and repeated with its key nothing more."""
    payment = await shop.paid()
    for _ in range(2):
        shown = await shop.service.refund(administrator(), payment.id, Amount(100, "USD"), "broken", "key-1")
        assert shown.refunding_minor == 100
    rest = await shop.service.refund(administrator(), payment.id, None)
    assert rest.refunding_minor == TOTAL
    with pytest.raises(ConflictError):
        await shop.service.refund(administrator(), payment.id, None)


async def test_a_buyer_does_not_refund(shop: Shop) -> None:
    """Not even the own payment."""
    payment = await shop.paid()
    for caller in (buyer(), PAYMENT_SERVICE):
        with pytest.raises(ForbiddenError):
            await shop.service.refund(caller, payment.id, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Amount(0, "USD")},
        {"amount": Amount(-1, "USD")},
        {"amount": Amount(10**15, "USD")},
        {"key": "k" * 256},
        {"reason": "r" * 201},
        {"reason": "a\nb"},
        {"key": "\0"},
        {"payment_id": "\0"},
    ],
)
async def test_a_refund_that_cannot_be_is_refused(shop: Shop, wrong: dict[str, Any]) -> None:
    """Before anything is looked up."""
    with pytest.raises(InvalidError):
        await shop.service.refund(administrator(), **{"payment_id": "id-1", "amount": None, **wrong})


@pytest.mark.parametrize(
    "fact",
    [
        payment_fact(amount=-1),
        payment_fact(amount=10**15),
        payment_fact(tax=-1),
        payment_fact(tax=TOTAL + 1),
        payment_fact(currency="usd"),
        payment_fact(currency="DOLLARS"),
        payment_fact(payment=""),
        payment_fact(payment="a\0"),
        payment_fact(session_id="\ud800"),
        payment_fact(session_id="s" * 256),
        replace(payment_fact(), reason="\0"),
        replace(payment_fact(), reason="r" * 501),
        replace(payment_fact(), occurred_at=datetime(2025, 3, 1)),  # noqa: DTZ001 that is what is wrong with it
        refund_fact(amount=-1),
        refund_fact(payment=""),
        refund_fact(refund="\0"),
        CheckoutFact(CheckoutStatus.EXPIRED, "\0"),
    ],
)
async def test_what_cannot_be_true_is_malformed(shop: Shop, fact: Fact) -> None:
    """However rightly it is signed; and its delivery does not count as taken."""
    with pytest.raises(MalformedError):
        await shop.service.apply(Delivery("evt_1", "paid", (fact,)))
    assert await shop.service.apply(Delivery("evt_1", "paid")) == Outcome.IGNORED


@pytest.mark.parametrize(("name", "kind"), [("", "paid"), ("e" * 256, "paid"), ("evt\0", "paid"), ("evt", "p" * 256)])
async def test_a_delivery_has_an_id(shop: Shop, name: str, kind: str) -> None:
    """By which it is known again."""
    with pytest.raises(MalformedError):
        await shop.service.apply(Delivery(name, kind))


async def test_any_zone_is_a_time(shop: Shop) -> None:
    """Aware times are taken as they are."""
    fact = replace(payment_fact(), occurred_at=datetime(2025, 3, 1, tzinfo=UTC))
    assert await shop.service.apply(Delivery("evt_1", "paid", (fact,))) == Outcome.UNMATCHED
