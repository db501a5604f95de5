"""The payment store, in memory and on PostgreSQL, with a clock that tests move and a count of what it announced."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import services.payment
from services import migration
from services.database import Database
from services.payment.models import OrderPaymentRecord
from services.payment.store import PostgresPayments
from tests.factories.payment import NOW

MIGRATIONS = Path(services.payment.__file__).with_name("migrations")
TABLES = (
    "customers, order_payments, checkout_sessions, payments, refunds, webhook_deliveries, order_updates,"
    " provider_products"
)


@dataclass
class Clock:
    """The time, which only goes on when it is told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **units: float) -> datetime:
        self.now += timedelta(**units)
        return self.now


@dataclass
class Kept:
    """A store under test."""

    store: PostgresPayments
    clock: Clock
    commits: list[None] = field(default_factory=list)


@pytest.fixture(scope="session")
async def payment_database(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """A migrated database."""
    url = await new_database("payment")
    await asyncio.to_thread(migration.migrate, url, MIGRATIONS, OrderPaymentRecord.metadata)
    opened = Database(url, application_name="payment-contract")
    yield opened
    await opened.close()


@pytest.fixture
async def kept(payment_database: Database) -> Kept:
    """The real store, empty."""
    async with payment_database.transaction() as session:
        await (await session.connection()).execute(text(f"TRUNCATE {TABLES} RESTART IDENTITY"))
    return opened_kept(payment_database)


def opened_kept(database: Database, provider: str = "sandbox") -> Kept:
    clock, commits, numbers = Clock(), list[None](), itertools.count(1)
    store = PostgresPayments(
        database, provider, clock, lambda: f"{provider}-{next(numbers):04}", lambda: commits.append(None)
    )
    return Kept(store, clock, commits)
