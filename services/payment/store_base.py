"""What every part of the store has, and how an order is settled.

Settling: under the lock of the order's row, what is known is read, state.py says what it comes to, and the steps for
the order service, the refunds that are owed and the end of the live session are written. Whoever changes anything of an
order settles it in the same transaction, so no process can die between a fact and its consequences.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.database import Database
from services.payment import state
from services.payment.domain import CheckoutStatus, OrderStatus, PaymentStatus, RefundStatus
from services.payment.tables import orders, payments, refunds, sessions, updates

# How long a job belongs to whoever claimed it: more than one call to a provider or service may take.
LEASE: Final = timedelta(seconds=30)
LIVE: Final = (CheckoutStatus.OPENING.value, CheckoutStatus.OPEN.value)


class Rows:
    """The payments of one provider in PostgreSQL; `committed` is called after each transaction that left jobs."""

    def __init__(
        self,
        database: Database,
        provider: str,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        committed: Callable[[], None],
    ) -> None:
        self._database = database
        self._provider = provider
        self._clock = clock
        self._ids = ids
        self._committed = committed

    async def _settle(self, connection: AsyncConnection, order_id: int) -> None:
        """Writes what an order's facts come to; its row is to be locked."""
        (story,) = (await stories(connection, [order_id])).values()
        steps = state.steps(story)
        if steps:
            await self._stage(connection, order_id, steps)
            story = replace(story, staged=steps[-1])
        for owed in state.owed(story):
            await connection.execute(insert(refunds), await self._owed_row(connection, owed))
        if story.is_cancelled or state.winner(story):
            over = update(sessions).where(sessions.c.order_id == order_id, sessions.c.status.in_(LIVE))
            await connection.execute(over.values(self._over(to_close=True)))

    def _over(self, *, to_close: bool) -> dict[str, Any]:
        """Answers what is written of a session that is over; its page is closed at the provider as soon as possible."""
        status = CheckoutStatus.EXPIRED.value
        return {"status": status, "to_close": to_close, "checked_at": self._clock() - LEASE}

    async def _stage(self, connection: AsyncConnection, order_id: int, steps: Sequence[OrderStatus]) -> None:
        now = self._clock()
        job = {"order_id": order_id, "created_at": now, "attempts": 0, "claimed_until": now}
        # One after another, so that their ids are in their order.
        for step in steps:
            await connection.execute(insert(updates), {**job, "status": step.value})
        moved = update(orders).where(orders.c.order_id == order_id)
        await connection.execute(moved.values(staged_status=steps[-1].value))

    async def _owed_row(self, connection: AsyncConnection, owed: state.Owed) -> dict[str, Any]:
        found = await connection.execute(select(payments).where(payments.c.id == owed.payment_id))
        return self._refund_row(
            found.one(),
            id=self._ids(),
            amount_minor=owed.amount_minor,
            reason=owed.reason.value,
            automatic=True,
        )

    def _refund_row(self, payment: Row[Any], **values: Any) -> dict[str, Any]:
        """Answers what is written for a refund that is asked for now."""
        now = self._clock()
        return {
            "provider": payment.provider,
            "payment_id": payment.id,
            "provider_payment_id": payment.provider_payment_id,
            "provider_refund_id": "",
            "status": RefundStatus.REQUESTED.value,
            "currency": payment.currency,
            "failure": "",
            "occurred_at": now,
            "created_at": now,
            "attempts": 0,
            "claimed_until": now,
            **values,
        }


async def locked(connection: AsyncConnection, order_ids: Sequence[int]) -> list[Row[Any]]:
    """Locks the rows of these orders, always in the same order, so that two who do so cannot wait for each other."""
    found = select(orders).where(orders.c.order_id.in_(order_ids)).order_by(orders.c.order_id).with_for_update()
    return list((await connection.execute(found)).all())


async def stories(connection: AsyncConnection, order_ids: Sequence[int]) -> dict[int, state.Story]:
    """Answers what is known of each of these orders; those that nobody began to pay are left out."""
    known = (await connection.execute(select(orders).where(orders.c.order_id.in_(order_ids)))).all()
    of_order: dict[int, list[state.PaymentState]] = defaultdict(list)
    order_of: dict[str, int] = {}
    for row in await connection.execute(_PAYMENTS.where(payments.c.order_id.in_(order_ids))):
        of_order[row.order_id].append(_payment_state(row))
        order_of[row.id] = row.order_id
    given_back: dict[int, list[state.RefundState]] = defaultdict(list)
    for row in await connection.execute(select(refunds).where(refunds.c.payment_id.in_(order_of))):
        given_back[order_of[row.payment_id]].append(_refund_state(row))
    return {
        row.order_id: state.Story(
            OrderStatus(row.staged_status),
            row.cancelled,
            tuple(of_order[row.order_id]),
            tuple(given_back[row.order_id]),
        )
        for row in known
    }


_PAYMENTS: Final = select(
    payments, sessions.c.amount_minor.label("due_minor"), sessions.c.currency.label("due_currency")
).join(sessions, sessions.c.id == payments.c.session_id)


def _payment_state(row: Row[Any]) -> state.PaymentState:
    return state.PaymentState(
        row.id,
        row.provider_payment_id,
        PaymentStatus(row.status),
        row.amount_minor,
        row.tax_minor,
        row.currency,
        row.occurred_at,
        row.due_minor,
        row.due_currency,
    )


def _refund_state(row: Row[Any]) -> state.RefundState:
    return state.RefundState(row.payment_id, RefundStatus(row.status), row.amount_minor, row.automatic)
