"""Orders to pay, facts and who asks, with a value for everything that a test does not care about."""

from datetime import UTC, datetime, timedelta

from services.payment.domain import (
    Line,
    Order,
    OrderStatus,
    PaymentFact,
    PaymentStatus,
    RefundFact,
    RefundStatus,
)
from services.tokens import Identity

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
TOTAL = 5997


def buyer(account_id: int = 7) -> Identity:
    return Identity(account_id, "customer", "a-token")


def administrator(account_id: int = 1) -> Identity:
    return Identity(account_id, "administrator", "an-administrators-token")


def order(order_id: int = 1, account_id: int = 7, status: OrderStatus = OrderStatus.PLACED) -> Order:
    lines = (Line("p1", "Name of p1", 1999, 3),)
    return Order(order_id, account_id, status, "USD", TOTAL, lines)


def payment_fact(
    status: PaymentStatus = PaymentStatus.SUCCEEDED,
    *,
    session_id: str = "",
    payment: str = "pay_1",
    amount: int = TOTAL,
    currency: str = "USD",
    tax: int = 0,
    after: float = 0,
    provider_session_id: str = "",
) -> PaymentFact:
    """Answers a fact that tells of a payment `after` so many seconds."""
    moment = NOW + timedelta(seconds=after)
    return PaymentFact(payment, status, amount, currency, moment, session_id, provider_session_id, tax)


def refund_fact(
    status: RefundStatus = RefundStatus.SUCCEEDED,
    *,
    refund: str = "ref_1",
    payment: str = "pay_1",
    amount: int = TOTAL,
    after: float = 10,
    refund_id: str = "",
) -> RefundFact:
    moment = NOW + timedelta(seconds=after)
    return RefundFact(refund, payment, status, amount, "USD", moment, refund_id)
