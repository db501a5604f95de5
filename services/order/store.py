"""Every query of the order service.

An order, its lines and its events are written in one transaction. A key that was used before is noticed by the unique
index: the insert then waits for the other transaction and writes nothing, and what the other wrote is read. Orders
are read in two queries however many there are: the orders themselves, then the lines of all of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Integer, any_, column, func, literal, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import outbox
from services.database import Database
from services.errors import InternalError, NotFoundError
from services.order.domain import Draft, IdempotencyKey, KeyedOrder, Line, Order
from services.order.events import Announcer
from services.order.models import OrderLineRecord, OrderRecord
from services.order.paging import check_size
from services.order.status import INITIAL, OrderStatus, changes


class PostgresStore:
    """Keeps orders in PostgreSQL; `committed` is called after each transaction that left events in the outbox."""

    def __init__(
        self, database: Database, announcer: Announcer, clock: Callable[[], datetime], committed: Callable[[], None]
    ) -> None:
        self._database = database
        self._announcer = announcer
        self._clock = clock
        self._committed = committed

    async def find(self, account_id: int, key: str) -> KeyedOrder | None:
        """Answers the order that this account placed under this idempotency key."""
        async with self._database.session() as session:
            return await _find(session, account_id, key)

    async def add(self, draft: Draft, key: IdempotencyKey | None) -> KeyedOrder:
        """Writes the order, its lines and its events at once, or nothing; a used key answers its first order."""
        async with self._database.transaction() as session:
            placed = await self._insert(session, draft, key)
            if placed is None:
                return await _first(session, draft.account_id, key)
            await outbox.stage(session, *self._announcer.placed(placed))
        self._committed()
        return KeyedOrder(placed, key.fingerprint if key else None)

    async def page(self, account_ids: Sequence[int], skip: int, take: int) -> Mapping[int, Sequence[Order]]:
        """Answers for each account its orders, newest first, without the first `skip`, at most `take` of them."""
        ids = func.unnest(_integers(account_ids))
        asked = ids.table_valued(column("account_id", Integer), name="asked").render_derived()
        newest = (
            select(OrderRecord)
            .where(col(OrderRecord.account_id) == asked.c.account_id)
            .order_by(col(OrderRecord.id).desc())
            .offset(skip)
            .limit(take)
            .lateral("newest")
        )
        record = aliased(OrderRecord, newest)
        statement = select(record).select_from(asked).join(record, true()).order_by(col(record.id).desc())
        async with self._database.session() as session:
            records = (await session.exec(statement)).all()
            check_size(record.size for record in records)
            orders = await _with_lines(session, records)
        pages: dict[int, list[Order]] = {account_id: [] for account_id in account_ids}
        for order in orders:
            pages[order.account_id].append(order)
        return pages

    async def change_status(self, order_id: int, wanted: OrderStatus) -> Order:
        """Moves an order under a lock on its row and writes the event of it at once."""
        async with self._database.transaction() as session:
            locked = select(OrderRecord).where(col(OrderRecord.id) == order_id).with_for_update()
            record = (await session.exec(locked)).one_or_none()
            if record is None:
                raise NotFoundError(f"There is no order {order_id}.")
            (order,) = await _with_lines(session, [record])
            if not changes(order.status, wanted):
                return order
            moved = replace(order, status=wanted, updated_at=self._clock())
            await _write_status(session, moved)
            await outbox.stage(session, self._announcer.status_changed(moved, previous=order.status))
        self._committed()
        return moved

    async def _insert(self, session: AsyncSession, draft: Draft, key: IdempotencyKey | None) -> Order | None:
        """Answers None, and has written nothing, where the account has used the key before."""
        now = self._clock()
        row = insert(OrderRecord).values(**_order_row(draft, key, now))
        row = row.on_conflict_do_nothing(index_elements=["account_id", "idempotency_key"])
        order_id = (await session.exec(row.returning(col(OrderRecord.id)))).scalar_one_or_none()
        if order_id is None:
            return None
        rows = [_line_row(order_id, position, line) for position, line in enumerate(draft.lines)]
        await session.exec(insert(OrderLineRecord), params=rows)
        return Order(order_id, draft.account_id, draft.currency, draft.total_minor, draft.lines, INITIAL, now, now)


async def _find(session: AsyncSession, account_id: int, key: str) -> KeyedOrder | None:
    statement = select(OrderRecord).where(
        col(OrderRecord.account_id) == account_id, col(OrderRecord.idempotency_key) == key
    )
    record = (await session.exec(statement)).one_or_none()
    if record is None:
        return None
    (order,) = await _with_lines(session, [record])
    return KeyedOrder(order, record.request_fingerprint)


async def _first(session: AsyncSession, account_id: int, key: IdempotencyKey | None) -> KeyedOrder:
    first = await _find(session, account_id, key.value) if key else None
    if first is None:
        raise InternalError("An order was not written although nothing was in its way.")
    return first


async def _write_status(session: AsyncSession, order: Order) -> None:
    await session.exec(
        update(OrderRecord)
        .where(col(OrderRecord.id) == order.id)
        .values(status=order.status.value, updated_at=order.updated_at)
    )


async def _with_lines(session: AsyncSession, records: Sequence[OrderRecord]) -> list[Order]:
    if not records:
        return []
    ids = [record.id for record in records if record.id is not None]
    statement = (
        select(OrderLineRecord)
        .where(col(OrderLineRecord.order_id) == any_(_integers(ids)))
        .order_by(col(OrderLineRecord.order_id), col(OrderLineRecord.position))
    )
    lines: dict[int | None, list[Line]] = defaultdict(list)
    for line in await session.exec(statement):
        lines[line.order_id].append(_line(line))
    return [_order(record, lines[record.id]) for record in records]


def _integers(values: Iterable[int]) -> Any:
    """One array parameter, so that the statement is the same for any number of values."""
    return literal(list(values), ARRAY(Integer))


def _order(record: OrderRecord, lines: Iterable[Line]) -> Order:
    if record.id is None:
        raise InternalError("An order was read without its id.")
    return Order(
        record.id,
        record.account_id,
        record.currency,
        record.total_minor,
        tuple(lines),
        OrderStatus(record.status),
        record.created_at,
        record.updated_at,
    )


def _line(record: OrderLineRecord) -> Line:
    return Line(record.product_id, record.name, record.description, record.price_minor, record.quantity)


def _order_row(draft: Draft, key: IdempotencyKey | None, now: datetime) -> dict[str, Any]:
    return {
        "account_id": draft.account_id,
        "status": INITIAL.value,
        "total_minor": draft.total_minor,
        "currency": draft.currency,
        "created_at": now,
        "updated_at": now,
        "size": draft.size,
        "idempotency_key": key.value if key else None,
        "request_fingerprint": key.fingerprint if key else None,
    }


def _line_row(order_id: int, position: int, line: Line) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "position": position,
        "product_id": line.product_id,
        "name": line.name,
        "description": line.description,
        "price_minor": line.price_minor,
        "quantity": line.quantity,
    }
