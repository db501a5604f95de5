"""Every query of the product service.

Reads take one round trip each, and tell their SQL to the driver: SQLAlchemy's share of a short read is ten times the
driver's. A change locks its row first, so that of two at once the second sees what the first has made; the event is
staged in the same transaction.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import CursorResult, Executable, Select, Table, bindparam, delete, insert, select, text, update
from sqlmodel.ext.asyncio.session import AsyncSession

from services import outbox
from services.database import Database
from services.errors import ConflictError, NotFoundError
from services.product.events import Announcer
from services.product.models import ProductRecord
from services.product.service import Product

_TABLE: Final[Table] = ProductRecord.__table__  # type: ignore[attr-defined]  # SQLModel adds it without telling mypy
_FIELDS: Final = Product.__slots__
# The server writes ids as we do, which is cheaper than making an object of each first.
_COLUMNS: Final = ", ".join("id::text" if name == "id" else name for name in _FIELDS)
_ROWS: Final = f"SELECT {_COLUMNS} FROM products"  # noqa: S608 of constants
ONE: Final = f"{_ROWS} WHERE id = $1"
# One array parameter, so that the statement is the same for any number of ids.
MANY: Final = f"{_ROWS} WHERE id = ANY($1::uuid[])"
# They name the table: `id` alone would be the text in the first column, which no index sorts.
FIRST: Final = f"{_ROWS} ORDER BY products.id LIMIT $1"
NEXT: Final = f"{_ROWS} WHERE id > $2 ORDER BY products.id LIMIT $1"
# What is skipped is counted in the index alone; no row is read that is not shown.
_SKIPPED_TO: Final = "SELECT id FROM products ORDER BY id OFFSET $2 LIMIT 1"
DEEP: Final = f"{_ROWS} WHERE id >= ({_SKIPPED_TO}) ORDER BY products.id LIMIT $1"
# From so many skipped on, counting takes longer than reading the page.
FAR: Final = 2_000
# Such pages are read by this many at once, the others in turn: each keeps a processor busy that all reads need.
FAR_AT_ONCE: Final = 2
_LOCKED: Final[Select[Any]] = (
    select(*(_TABLE.c[name] for name in _FIELDS)).where(_TABLE.c.id == bindparam("id")).with_for_update()
)
# Made once, with parameters, so that SQLAlchemy need not work out each time that it knows the statement already.
_INSERT: Final = insert(_TABLE)
_UPDATE: Final = update(_TABLE).where(_TABLE.c.id == bindparam("changed_id"))
_DELETE: Final = delete(_TABLE).where(_TABLE.c.id == bindparam("id"))
_TRY_LOCK: Final = text("SELECT pg_try_advisory_lock(:key)")
# Any fixed number that nothing else in this database locks.
_REINDEX_LOCK: Final = 0x7072_6F64_7563_7400


class PostgresProducts:
    """Keeps products in PostgreSQL; `committed` is called after each transaction that left events in the outbox."""

    def __init__(self, database: Database, announcer: Announcer, committed: Callable[[], None]) -> None:
        self._database = database
        self._announcer = announcer
        self._committed = committed
        self._far = asyncio.Semaphore(FAR_AT_ONCE)

    async def add(self, product: Product) -> None:
        """Stores a new product and its event."""
        async with self._database.transaction() as session:
            await _execute(session, _INSERT, _values(product))
            await outbox.stage(session, self._announcer.created(product))
        self._committed()

    async def get(self, product_id: str) -> Product | None:
        """Answers one product, or None."""
        rows = await self._database.fetch(ONE, product_id)
        return Product(*rows[0]) if rows else None

    async def get_many(self, ids: Sequence[str]) -> list[Product]:
        """Answers those that exist, in any order."""
        return await self._products(MANY, ids)

    async def page(self, skip: int, take: int) -> list[Product]:
        """Answers a page of all products, oldest first."""
        if not skip:
            return await self._products(FIRST, take)
        async with self._far if skip >= FAR else contextlib.nullcontext():
            return await self._products(DEEP, take, skip)

    async def after(self, product_id: str | None, take: int) -> list[Product]:
        """Answers the next products by id, from the beginning where None is given: all of them, batch by batch."""
        if product_id is None:
            return await self._products(FIRST, take)
        return await self._products(NEXT, take, product_id)

    async def change(self, product_id: str, decide: Callable[[Product], Product]) -> Product:
        """Replaces a product by what `decide` makes of it, with the event; the same product changes nothing."""
        async with self._database.transaction() as session:
            current = await _locked(session, product_id)
            changed = decide(current)
            if changed is current:
                return current
            await _execute(session, _UPDATE, {"changed_id": product_id, **_values(changed)})
            await outbox.stage(session, self._announcer.updated(changed))
        self._committed()
        return changed

    async def remove(self, product_id: str, allow: Callable[[Product], None]) -> None:
        """Deletes a product, with the event, unless `allow` raises."""
        async with self._database.transaction() as session:
            current = await _locked(session, product_id)
            allow(current)
            await _execute(session, _DELETE, {"id": product_id})
            await outbox.stage(session, self._announcer.deleted(current))
        self._committed()

    @contextlib.asynccontextmanager
    async def reindexing(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Makes sure that one process at a time builds a search index; raises ConflictError when another does.

        The lock goes with its connection. What is answered raises UnavailableError when that has been lost: call it
        before a step that must not be taken by two.
        """
        async with self._database.dedicated() as connection:
            if not (await connection.execute(_TRY_LOCK, {"key": _REINDEX_LOCK})).scalar_one():
                raise ConflictError("Another process is building the search index.")

            async def still_held() -> None:
                await connection.execute(text("SELECT 1"))

            yield still_held

    async def _products(self, sql: str, *args: object) -> list[Product]:
        return [Product(*row) for row in await self._database.fetch(sql, *args)]


async def _locked(session: AsyncSession, product_id: str) -> Product:
    row: Sequence[Any] | None = (await _execute(session, _LOCKED, {"id": product_id})).one_or_none()
    if row is None:
        raise NotFoundError("There is no such product.")
    return Product(*row)


async def _execute(session: AsyncSession, statement: Executable, values: Mapping[str, Any]) -> CursorResult[Any]:
    """Past the ORM: what is selected are columns, and nothing of it needs to be tracked."""
    return await (await session.connection()).execute(statement, values)


def _values(product: Product) -> dict[str, Any]:
    return {name: getattr(product, name) for name in _FIELDS}
