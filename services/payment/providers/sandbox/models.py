"""The tables of the built-in provider: what an outside one would keep at its own place.

A delivery that was taken as often as it is to be sent is deleted, so the table is the queue of what is still to go.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKeyConstraint, Index, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

_MOMENT: Any = DateTime(timezone=True)


class SandboxCheckout(SQLModel, table=True):
    """A checkout page; `token` is the secret in its address, `session_id` the shop's idempotency key."""

    __tablename__ = "sandbox_checkouts"
    __table_args__ = (
        Index("sandbox_checkouts_token", "token", unique=True),
        Index("sandbox_checkouts_session_id", "session_id", unique=True),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    token: str = Field(sa_type=Text)
    session_id: str = Field(sa_type=Text)
    account_id: int = Field(sa_type=Integer)
    order_id: int = Field(sa_type=Integer)
    email: str = Field(sa_type=Text)
    total_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    lines: list[dict[str, Any]] = Field(sa_type=JSONB)
    redirect_url: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_MOMENT)
    expires_at: datetime = Field(sa_type=_MOMENT)


class SandboxPayment(SQLModel, table=True):
    """One press of Pay, Decline or Cancel."""

    __tablename__ = "sandbox_payments"
    __table_args__ = (
        ForeignKeyConstraint(["checkout_id"], ["sandbox_checkouts.id"], name="sandbox_payments_checkout_id_fkey"),
        Index("sandbox_payments_checkout_id", "checkout_id"),
        Index("sandbox_payments_account_id", "account_id", "id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    checkout_id: str = Field(sa_type=Text)
    account_id: int = Field(sa_type=Integer)
    status: str = Field(sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_type=_MOMENT)


class SandboxRefund(SQLModel, table=True):
    """Money given back; without `refund_id` the customer asked for it in the portal."""

    __tablename__ = "sandbox_refunds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="sandbox_refunds_amount_minor_check"),
        ForeignKeyConstraint(["payment_id"], ["sandbox_payments.id"], name="sandbox_refunds_payment_id_fkey"),
        Index("sandbox_refunds_payment_id", "payment_id"),
        Index("sandbox_refunds_refund_id", "refund_id", unique=True),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    payment_id: str = Field(sa_type=Text)
    refund_id: str | None = Field(default=None, sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_type=_MOMENT)


class SandboxPortal(SQLModel, table=True):
    """A customer's way into the portal, for an hour."""

    __tablename__ = "sandbox_portals"
    __table_args__ = (Index("sandbox_portals_expires_at", "expires_at"),)

    token: str = Field(primary_key=True, sa_type=Text)
    account_id: int = Field(sa_type=Integer)
    email: str = Field(sa_type=Text)
    return_url: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=_MOMENT)


class SandboxDelivery(SQLModel, table=True):
    """A webhook that is still to be sent `copies_left` times, not before `due_at`."""

    __tablename__ = "sandbox_deliveries"
    __table_args__ = (Index("sandbox_deliveries_due_at", "due_at"),)

    id: str = Field(primary_key=True, sa_type=Text)
    type: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_MOMENT)
    due_at: datetime = Field(sa_type=_MOMENT)
    copies_left: int = Field(sa_type=Integer)
    attempts: int = Field(sa_type=Integer)
