"""The tables of the account service.

The unique index over email_key is what keeps an address from being registered twice, also by two requests at once.
Private keys are stored encrypted only; see encryption.py.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, DateTime, Identity, Index, Integer, LargeBinary, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class _Table(SQLModel, registry=registry()):
    """Keeps this database's tables apart from those of other services in one process, as tests have them."""


class AccountRecord(_Table, table=True):
    """One account."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("role IN ('customer', 'administrator')", name="accounts_role_check"),
        Index("accounts_email_key", "email_key", unique=True),
    )

    id: int | None = Field(default=None, sa_column=Column(Integer, Identity(always=True), primary_key=True))
    name: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    email_key: str = Field(sa_type=Text)
    password_hash: str = Field(sa_type=Text, repr=False)
    role: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))


class SigningKeyRecord(_Table, table=True):
    """One key pair that tokens are signed with; the public half is derived from the private one when it is read."""

    __tablename__ = "signing_keys"

    id: str = Field(primary_key=True, sa_type=Text)
    private_key: bytes = Field(sa_type=LargeBinary, repr=False)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    signs_from: datetime = Field(sa_type=DateTime(timezone=True))
    # Seconds that the longest-lived token lives which it may have signed.
    token_lifetime: int = Field(sa_type=Integer)


metadata = _Table.metadata
