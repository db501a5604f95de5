"""What the built-in provider tells the shop: the bodies of its webhooks, and the facts that they hold.

A body is `{"type", "timestamp", "data"}`, as Standard Webhooks recommends. Every event of a payment or refund carries
the whole of it, so that none needs another one to be understood.
"""

from datetime import datetime
from typing import Final

import msgspec

from services.payment.domain import (
    CheckoutFact,
    CheckoutStatus,
    Fact,
    PaymentFact,
    PaymentStatus,
    RefundFact,
    RefundStatus,
)
from services.payment.provider import MalformedError
from services.payment.providers.calls import moment

PAYMENT_CREATED: Final = "payment.created"
REFUND_CREATED: Final = "refund.created"
REFUND_SUCCEEDED: Final = "refund.succeeded"
_OF_STATUS: Final = {
    PaymentStatus.SUCCEEDED: "payment.succeeded",
    PaymentStatus.FAILED: "payment.failed",
    PaymentStatus.CANCELLED: "payment.cancelled",
}
_PAYMENTS: Final = {PAYMENT_CREATED: PaymentStatus.PROCESSING} | {name: status for status, name in _OF_STATUS.items()}
_REFUNDS: Final = {REFUND_CREATED: RefundStatus.PENDING, REFUND_SUCCEEDED: RefundStatus.SUCCEEDED}


class PaymentData(msgspec.Struct, frozen=True, kw_only=True):
    """A payment; `session_id` is the shop's own id of the checkout, `occurred_at` when it came to this."""

    payment_id: str
    checkout_id: str
    session_id: str
    order_id: int
    amount: int
    currency: str
    occurred_at: datetime


class RefundData(msgspec.Struct, frozen=True, kw_only=True):
    """A refund; `request_id` is the shop's own id of it, empty where the customer asked."""

    refund_id: str
    payment_id: str
    amount: int
    currency: str
    occurred_at: datetime
    request_id: str = ""
    reason: str = ""


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime
    data: msgspec.Raw = msgspec.Raw(b"{}")


def of_payment(data: PaymentData, status: PaymentStatus) -> list[tuple[str, bytes]]:
    """Answers the types and bodies of the webhooks for a payment that came to this."""
    return [_event(PAYMENT_CREATED, data), _event(_OF_STATUS[status], data)]


def of_refund(data: RefundData) -> list[tuple[str, bytes]]:
    """Answers the types and bodies of the webhooks for a refund that was carried out."""
    return [_event(REFUND_CREATED, data), _event(REFUND_SUCCEEDED, data)]


def read(body: bytes) -> tuple[str, tuple[Fact, ...]]:
    """Answers the type and what it tells, nothing for a type that is not known; raises MalformedError."""
    try:
        event = msgspec.json.decode(body, type=_Envelope)
        return event.type, _facts(event.type, event.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(str(error)) from error


def payment_facts(data: PaymentData, status: PaymentStatus) -> tuple[Fact, ...]:
    """Answers what a payment tells: how it stands, and that its page is over once it was paid or given up."""
    fact = PaymentFact(
        provider_payment_id=data.payment_id,
        status=status,
        amount_minor=data.amount,
        currency=data.currency,
        occurred_at=moment(data.occurred_at),
        session_id=data.session_id,
        provider_session_id=data.checkout_id,
    )
    over = {PaymentStatus.SUCCEEDED: CheckoutStatus.COMPLETED, PaymentStatus.CANCELLED: CheckoutStatus.EXPIRED}
    if status not in over:
        return (fact,)
    return fact, CheckoutFact(over[status], data.session_id, data.checkout_id)


def refund_fact(data: RefundData, status: RefundStatus) -> RefundFact:
    """Answers how a refund stands."""
    return RefundFact(
        provider_refund_id=data.refund_id,
        provider_payment_id=data.payment_id,
        status=status,
        amount_minor=data.amount,
        currency=data.currency,
        occurred_at=moment(data.occurred_at),
        refund_id=data.request_id,
        reason=data.reason,
    )


def _facts(kind: str, data: msgspec.Raw) -> tuple[Fact, ...]:
    if kind in _PAYMENTS:
        return payment_facts(msgspec.json.decode(data, type=PaymentData), _PAYMENTS[kind])
    if kind in _REFUNDS:
        return (refund_fact(msgspec.json.decode(data, type=RefundData), _REFUNDS[kind]),)
    return ()


def _event(kind: str, data: PaymentData | RefundData) -> tuple[str, bytes]:
    body = {"type": kind, "timestamp": data.occurred_at, "data": data}
    return kind, msgspec.json.encode(body)
