"""The tables of the order service.

An order's lines are written with it and never change; the position keeps the order in which the customer asked. The
index over (account_id, id) reads any page of an account's orders, newest first, without sorting. The unique index over
(account_id, idempotency_key) is what makes a repeated request harmless: PostgreSQL takes no two nulls for equal, so
orders without a key do not meet in it.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Integer, Text
from sqlmodel import Field, SQLModel


class OrderRecord(SQLModel, table=True):
    """One order."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total_minor >= 0", name="orders_total_minor_check"),
        CheckConstraint(
            "(idempotency_key IS NULL) = (request_fingerprint IS NULL)", name="orders_idempotency_key_check"
        ),
        Index("orders_account_id_id", "account_id", "id"),
        Index("orders_account_id_idempotency_key", "account_id", "idempotency_key", unique=True),
    )

    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(always=True), primary_key=True))
    account_id: int = Field(sa_type=Integer)
    status: str = Field(sa_type=Text)
    total_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(sa_type=DateTime(timezone=True))
    # Bytes that the order takes in an answer, so that the size of a page is known before its lines are read.
    size: int = Field(sa_type=Integer)
    idempotency_key: str | None = Field(default=None, sa_type=Text)
    request_fingerprint: str | None = Field(default=None, sa_type=Text)


class OrderLineRecord(SQLModel, table=True):
    """One product of an order, as it was at the moment of sale."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("price_minor >= 0", name="order_lines_price_minor_check"),
        CheckConstraint("quantity >= 1", name="order_lines_quantity_check"),
    )

    order_id: int = Field(primary_key=True, foreign_key="orders.id", sa_type=Integer)
    position: int = Field(primary_key=True, sa_type=Integer)
    product_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    price_minor: int = Field(sa_type=BigInteger)
    quantity: int = Field(sa_type=Integer)
