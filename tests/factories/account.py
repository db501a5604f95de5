"""Accounts and what they are made of, with a value for everything that a test does not care about."""

from datetime import UTC, datetime
from uuid import uuid4

from services.account import rules
from services.account.service import NewAccount
from services.tokens import Identity, Role

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


def customer(account_id: int = 7) -> Identity:
    return Identity(account_id, "customer", "a-token")


def administrator(account_id: int = 1) -> Identity:
    return Identity(account_id, "administrator", "an-administrators-token")


def email(name: str = "ada") -> str:
    """An address that nobody else has."""
    return f"{name}.{uuid4().hex}@example.com"


def new_account(name: str = "Ada", address: str | None = None, role: Role = "customer") -> NewAccount:
    clean = rules.clean_email(address or email())
    return NewAccount(name, clean.address, clean.key, "a-hash", role, NOW)
