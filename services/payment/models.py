"""The tables of the payment service.

`order_payments` has a row for each order that somebody began to pay; its lock makes all changes of one order happen one
after another. `checkout_sessions` are pages at the provider, of which one an order is live: the partial unique index
holds that. `payments` and `refunds` keep what the provider told, by its ids, so that the same fact meets the same row.
`webhook_deliveries` makes a delivery count once. `order_updates` and requested refunds are the staged jobs of the
loops; `claimed_until` is the lease of whoever works on one, and the pause after a failure.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

LIVE = text("status IN ('opening', 'open')")


class CustomerRecord(SQLModel, table=True):
    """An account as a provider's customer; the id is empty until the provider has named one."""

    __tablename__ = "customers"

    provider: str = Field(primary_key=True, sa_type=Text)
    account_id: int = Field(primary_key=True, sa_type=Integer)
    email: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    provider_customer_id: str = Field(sa_type=Text)
    updated_at: datetime = Field(sa_type=DateTime(timezone=True))


class OrderPaymentRecord(SQLModel, table=True):
    """An order that somebody began to pay; `staged_status` is the last step that was written for the order service."""

    __tablename__ = "order_payments"
    __table_args__ = (CheckConstraint("total_minor >= 0", name="order_payments_total_minor_check"),)

    order_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    account_id: int = Field(sa_type=Integer)
    total_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    staged_status: str = Field(sa_type=Text)
    cancelled: bool = Field(sa_type=Boolean)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))


class CheckoutSessionRecord(SQLModel, table=True):
    """One checkout page, with everything that its opening is repeated with."""

    __tablename__ = "checkout_sessions"
    __table_args__ = (
        ForeignKeyConstraint(["order_id"], ["order_payments.order_id"], name="checkout_sessions_order_id_fkey"),
        Index("checkout_sessions_live", "order_id", unique=True, postgresql_where=LIVE),
        Index(
            "checkout_sessions_provider_session_id",
            "provider",
            "provider_session_id",
            unique=True,
            postgresql_where=text("provider_session_id <> ''"),
        ),
        Index("checkout_sessions_checked_at", "checked_at", postgresql_where=LIVE),
        Index("checkout_sessions_to_close", "checked_at", postgresql_where=text("to_close")),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    order_id: int = Field(sa_type=Integer)
    provider: str = Field(sa_type=Text)
    provider_session_id: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    redirect_url: str = Field(sa_type=Text)
    url: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    provider_products: dict[str, Any] = Field(sa_type=JSONB)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    # When the provider was last asked about it.
    checked_at: datetime = Field(sa_type=DateTime(timezone=True))
    # It is over for us, and its page may still be open at the provider.
    to_close: bool = Field(sa_type=Boolean)


class PaymentRecord(SQLModel, table=True):
    """One payment at the provider, as far as its facts have told."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount_minor >= 0 AND tax_minor >= 0", name="payments_amount_minor_check"),
        ForeignKeyConstraint(["session_id"], ["checkout_sessions.id"], name="payments_session_id_fkey"),
        ForeignKeyConstraint(["order_id"], ["order_payments.order_id"], name="payments_order_id_fkey"),
        Index("payments_provider_payment_id", "provider", "provider_payment_id", unique=True),
        Index("payments_order_id", "order_id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    session_id: str = Field(sa_type=Text)
    order_id: int = Field(sa_type=Integer)
    provider: str = Field(sa_type=Text)
    provider_payment_id: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    tax_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_type=DateTime(timezone=True))
    created_at: datetime = Field(sa_type=DateTime(timezone=True))


class RefundRecord(SQLModel, table=True):
    """One refund; without `payment_id` its payment is not known yet, without `provider_refund_id` nobody was told."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount_minor >= 0", name="refunds_amount_minor_check"),
        ForeignKeyConstraint(["payment_id"], ["payments.id"], name="refunds_payment_id_fkey"),
        Index(
            "refunds_provider_refund_id",
            "provider",
            "provider_refund_id",
            unique=True,
            postgresql_where=text("provider_refund_id <> ''"),
        ),
        Index("refunds_payment_id", "payment_id"),
        # Whatever happens, what the platform gives back by itself is given back once.
        Index("refunds_automatic", "payment_id", unique=True, postgresql_where=text("automatic")),
        Index("refunds_idempotency_key", "requested_by", "idempotency_key", unique=True),
        Index("refunds_orphans", "provider", "provider_payment_id", postgresql_where=text("payment_id IS NULL")),
        Index("refunds_waiting", "claimed_until", postgresql_where=text("status IN ('requested', 'pending')")),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    provider: str = Field(sa_type=Text)
    payment_id: str | None = Field(default=None, sa_type=Text)
    provider_payment_id: str = Field(sa_type=Text)
    provider_refund_id: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    # Why the provider did not give it back.
    failure: str = Field(sa_type=Text)
    automatic: bool = Field(sa_type=Boolean)
    requested_by: int | None = Field(default=None, sa_type=Integer)
    idempotency_key: str | None = Field(default=None, sa_type=Text)
    # What was asked for under the key: nothing, for all that is left.
    asked_minor: int | None = Field(default=None, sa_type=BigInteger)
    occurred_at: datetime = Field(sa_type=DateTime(timezone=True))
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    attempts: int = Field(sa_type=Integer)
    claimed_until: datetime = Field(sa_type=DateTime(timezone=True))


class WebhookDeliveryRecord(SQLModel, table=True):
    """A delivery that was taken, so that its repetition is known."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index("webhook_deliveries_received_at", "received_at"),)

    provider: str = Field(primary_key=True, sa_type=Text)
    delivery_id: str = Field(primary_key=True, sa_type=Text)
    type: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    received_at: datetime = Field(sa_type=DateTime(timezone=True))


class OrderUpdateRecord(SQLModel, table=True):
    """A step that the order service is to be told; one that it refused stays, with the reason."""

    __tablename__ = "order_updates"
    __table_args__ = (
        ForeignKeyConstraint(["order_id"], ["order_payments.order_id"], name="order_updates_order_id_fkey"),
        Index("order_updates_waiting", "order_id", "id", postgresql_where=text("refusal IS NULL")),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    order_id: int = Field(sa_type=Integer)
    status: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    attempts: int = Field(sa_type=Integer)
    claimed_until: datetime = Field(sa_type=DateTime(timezone=True))
    refusal: str | None = Field(default=None, sa_type=Text)


class ProviderProductRecord(SQLModel, table=True):
    """A product of the shop, and which version of it the list of `provider` has."""

    __tablename__ = "provider_products"
    __table_args__ = (
        Index("provider_products_waiting", "claimed_until", postgresql_where=text("pushed_version < version")),
    )

    product_id: str = Field(primary_key=True, sa_type=Text)
    provider: str = Field(sa_type=Text)
    provider_product_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    price_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    pushed_version: int = Field(sa_type=BigInteger)
    deleted: bool = Field(sa_type=Boolean)
    attempts: int = Field(sa_type=Integer)
    claimed_until: datetime = Field(sa_type=DateTime(timezone=True))
    last_error: str = Field(sa_type=Text)
