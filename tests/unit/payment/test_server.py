"""Payment on gRPC: messages in and out."""

import asyncio
import itertools
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

import pytest

from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.payment import v1 as payment_v1
from services.payment.domain import Delivery, PaymentStatus
from services.payment.messages import payment_message
from services.payment.rules import Rules
from services.payment.server import PaymentServer
from services.payment.service import PaymentService
from services.rpc import context
from services.tokens import Identity
from tests.factories.payment import NOW, TOTAL, administrator, buyer, order, payment_fact
from tests.fakes.payment import FakeOrders, FakePayments, FakeProvider

R = TypeVar("R")
ORIGIN = "https://shop.example.com"
STATUS = payment_v1.PaymentStatus
CHECKOUT = payment_v1.CreateCheckoutSessionRequest(
    order_id=1, email="b@example.com", name="Buyer", redirect_url=f"{ORIGIN}/thanks", origin=ORIGIN
)


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def service(provider: FakeProvider) -> PaymentService:
    numbers = itertools.count(1)
    store = FakePayments(lambda: NOW, lambda: f"id-{next(numbers)}")
    return PaymentService(store, provider, FakeOrders({1: order()}), Rules((), ORIGIN), lambda: NOW)


async def acting_as(caller: Identity, answer: Awaitable[R]) -> R:
    """Awaits the handler in the context that the server gives it."""
    token = context._caller.set(caller)
    try:
        return await answer
    finally:
        context._caller.reset(token)


async def test_a_checkout_and_a_portal_are_urls(service: PaymentService) -> None:
    """On the shop's own address."""
    server = PaymentServer(service)
    opened = await acting_as(buyer(), server.create_checkout_session(CHECKOUT))
    assert opened.url == f"{ORIGIN}/checkout/id-1"
    asked = payment_v1.CreateCustomerPortalSessionRequest(email="b@example.com", name="Buyer", origin=ORIGIN)
    portal = await acting_as(buyer(), server.create_customer_portal_session(asked))
    assert portal.url == f"{ORIGIN}/portal/cus_7?back={ORIGIN}"


async def test_payments_and_refunds_are_whole(service: PaymentService, provider: FakeProvider) -> None:
    """Every field of a payment is told, before and after a refund was asked for."""
    server = PaymentServer(service)
    await acting_as(buyer(), server.create_checkout_session(CHECKOUT))
    fact = payment_fact(session_id=provider.opened[0].session_id)
    await service.apply(Delivery("evt_1", "paid", (fact,)))
    listed = await acting_as(buyer(), server.get_payments_for_orders(payment_v1.GetPaymentsForOrdersRequest([1])))
    (payment,) = listed.payments
    assert payment == payment_v1.Payment(
        id=payment.id,
        order_id=1,
        account_id=7,
        provider="sandbox",
        status=STATUS.SUCCEEDED,
        amount=Money(minor_units=TOTAL, currency="USD"),
        refunded=Money(minor_units=0, currency="USD"),
        refunding=Money(minor_units=0, currency="USD"),
        created_at=NOW,
    )
    part = payment_v1.RefundPaymentRequest(payment_id=payment.id, amount=Money(minor_units=5, currency="USD"))
    answered = await acting_as(administrator(), server.refund_payment(part))
    assert answered.payment == replace(payment, refunding=Money(minor_units=5, currency="USD"))
    rest = await acting_as(
        administrator(), server.refund_payment(payment_v1.RefundPaymentRequest(payment_id=payment.id))
    )
    assert rest.payment is not None
    assert rest.payment.refunding == Money(minor_units=TOTAL, currency="USD")


@pytest.mark.parametrize(
    ("status", "refunded", "expected"),
    [
        (PaymentStatus.PROCESSING, 0, STATUS.PROCESSING),
        (PaymentStatus.FAILED, 0, STATUS.FAILED),
        (PaymentStatus.CANCELLED, 0, STATUS.CANCELLED),
        (PaymentStatus.SUCCEEDED, 0, STATUS.SUCCEEDED),
        (PaymentStatus.SUCCEEDED, 1, STATUS.PARTIALLY_REFUNDED),
        (PaymentStatus.SUCCEEDED, TOTAL, STATUS.REFUNDED),
        (PaymentStatus.SUCCEEDED, TOTAL + 1, STATUS.REFUNDED),
    ],
)
async def test_what_was_given_back_is_a_part_of_the_status(
    service: PaymentService, provider: FakeProvider, status: PaymentStatus, refunded: int, expected: int
) -> None:
    """On the wire; inside, a payment that succeeded has succeeded."""
    await acting_as(buyer(), PaymentServer(service).create_checkout_session(CHECKOUT))
    await service.apply(Delivery("evt", "paid", (payment_fact(session_id=provider.opened[0].session_id),)))
    (payment,) = await service.payments_for_orders(buyer(), [1])
    assert payment_message(replace(payment, status=status, refunded_minor=refunded)).status == expected


async def test_calls_at_once_are_who_they_are(service: PaymentService) -> None:
    """Each handler sees its own caller."""
    server = PaymentServer(service)
    asked = payment_v1.GetPaymentsForOrdersRequest([1])
    callers = [buyer(number) for number in range(1, 6)]
    answers = await asyncio.gather(
        *(asyncio.create_task(acting_as(caller, server.get_payments_for_orders(asked))) for caller in callers)
    )
    assert all(answer.payments == [] for answer in answers)
