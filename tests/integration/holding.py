"""Stopping another process in the middle of a transaction, for as long as a test likes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from services.database import Database
from services.errors import UnavailableError

# Any number that nobody else locks in any of these databases.
_HOLD: Final = 4711
# Longest that a busy machine takes until somebody is there.
PATIENCE: Final = 90.0
_WAITS: Final = text(
    "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = :hold AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass(frozen=True)
class Held:
    """Says when somebody waits."""

    database: Database

    async def reached(self) -> None:
        """Waits until somebody waits there."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    if await self._somebody_waits():
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"nobody was held within {PATIENCE} s") from None

    async def _somebody_waits(self) -> bool:
        try:
            async with self.database.session() as session:
                return bool((await (await session.connection()).execute(_WAITS, {"hold": _HOLD})).scalar_one())
        except UnavailableError:
            return False


@asynccontextmanager
async def held(database: Database, table: str, event: str, when: str = "true") -> AsyncIterator[Held]:
    """Makes whoever writes a table so wait inside the transaction, until the block is left.

    What is to be held has to be caused inside the block: before it, it may be over already.
    """
    await _change(
        database,
        "CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN PERFORM pg_advisory_xact_lock_shared({_HOLD}); RETURN COALESCE(NEW, OLD); END'",
    )
    async with database.dedicated() as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock({_HOLD})"))
        create = f"CREATE TRIGGER hold BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION hold()"
        await _change(database, create)
        try:
            yield Held(database)
        finally:
            # The lock first: whoever waits for it holds locks of the table that dropping the trigger needs.
            await connection.execute(text(f"SELECT pg_advisory_unlock({_HOLD})"))
            await _change(database, f"DROP TRIGGER hold ON {table}")


async def _change(database: Database, statement: str) -> None:
    async with database.transaction() as session:
        await (await session.connection()).execute(text(statement))
