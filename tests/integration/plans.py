"""How PostgreSQL reads large tables: a database that is filled fast, and the plans of what is asked of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import asyncpg
import sqlalchemy as sa

from services import migration
from services.database import Database


@asynccontextmanager
async def filled(
    new_database: Callable[[str], Awaitable[str]], service: ModuleType, metadata: sa.MetaData, fill: Iterable[str]
) -> AsyncIterator[Database]:
    """Opens a database of its own as the service's newest migration keeps it, after the statements of `fill`."""
    name = service.__name__.rpartition(".")[2]
    url = await new_database(f"{name}_plans")
    await asyncio.to_thread(migration.migrate, url, Path(str(service.__file__)).with_name("migrations"), metadata)
    async with Database(url, statement_timeout=120.0, application_name=f"{name}-plans") as opened:
        for statement in fill:
            await opened.fetch(statement)
        yield opened


async def plan(database: Database, sql: str, *args: object) -> str:
    """Answers the plan that serves any values, which is the one that a prepared statement ends up with."""
    borrowed = await database._engine.raw_connection()
    connection: asyncpg.Connection[asyncpg.Record] = borrowed.driver_connection
    async with connection.transaction():
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        rows = await connection.fetch(f"EXPLAIN ANALYZE {sql}", *args)
    borrowed.close()
    return "\n".join(row[0] for row in rows)
