"""Payments as protobuf messages."""

from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.payment import v1 as payment_v1
from services.payment.domain import Amount, Payment, PaymentStatus


def payment_message(payment: Payment) -> payment_v1.Payment:
    """Answers the whole payment."""
    return payment_v1.Payment(
        id=payment.id,
        order_id=payment.order_id,
        account_id=payment.account_id,
        provider=payment.provider,
        status=_status(payment),
        amount=_money(payment, payment.amount_minor),
        refunded=_money(payment, payment.refunded_minor),
        refunding=_money(payment, payment.refunding_minor),
        created_at=payment.created_at,
    )


def amount_of(message: Money | None) -> Amount | None:
    """Answers the amount, unchecked; None where there is none."""
    return Amount(message.minor_units, message.currency) if message is not None else None


def _status(payment: Payment) -> payment_v1.PaymentStatus:
    """Answers how it is shown: on the wire, what was given back is a part of it."""
    if payment.status != PaymentStatus.SUCCEEDED or not payment.refunded_minor:
        return payment_v1.PaymentStatus[payment.status.name]
    if payment.refunded_minor >= payment.amount_minor:
        return payment_v1.PaymentStatus.REFUNDED
    return payment_v1.PaymentStatus.PARTIALLY_REFUNDED


def _money(payment: Payment, minor_units: int) -> Money:
    return Money(minor_units=minor_units, currency=payment.currency)
