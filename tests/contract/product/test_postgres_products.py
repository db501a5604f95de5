"""What only the real record can show: migrations, one round trip for each read, and the lock on rebuilding."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from services import migration
from services.database import Database
from services.errors import UnavailableError
from services.product.models import ProductRecord
from services.product.store import DEEP, FAR, FAR_AT_ONCE, FIRST
from tests.contract.product.conftest import MIGRATIONS, Kept
from tests.factories.product import product, product_id


async def test_models_and_migrations(new_database: Callable[[str], Awaitable[str]]) -> None:
    """The newest revision makes the tables that the models describe."""
    url = await new_database("product_models")
    tables = ["products", "outbox"]
    pending = await asyncio.to_thread(migration.pending_changes, url, MIGRATIONS, ProductRecord.metadata, tables)
    assert pending == []


@asynccontextmanager
async def _statements(opened: Database) -> AsyncIterator[list[str]]:
    """Answers what is run on the connection that was used last, which is also the one used next."""
    seen: list[str] = []

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        seen.append(query.query)

    async def connection() -> Any:
        borrowed = await opened._engine.raw_connection()
        driver = borrowed.driver_connection
        borrowed.close()
        return driver

    watched = await connection()
    watched.add_query_logger(note)
    try:
        yield seen
    finally:
        watched.remove_query_logger(note)
    assert await connection() is watched


async def test_one_statement(postgres_kept: Kept, product_database: Database) -> None:
    """One product, a page, one far behind the first, and a thousand ids take one statement each."""
    products = postgres_kept.products
    await products.add(product(1))
    for read in (
        partial(products.get, product_id(1)),
        partial(products.page, 0, 20),
        partial(products.page, 1, 20),
        partial(products.page, FAR, 20),
        partial(products.get_many, [product_id(number) for number in range(1000)]),
        partial(products.after, None, 1000),
        partial(products.after, product_id(1), 1000),
    ):
        # Each connection learns what a type is when it meets its first value.
        await read()
        async with _statements(product_database) as seen:
            await read()
            # The driver tells after it has answered.
            await asyncio.sleep(0)
        assert len(seen) == 1


async def test_far_pages_leave_room(postgres_kept: Kept, product_database: Database) -> None:
    """However many far pages are asked for, few are read at once: the other connections are for everybody else."""
    products = postgres_kept.products
    await products.add(product(1))
    async with product_database.transaction() as session, asyncio.timeout(30):
        await (await session.connection()).execute(text("LOCK TABLE products"))
        far = [asyncio.create_task(products.page(FAR, 20)) for _ in range(20)]
        # For the far ones to be before it.
        await asyncio.sleep(0)
        near = asyncio.create_task(products.page(0, 20))
        for sql, count in ((DEEP, FAR_AT_ONCE), (FIRST, 1)):
            while await _waiting(session, sql) < count:  # noqa: ASYNC110 pg_stat_activity can only be asked
                await asyncio.sleep(0.02)
        assert await _waiting(session, DEEP) == FAR_AT_ONCE
    assert await near == [product(1)]
    assert await asyncio.gather(*far) == [[]] * 20


async def _waiting(session: AsyncSession, sql: str) -> int:
    """How many connections wait for a lock with this statement."""
    counted = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query = :sql")
    # What a transaction has seen of it once, it would see again.
    await (await session.connection()).execute(text("SELECT pg_stat_clear_snapshot()"))
    return int((await (await session.connection()).execute(counted, {"sql": sql})).scalar_one())


async def test_lost_lock(postgres_kept: Kept, product_database: Database) -> None:
    """Who has lost the connection that holds the lock on rebuilding is told before taking a step."""

    async def lose_it() -> None:
        async with postgres_kept.products.reindexing() as still_held:
            async with product_database.transaction() as session:
                connection = await session.connection()
                await connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON database = pg_database.oid"
                        " WHERE locktype = 'advisory' AND datname = current_database()"
                    )
                )
            await still_held()

    with pytest.raises(UnavailableError):
        await lose_it()
    async with postgres_kept.products.reindexing() as still_held:
        await still_held()
