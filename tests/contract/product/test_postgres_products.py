"""What only the real record can show: migrations, the catalogue's index, and one round trip for each read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import event, text

from services import migration
from services.database import Database
from services.errors import UnavailableError
from services.product.models import ProductRecord
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
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(opened._engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(opened._engine.sync_engine, "before_cursor_execute", note)


async def test_one_statement(postgres_kept: Kept, product_database: Database) -> None:
    """One product, a page and a thousand ids take one statement each."""
    await postgres_kept.products.add(product(1))
    for read in (
        postgres_kept.products.get(product_id(1)),
        postgres_kept.products.page(0, 20),
        postgres_kept.products.get_many([product_id(number) for number in range(1000)]),
        postgres_kept.products.after(None, 1000),
    ):
        async with _statements(product_database) as seen:
            assert await read
        assert len(seen) == 1


async def test_index_is_used(postgres_kept: Kept, product_database: Database) -> None:
    """Pages and batches follow the primary key; nothing is sorted and no table is read through."""
    async with product_database.transaction() as session:
        connection = await session.connection()
        await connection.execute(
            text(
                "INSERT INTO products SELECT gen_random_uuid(), 'n', 'd', 1, 'USD', 1, 1, now(), now()"
                " FROM generate_series(1, 20000)"
            )
        )
        await connection.execute(text("ANALYZE products"))
    async with product_database.session() as session:
        connection = await session.connection()
        for query in (
            "SELECT * FROM products ORDER BY id LIMIT 20 OFFSET 100",
            "SELECT * FROM products WHERE id > :id ORDER BY id LIMIT 1000",
            "SELECT * FROM products WHERE id = ANY(ARRAY[:id]::uuid[])",
        ):
            explained = await connection.execute(
                text(f"EXPLAIN {query}"), {"id": product_id(1)} if ":id" in query else {}
            )
            plan = "\n".join(explained.scalars())
            assert "products_pkey" in plan
            assert "Seq Scan" not in plan
            assert "Sort" not in plan
    assert len(await postgres_kept.products.page(19_990, 100)) == 10


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
