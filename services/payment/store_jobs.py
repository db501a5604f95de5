"""The staged jobs of the loops in PostgreSQL: steps for the order service, refunds, sessions to ask about or to close.

A job is claimed by a lease and not by a transaction: what is done with it takes a call to somebody else. SKIP LOCKED
lets several replicas claim at once without waiting for one another; a lease that ran out makes the job anyone's again,
and whatever is done twice then has the same effect as once.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, Table, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment.domain import (
    Backlog,
    CheckoutStatus,
    OrderStatus,
    OrderUpdate,
    OverdueSession,
    RefundJob,
    RefundRequest,
    RefundStatus,
)
from services.payment.store_base import LEASE, LIVE, Rows, locked
from services.payment.tables import deliveries, orders, payments, products, refunds, sessions, updates

# A session whose opening is not answered after this was left by a process that died.
_OPENING: Final = timedelta(seconds=60)
_LONGEST_REASON: Final = 500
_earlier: Final = updates.alias("earlier")
_WAITING: Final = refunds.c.status == RefundStatus.REQUESTED.value
_UNTOLD: Final = updates.c.refusal.is_(None)


class Jobs(Rows):
    """Hands out jobs and takes back what became of them."""

    async def claim_order_updates(self, limit: int) -> list[OrderUpdate]:
        """Answers the first step of each of at most `limit` orders, theirs for 30 seconds who asked."""
        before = exists().where(
            _earlier.c.order_id == updates.c.order_id, _earlier.c.refusal.is_(None), _earlier.c.id < updates.c.id
        )
        due = select(updates.c.id).where(_UNTOLD, updates.c.claimed_until <= self._clock(), ~before)
        rows = await self._claim(updates, due.order_by(updates.c.id), limit)
        return [OrderUpdate(row.id, row.order_id, OrderStatus(row.status), row.attempts) for row in rows]

    async def order_update_done(self, update_id: int) -> None:
        """Takes a step off the list."""
        async with self._database.transaction() as session:
            await (await session.connection()).execute(delete(updates).where(updates.c.id == update_id))
        # The next step of the same order may be told at once.
        self._committed()

    async def order_update_refused(self, update_id: int, reason: str, *, cancelled: bool) -> None:
        """Keeps why the order service refused a step; `cancelled` says that the order takes no payment any more."""
        async with self._database.transaction() as session:
            connection = await session.connection()
            refused = update(updates).where(updates.c.id == update_id).returning(updates.c.order_id)
            row = (await connection.execute(refused.values(refusal=reason[:_LONGEST_REASON]))).one_or_none()
            if row is not None and cancelled:
                await self._cancel(connection, row.order_id)
        self._committed()

    async def release_order_update(self, update_id: int, seconds: float) -> None:
        """Gives a step back after a failure, to be claimed again after so long."""
        await self._release(updates, update_id, seconds)

    async def order_cancelled(self, order_id: int) -> None:
        """Has what was paid for an order given back, and its page closed; again, it changes nothing."""
        async with self._database.transaction() as session:
            await self._cancel(await session.connection(), order_id)
        self._committed()

    async def claim_refunds(self, limit: int) -> list[RefundJob]:
        """Answers at most `limit` refunds that the provider is to be asked for, theirs for 30 seconds who asked."""
        mine = (_WAITING, refunds.c.provider == self._provider, refunds.c.claimed_until <= self._clock())
        rows = await self._claim(refunds, select(refunds.c.id).where(*mine).order_by(refunds.c.created_at), limit)
        return [_refund_job(row) for row in rows]

    async def refund_refused(self, refund_id: str, reason: str) -> None:
        """Keeps that the provider will not give it back, and why."""
        under_way = (RefundStatus.REQUESTED.value, RefundStatus.PENDING.value)
        refused = update(refunds).where(refunds.c.id == refund_id, refunds.c.status.in_(under_way))
        async with self._database.transaction() as session:
            values = {"status": RefundStatus.FAILED.value, "failure": reason[:_LONGEST_REASON]}
            await (await session.connection()).execute(refused.values(**values))

    async def release_refund(self, refund_id: str, seconds: float) -> None:
        """Gives a refund back after a failure, to be claimed again after so long."""
        await self._release(refunds, refund_id, seconds)

    async def overdue_sessions(self, before: datetime, limit: int) -> list[OverdueSession]:
        """Answers live sessions that the provider was not asked about since `before`, which it is to be asked now.

        A session that is still OPENING after a minute was left by a process that died, and is answered as well.
        """
        now = self._clock()
        is_open = and_(sessions.c.status == CheckoutStatus.OPEN.value, sessions.c.checked_at < before)
        is_left = and_(sessions.c.status == CheckoutStatus.OPENING.value, sessions.c.checked_at < now - _OPENING)
        live = sessions.c.status.in_(LIVE)
        return await self._check(select(sessions.c.id).where(live, or_(is_open, is_left)), limit)

    async def overdue_refunds(self, before: datetime, limit: int) -> list[OverdueSession]:
        """Answers the sessions of refunds of which nothing was heard since `before`, likewise."""
        pending = (refunds.c.status == RefundStatus.PENDING.value, refunds.c.provider == self._provider)
        due = select(refunds.c.id).where(*pending, refunds.c.payment_id.is_not(None), refunds.c.claimed_until < before)
        async with self._database.transaction() as session:
            connection = await session.connection()
            rows = await self._leased(connection, refunds, due, limit, {"claimed_until": self._clock()})
            of_payment = payments.c.id.in_([row.payment_id for row in rows])
            paid = select(sessions).where(sessions.c.id.in_(select(payments.c.session_id).where(of_payment)))
            return [_overdue(row) for row in await connection.execute(paid)]

    async def sessions_to_close(self, limit: int) -> list[OverdueSession]:
        """Answers sessions that are over here and may still be open at the provider; each once in 30 seconds."""
        free = sessions.c.checked_at <= self._clock() - LEASE
        due = (sessions.c.to_close, sessions.c.provider_session_id != "", free)
        return await self._check(select(sessions.c.id).where(*due), limit)

    async def session_closed(self, session_id: str) -> None:
        """Keeps that the provider's page is over as well."""
        async with self._database.transaction() as session:
            closed = update(sessions).where(sessions.c.id == session_id).values(to_close=False)
            await (await session.connection()).execute(closed)

    async def expire_session(self, session_id: str) -> None:
        """Ends a live session on which nobody paid; the order stays as it is."""
        async with self._database.transaction() as session:
            live = update(sessions).where(sessions.c.id == session_id, sessions.c.status.in_(LIVE))
            await (await session.connection()).execute(live.values(status=CheckoutStatus.EXPIRED.value))

    async def forget_deliveries(self, before: datetime, limit: int) -> int:
        """Forgets at most `limit` deliveries from before that time: repeated now, they would be stale."""
        old = select(deliveries.c.provider, deliveries.c.delivery_id).where(deliveries.c.received_at < before)
        async with self._database.transaction() as session:
            some = old.limit(limit).subquery()
            same = and_(deliveries.c.provider == some.c.provider, deliveries.c.delivery_id == some.c.delivery_id)
            gone = await (await session.connection()).execute(delete(deliveries).where(same))
        return gone.rowcount

    async def backlog(self) -> Backlog:
        """Answers how much waits, and since when."""
        listings = select(func.count()).select_from(products).where(products.c.pushed_version < products.c.version)
        counted = select(
            _count(updates, _UNTOLD),
            _count(refunds, _WAITING),
            listings.scalar_subquery(),
            select(func.min(updates.c.created_at)).where(_UNTOLD).scalar_subquery(),
            select(func.min(refunds.c.created_at)).where(_WAITING).scalar_subquery(),
        )
        async with self._database.session() as session:
            return Backlog(*(await (await session.connection()).execute(counted)).one())

    async def _cancel(self, connection: AsyncConnection, order_id: int) -> None:
        if await locked(connection, [order_id]):
            cancelled = update(orders).where(orders.c.order_id == order_id).values(cancelled=True)
            await connection.execute(cancelled)
            await self._settle(connection, order_id)

    async def _check(self, due: Select[Any], limit: int) -> list[OverdueSession]:
        mine = due.where(sessions.c.provider == self._provider).order_by(sessions.c.checked_at)
        async with self._database.transaction() as session:
            connection = await session.connection()
            rows = await self._leased(connection, sessions, mine, limit, {"checked_at": self._clock()})
        return [_overdue(row) for row in rows]

    async def _claim(self, table: Table, due: Select[Any], limit: int) -> list[Row[Any]]:
        async with self._database.transaction() as session:
            until = {"claimed_until": self._clock() + LEASE}
            return await self._leased(await session.connection(), table, due, limit, until)

    async def _leased(
        self, connection: AsyncConnection, table: Table, due: Select[Any], limit: int, lease: dict[str, datetime]
    ) -> list[Row[Any]]:
        free = due.limit(limit).with_for_update(skip_locked=True, of=table)
        taken = update(table).where(table.c.id.in_(free)).values(**lease).returning(table)
        return sorted((await connection.execute(taken)).all(), key=lambda row: row.id)

    async def _release(self, table: Table, job_id: str | int, seconds: float) -> None:
        values = {
            "attempts": table.c.attempts + 1,
            "claimed_until": self._clock() + timedelta(seconds=seconds),
        }
        async with self._database.transaction() as session:
            released = update(table).where(table.c.id == job_id).values(**values)
            await (await session.connection()).execute(released)


def _count(table: Table, which: Any) -> Any:
    return select(func.count()).select_from(table).where(which).scalar_subquery()


def _refund_job(row: Row[Any]) -> RefundJob:
    asked = RefundRequest(row.id, row.provider_payment_id, row.amount_minor, row.currency, row.reason)
    return RefundJob(asked, row.payment_id, row.attempts)


def _overdue(row: Row[Any]) -> OverdueSession:
    return OverdueSession(row.id, row.provider_session_id, CheckoutStatus(row.status), row.expires_at)
