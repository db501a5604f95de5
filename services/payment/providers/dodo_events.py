"""What Dodo's webhooks tell (docs.dodopayments.com/developer-resources/webhooks), as facts.

Only what is needed is read, so that a field more, or one of another shape elsewhere, breaks nothing.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from services.payment.domain import Fact, PaymentFact, PaymentStatus, RefundFact, RefundStatus
from services.payment.provider import MalformedError
from services.payment.providers.calls import moment

_PAYMENTS: Final = {
    "payment.processing": PaymentStatus.PROCESSING,
    "payment.failed": PaymentStatus.FAILED,
    "payment.cancelled": PaymentStatus.CANCELLED,
    "payment.succeeded": PaymentStatus.SUCCEEDED,
}
_REFUNDS: Final = {"refund.failed": RefundStatus.FAILED, "refund.succeeded": RefundStatus.SUCCEEDED}
# Of the payment's own status; every other one is on its way.
_STATUSES: Final = {
    "succeeded": PaymentStatus.SUCCEEDED,
    "failed": PaymentStatus.FAILED,
    "cancelled": PaymentStatus.CANCELLED,
}
_REFUND_STATUSES: Final = {"succeeded": RefundStatus.SUCCEEDED, "failed": RefundStatus.FAILED}


class _Payment(msgspec.Struct, frozen=True):
    payment_id: str
    total_amount: int
    currency: str
    metadata: dict[str, Any] | None = None
    checkout_session_id: str | None = None
    tax: int | None = None
    error_message: str | None = None


class _Refund(msgspec.Struct, frozen=True):
    refund_id: str
    payment_id: str
    amount: int
    currency: str
    reason: str | None = None
    metadata: dict[str, Any] | None = None


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime
    data: msgspec.Raw = msgspec.Raw(b"{}")


def payment_status(status: str | None) -> PaymentStatus:
    """Answers how far a payment came."""
    return _STATUSES.get(status or "", PaymentStatus.PROCESSING)


def refund_status(status: str | None) -> RefundStatus:
    """Answers how far a refund came."""
    return _REFUND_STATUSES.get(status or "", RefundStatus.PENDING)


def read(body: bytes) -> tuple[str, tuple[Fact, ...]]:
    """Answers the type and what it tells, nothing for one that is of no interest; raises MalformedError."""
    try:
        event = msgspec.json.decode(body, type=_Envelope)
        if event.type in _PAYMENTS:
            return event.type, (_payment(event),)
        if event.type in _REFUNDS:
            return event.type, (_refund(event),)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise MalformedError(str(error)) from error
    return event.type, ()


def _payment(event: _Envelope) -> PaymentFact:
    data = msgspec.json.decode(event.data, type=_Payment)
    return PaymentFact(
        provider_payment_id=data.payment_id,
        status=_PAYMENTS[event.type],
        amount_minor=data.total_amount,
        currency=data.currency,
        occurred_at=moment(event.timestamp),
        session_id=str((data.metadata or {}).get("session_id", "")),
        provider_session_id=data.checkout_session_id or "",
        tax_minor=data.tax or 0,
        reason=data.error_message or "",
    )


def _refund(event: _Envelope) -> RefundFact:
    data = msgspec.json.decode(event.data, type=_Refund)
    return RefundFact(
        provider_refund_id=data.refund_id,
        provider_payment_id=data.payment_id,
        status=_REFUNDS[event.type],
        amount_minor=data.amount,
        currency=data.currency,
        occurred_at=moment(event.timestamp),
        refund_id=str((data.metadata or {}).get("refund_id", "")),
        reason=data.reason or "",
    )
