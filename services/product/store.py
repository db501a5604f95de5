"""Every query of the product service.

Reads select columns, not records, and take one round trip each. A change locks its row first, so that of two at once
the second sees what the first has made; the event is staged in the same transaction.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CursorResult,
    Executable,
    Select,
    Table,
    Uuid,
    any_,
    bindparam,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlmodel.ext.asyncio.session import AsyncSession

from services import outbox
from services.database import Database
from services.errors import ConflictError, NotFoundError
from services.product.events import Announcer
from services.product.models import ProductRecord
from services.product.service import Product

_TABLE: Final[Table] = ProductRecord.__table__  # type: ignore[attr-defined]  # SQLModel adds it without telling mypy
_ROWS: Final[Select[Any]] = select(*(_TABLE.c[name] for name in Product.__slots__))
# Made once, with parameters, so that SQLAlchemy need not work out each time that it knows the statement already.
_ONE: Final = _ROWS.where(_TABLE.c.id == bindparam("id"))
_LOCKED: Final = _ONE.with_for_update()
# One array parameter, so that the statement is the same for any number of ids.
_MANY: Final = _ROWS.where(_TABLE.c.id == any_(bindparam("ids", type_=ARRAY(Uuid(as_uuid=False)))))
_PAGE: Final = _ROWS.order_by(_TABLE.c.id).offset(bindparam("skip")).limit(bindparam("take"))
_FIRST: Final = _ROWS.order_by(_TABLE.c.id).limit(bindparam("take"))
_NEXT: Final = _FIRST.where(_TABLE.c.id > bindparam("after"))
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

    async def add(self, product: Product) -> None:
        """Stores a new product and its event."""
        async with self._database.transaction() as session:
            await _execute(session, _INSERT, _values(product))
            await outbox.stage(session, self._announcer.created(product))
        self._committed()

    async def get(self, product_id: str) -> Product | None:
        """Answers one product, or None."""
        async with self._database.session() as session:
            row = (await _execute(session, _ONE, {"id": product_id})).one_or_none()
        return None if row is None else _product(row)

    async def get_many(self, ids: Sequence[str]) -> list[Product]:
        """Answers those that exist, in any order."""
        return await self._products(_MANY, {"ids": list(ids)})

    async def page(self, skip: int, take: int) -> list[Product]:
        """Answers a page of all products, oldest first."""
        return await self._products(_PAGE, {"skip": skip, "take": take})

    async def after(self, product_id: str | None, take: int) -> list[Product]:
        """Answers the next products by id, from the beginning where None is given: all of them, batch by batch."""
        if product_id is None:
            return await self._products(_FIRST, {"take": take})
        return await self._products(_NEXT, {"after": product_id, "take": take})

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

    async def _products(self, statement: Select[Any], values: Mapping[str, Any]) -> list[Product]:
        async with self._database.session() as session:
            rows = (await _execute(session, statement, values)).all()
        return [_product(row) for row in rows]


async def _locked(session: AsyncSession, product_id: str) -> Product:
    row = (await _execute(session, _LOCKED, {"id": product_id})).one_or_none()
    if row is None:
        raise NotFoundError("There is no such product.")
    return _product(row)


async def _execute(session: AsyncSession, statement: Executable, values: Mapping[str, Any]) -> CursorResult[Any]:
    """Past the ORM: what is selected are columns, and nothing of it needs to be tracked."""
    return await (await session.connection()).execute(statement, values)


def _product(row: Sequence[Any]) -> Product:
    """The columns are selected in the order of the product's fields."""
    return Product(*row)


def _values(product: Product) -> dict[str, Any]:
    return {name: getattr(product, name) for name in Product.__slots__}
