"""Orders in PostgreSQL.

An order, its lines and its events are written in one transaction. A key that was used before is noticed by the unique
index: the insert then waits for the other transaction and writes nothing, and what the other wrote is read. Orders
are read in one round trip however many there are, each with its lines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from services import outbox
from services.database import Database
from services.errors import InternalError, NotFoundError
from services.order import statements
from services.order.domain import Draft, IdempotencyKey, KeyedOrder, Line, Order
from services.order.events import Announcer
from services.order.paging import MAX_ANSWER, check_size
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
        rows = await self._database.fetch(statements.BY_KEY, account_id, key)
        return KeyedOrder(statements.whole_order(rows[0]), rows[0]["request_fingerprint"]) if rows else None

    async def add(self, draft: Draft, key: IdempotencyKey | None) -> KeyedOrder:
        """Writes the order, its lines and its events at once, or nothing; a used key answers its first order."""
        async with self._database.transaction() as session:
            placed = await self._insert(session, draft, key)
            if placed is not None:
                await outbox.stage(session, *self._announcer.placed(placed))
        if placed is None:
            return await self._first(draft.account_id, key)
        self._committed()
        return KeyedOrder(placed, key.fingerprint if key else None)

    async def get(self, order_id: int) -> Order | None:
        """Answers the order as it is now, or None when there is none."""
        rows = await self._database.fetch(statements.BY_ID, order_id)
        return statements.whole_order(rows[0]) if rows else None

    async def page(self, account_ids: Sequence[int], skip: int, take: int) -> Mapping[int, Sequence[Order]]:
        """Answers for each account its orders, newest first, without the first `skip`, at most `take` of them.

        Raises InvalidError when they are too large for one answer, without having read their texts.
        """
        rows = await self._database.fetch(statements.PAGE, list(account_ids), skip, take, MAX_ANSWER)
        check_size(row["size"] for row in rows)
        pages: dict[int, list[Order]] = {account_id: [] for account_id in account_ids}
        for order in map(statements.whole_order, rows):
            pages[order.account_id].append(order)
        for orders in pages.values():
            # As good as sorted: the index was read backwards, but only a promise of SQL would let that go unsaid.
            orders.sort(key=attrgetter("id"), reverse=True)
        return pages

    async def change_status(self, order_id: int, wanted: OrderStatus) -> Order:
        """Moves an order under a lock on its row and writes the event of it at once."""
        async with self._database.transaction() as session:
            connection = await session.connection()
            order = await _locked(connection, order_id)
            if not changes(order.status, wanted):
                return order
            moved = replace(order, status=wanted, updated_at=self._clock())
            values = {"status": moved.status.value, "updated_at": moved.updated_at}
            await connection.execute(statements.NEW_STATUS.values(**values), {"order_id": order_id})
            await outbox.stage(session, self._announcer.status_changed(moved, previous=order.status))
        self._committed()
        return moved

    async def _insert(self, session: AsyncSession, draft: Draft, key: IdempotencyKey | None) -> Order | None:
        """Answers None, and has written nothing, where the account has used the key before."""
        now = self._clock()
        connection = await session.connection()
        inserted = await connection.execute(statements.NEW_ORDER, statements.order_values(draft, key, now))
        order_id = inserted.scalar_one_or_none()
        if order_id is None:
            return None
        return Order(order_id, draft.account_id, draft.currency, draft.total_minor, draft.lines, INITIAL, now, now)

    async def _first(self, account_id: int, key: IdempotencyKey | None) -> KeyedOrder:
        first = await self.find(account_id, key.value) if key else None
        if first is None:
            raise InternalError("An order was not written although nothing was in its way.")
        return first


async def _locked(connection: AsyncConnection, order_id: int) -> Order:
    asked = {"order_id": order_id}
    row = (await connection.execute(statements.LOCKED, asked)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no order {order_id}.")
    lines = await connection.execute(statements.LINES, asked)
    return statements.order_of(row, (Line(*line) for line in lines))
