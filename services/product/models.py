"""The table of the product service.

Ids are UUIDs of version 7 (RFC 9562): they begin with the time of creation, so the primary key's index is also the
order of the catalogue, and new rows land at its end.
"""

from datetime import datetime

from sqlalchemy import CHAR, BigInteger, CheckConstraint, Column, DateTime, Integer, Text, Uuid
from sqlmodel import Field, SQLModel


class ProductRecord(SQLModel, table=True):
    """One product as it is now."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price_minor >= 0", name="products_price_minor_check"),
        CheckConstraint("version >= 1", name="products_version_check"),
    )

    id: str = Field(sa_column=Column(Uuid(as_uuid=False), primary_key=True))
    name: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    price_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    account_id: int = Field(sa_type=Integer)
    version: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
