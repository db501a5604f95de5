"""What Stripe's webhooks tell (docs.stripe.com/api/events/types), as facts.

Only what is needed is read, so that a field more, or one of another shape elsewhere, breaks nothing. The currency is
in small letters there, and a moment is seconds since 1970.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

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

_REFUND_STATUSES: Final = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
_INTENT_STATUSES: Final = {
    "succeeded": PaymentStatus.SUCCEEDED,
    # Stripe cancels what it was told to, or what nobody went on with: no buyer's word that the order is off.
    "canceled": PaymentStatus.FAILED,
}
_CHECKOUT_STATUSES: Final = {
    "open": CheckoutStatus.OPEN,
    "complete": CheckoutStatus.COMPLETED,
    "expired": CheckoutStatus.EXPIRED,
}


class _Failure(msgspec.Struct, frozen=True):
    message: str | None = None


class Intent(msgspec.Struct, frozen=True):
    """A PaymentIntent."""

    id: str
    amount: int
    currency: str
    created: int
    status: str
    metadata: dict[str, Any] | None = None
    amount_received: int = 0
    last_payment_error: _Failure | None = None


class _Taxes(msgspec.Struct, frozen=True):
    amount_tax: int | None = None


class Checkout(msgspec.Struct, frozen=True):
    """A Checkout Session; `payment_intent` is the whole of it where that was asked for, its id otherwise."""

    id: str
    created: int
    status: str | None = None
    payment_status: str = ""
    amount_total: int | None = None
    currency: str | None = None
    payment_intent: str | Intent | None = None
    metadata: dict[str, Any] | None = None
    total_details: _Taxes | None = None

    @property
    def session_id(self) -> str:
        """The shop's own id of it."""
        return str((self.metadata or {}).get("session_id", ""))


class Refund(msgspec.Struct, frozen=True):
    """A Refund."""

    id: str
    amount: int
    currency: str
    created: int
    status: str | None = None
    payment_intent: str | None = None
    metadata: dict[str, Any] | None = None
    failure_reason: str | None = None


class _Data(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class _Event(msgspec.Struct, frozen=True):
    id: str
    type: str
    created: int
    data: _Data


def read(body: bytes) -> tuple[str, str, tuple[Fact, ...]]:
    """Answers the event's id, its type, and what it tells: nothing for one that is of no interest.

    Raises MalformedError.
    """
    try:
        event = msgspec.json.decode(body, type=_Event)
        reader = _READERS.get(event.type)
        return event.id, event.type, reader(event) if reader else ()
    except (msgspec.MsgspecError, ValueError, OverflowError, OSError, RecursionError) as error:
        raise MalformedError(str(error)) from error


def checkout_facts(checkout: Checkout, at: int) -> tuple[Fact, ...]:
    """Answers how a session stands, and its payment where it was paid."""
    status = _CHECKOUT_STATUSES.get(checkout.status or "", CheckoutStatus.OPEN)
    over = CheckoutFact(status, checkout.session_id, checkout.id)
    intent = checkout.payment_intent
    if checkout.payment_status != "paid" or intent is None:
        return (over,)
    paid = PaymentFact(
        provider_payment_id=intent.id if isinstance(intent, Intent) else intent,
        status=PaymentStatus.SUCCEEDED,
        amount_minor=checkout.amount_total or 0,
        currency=(checkout.currency or "").upper(),
        occurred_at=moment(at),
        session_id=checkout.session_id,
        provider_session_id=checkout.id,
        tax_minor=(checkout.total_details and checkout.total_details.amount_tax) or 0,
    )
    return paid, over


def intent_fact(intent: Intent, at: int, *, failed: bool = False) -> PaymentFact:
    """Answers how a payment stands; one that failed can be tried again, and waits for that by its own status."""
    status = _INTENT_STATUSES.get(intent.status, PaymentStatus.FAILED if failed else PaymentStatus.PROCESSING)
    error = intent.last_payment_error
    return PaymentFact(
        provider_payment_id=intent.id,
        status=status,
        amount_minor=intent.amount_received or intent.amount,
        currency=intent.currency.upper(),
        occurred_at=moment(at),
        session_id=str((intent.metadata or {}).get("session_id", "")),
        reason=((error and error.message) or "")[:500],
    )


def refund_facts(refund: Refund, at: int) -> tuple[RefundFact, ...]:
    """Answers how a refund stands; nothing for one of another kind of payment."""
    if not refund.payment_intent:
        return ()
    return (
        RefundFact(
            provider_refund_id=refund.id,
            provider_payment_id=refund.payment_intent,
            status=_REFUND_STATUSES.get(refund.status or "", RefundStatus.PENDING),
            amount_minor=refund.amount,
            currency=refund.currency.upper(),
            occurred_at=moment(at),
            refund_id=str((refund.metadata or {}).get("refund_id", "")),
            reason=refund.failure_reason or "",
        ),
    )


def _checkout(event: _Event) -> tuple[Fact, ...]:
    return checkout_facts(msgspec.json.decode(event.data.object, type=Checkout), event.created)


def _intent(event: _Event) -> tuple[Fact, ...]:
    failed = event.type == "payment_intent.payment_failed"
    return (intent_fact(msgspec.json.decode(event.data.object, type=Intent), event.created, failed=failed),)


def _refund(event: _Event) -> tuple[Fact, ...]:
    return refund_facts(msgspec.json.decode(event.data.object, type=Refund), event.created)


_READERS: Final[Mapping[str, Callable[[_Event], tuple[Fact, ...]]]] = {
    **dict.fromkeys(
        (
            "checkout.session.completed",
            "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed",
            "checkout.session.expired",
        ),
        _checkout,
    ),
    **dict.fromkeys(
        (
            "payment_intent.created",
            "payment_intent.processing",
            "payment_intent.succeeded",
            "payment_intent.payment_failed",
            "payment_intent.canceled",
        ),
        _intent,
    ),
    **dict.fromkeys(("refund.created", "refund.updated", "refund.failed"), _refund),
}
