"""The tables as SQLAlchemy Core sees them: rows are read as plain tuples, which costs less than tracked objects."""

from typing import Final, cast

from sqlalchemy import Table
from sqlmodel import SQLModel

from services.payment.models import (
    CheckoutSessionRecord,
    CustomerRecord,
    OrderPaymentRecord,
    OrderUpdateRecord,
    PaymentRecord,
    ProviderProductRecord,
    RefundRecord,
    WebhookDeliveryRecord,
)


def _table(model: type[SQLModel]) -> Table:
    return cast("Table", model.__table__)  # type: ignore[attr-defined] # SQLModel adds it to every table class


customers: Final = _table(CustomerRecord)
orders: Final = _table(OrderPaymentRecord)
sessions: Final = _table(CheckoutSessionRecord)
payments: Final = _table(PaymentRecord)
refunds: Final = _table(RefundRecord)
deliveries: Final = _table(WebhookDeliveryRecord)
updates: Final = _table(OrderUpdateRecord)
products: Final = _table(ProviderProductRecord)
