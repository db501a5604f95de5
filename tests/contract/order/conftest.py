"""The order store, in memory and on PostgreSQL, each with a way to see the events that it staged."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

import services.order
from services import migration
from services.database import Database
from services.events import Event
from services.order.events import Announcer
from services.order.models import OrderRecord
from services.order.service import Store
from services.order.store import PostgresStore
from tests.contract.staged import staged_events
from tests.factories.order import NOW
from tests.fakes.order import FakeStore

MIGRATIONS = Path(services.order.__file__).with_name("migrations")


@dataclass
class Kept:
    """A store under test; `staged` answers its events in order, `commits` counts what it announced as committed."""

    store: Store
    staged: Callable[[], Awaitable[list[Event]]]
    commits: list[None]


@pytest.fixture(scope="session")
async def order_database(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """A migrated database."""
    url = await new_database("order")
    await asyncio.to_thread(migration.migrate, url, MIGRATIONS, OrderRecord.metadata)
    opened = Database(url, application_name="order-contract")
    yield opened
    await opened.close()


@pytest.fixture
async def postgres_kept(order_database: Database) -> Kept:
    """The real store, empty."""
    async with order_database.transaction() as session:
        await (await session.connection()).execute(text("TRUNCATE orders, order_lines, outbox RESTART IDENTITY"))

    commits: list[None] = []
    store = PostgresStore(order_database, announcer(), lambda: NOW, lambda: commits.append(None))
    return Kept(store, lambda: staged_events(order_database), commits)


@pytest.fixture
def fake_kept() -> Kept:
    """The fake store, empty."""
    commits: list[None] = []
    store = FakeStore(announcer(), lambda: NOW, lambda: commits.append(None))

    async def staged() -> list[Event]:
        return list(store.staged)

    return Kept(store, staged, commits)


@pytest.fixture(params=["fake_kept", "postgres_kept"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Each of them in turn."""
    chosen: Kept = request.getfixturevalue(request.param)
    return chosen


def announcer() -> Announcer:
    numbers = itertools.count(1)
    return Announcer(lambda: f"event-{next(numbers)}")
