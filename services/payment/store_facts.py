"""What a provider told, merged into PostgreSQL.

One transaction: the delivery's id is written (a second one of the same id waits for the first and then writes nothing),
the payments that are told of are locked by their ids at the provider, for they may not have a row yet, then the orders
concerned; the facts are merged one by one, and each order is settled.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment import state
from services.payment.domain import (
    CheckoutFact,
    CheckoutStatus,
    Delivery,
    Fact,
    Outcome,
    PaymentFact,
    PaymentStatus,
    RefundFact,
    RefundStatus,
)
from services.payment.store_base import LIVE, Rows, locked
from services.payment.tables import deliveries, payments, refunds, sessions


class Facts(Rows):
    """Merges facts."""

    async def apply(self, delivery: Delivery) -> Outcome:
        """Takes a delivery once, with everything that follows from it; returns when that is committed."""
        async with self._database.transaction() as session:
            connection = await session.connection()
            if not await self._first_time(connection, delivery):
                return Outcome.DUPLICATE
            outcome = await self._merge(connection, delivery.facts)
            known = (deliveries.c.provider == self._provider) & (deliveries.c.delivery_id == delivery.id)
            await connection.execute(update(deliveries).where(known).values(outcome=outcome.value))
        self._committed()
        return outcome

    async def record_facts(self, facts: Sequence[Fact]) -> Outcome:
        """Merges what the provider answered when it was asked, in the same way."""
        async with self._database.transaction() as session:
            outcome = await self._merge(await session.connection(), facts)
        self._committed()
        return outcome

    async def _first_time(self, connection: AsyncConnection, delivery: Delivery) -> bool:
        values = {
            "provider": self._provider,
            "delivery_id": delivery.id,
            "type": delivery.type,
            "outcome": Outcome.IGNORED.value,
            "received_at": self._clock(),
        }
        taken = insert(deliveries).on_conflict_do_nothing().returning(deliveries.c.delivery_id)
        return (await connection.execute(taken, values)).one_or_none() is not None

    async def _merge(self, connection: AsyncConnection, facts: Sequence[Fact]) -> Outcome:
        if not facts:
            return Outcome.IGNORED
        await self._lock_payments(connection, facts)
        # Refunds first: a payment that is new takes along those that wait for it.
        facts = sorted(facts, key=lambda fact: not isinstance(fact, RefundFact))
        placed = [(fact, await self._place(connection, fact)) for fact in facts]
        order_ids = {row.order_id for _, row in placed if row is not None}
        await locked(connection, list(order_ids))
        for fact, row in placed:
            await self._tell(connection, fact, row)
        for order_id in sorted(order_ids):
            await self._settle(connection, order_id)
        return Outcome.APPLIED if order_ids else Outcome.UNMATCHED

    async def _lock_payments(self, connection: AsyncConnection, facts: Sequence[Fact]) -> None:
        named = {fact.provider_payment_id for fact in facts if not isinstance(fact, CheckoutFact)}
        for name in sorted(named):
            key = func.hashtextextended(f"{self._provider}:{name}", 0)
            await connection.execute(select(func.pg_advisory_xact_lock(key)))

    async def _place(self, connection: AsyncConnection, fact: Fact) -> Row[Any] | None:
        """Answers the row that a fact belongs to: the session of a payment or checkout, the payment of a refund."""
        if isinstance(fact, RefundFact):
            return await self._payment_of(connection, fact)
        if isinstance(fact, PaymentFact):
            known = select(sessions).join(payments, payments.c.session_id == sessions.c.id)
            found = await connection.execute(known.where(*self._is_payment(fact.provider_payment_id)))
            row: Row[Any] | None = found.one_or_none()
            if row is not None:
                return row
        by_id = sessions.c.id == fact.session_id
        named = sessions.c.provider_session_id == (fact.provider_session_id or None)
        mine = select(sessions).where(sessions.c.provider == self._provider, or_(by_id, named))
        best: Row[Any] | None = (await connection.execute(mine.order_by(by_id.desc()).limit(1))).one_or_none()
        return best

    async def _payment_of(self, connection: AsyncConnection, fact: RefundFact) -> Row[Any] | None:
        """Answers the payment of a refund, which is also that of a refund that we asked for."""
        payment: Row[Any] | None = (await connection.execute(self._paid(fact.provider_payment_id))).one_or_none()
        if payment is None:
            asked = select(payments).join(refunds, refunds.c.payment_id == payments.c.id).where(self._is_refund(fact))
            payment = (await connection.execute(asked.limit(1))).one_or_none()
        return payment

    async def _tell(self, connection: AsyncConnection, fact: Fact, row: Row[Any] | None) -> None:
        if isinstance(fact, RefundFact):
            # Also without its payment, which may be told of later.
            await self._tell_refund(connection, fact, row)
        elif row is None:
            return
        elif isinstance(fact, PaymentFact):
            await self._tell_payment(connection, fact, row)
        elif fact.status not in (CheckoutStatus.OPENING, CheckoutStatus.OPEN):
            over = update(sessions).where(sessions.c.id == row.id, sessions.c.status.in_(LIVE))
            await connection.execute(over.values(status=fact.status.value))
        if row is not None and not isinstance(fact, RefundFact):
            await self._name_session(connection, row, fact.provider_session_id)

    async def _tell_payment(self, connection: AsyncConnection, fact: PaymentFact, of_session: Row[Any]) -> None:
        told = {
            "status": fact.status.value,
            "amount_minor": fact.amount_minor,
            "tax_minor": fact.tax_minor,
            "currency": fact.currency,
            "reason": fact.reason,
            "occurred_at": fact.occurred_at,
        }
        known = (await connection.execute(self._paid(fact.provider_payment_id))).one_or_none()
        if known is None:
            await self._new_payment(connection, fact.provider_payment_id, of_session, told)
        elif state.prevails(
            fact,
            PaymentStatus(known.status),
            known.occurred_at,
            (known.amount_minor, known.tax_minor, known.currency),
        ):
            await connection.execute(update(payments).where(payments.c.id == known.id).values(**told))
        if fact.status == PaymentStatus.SUCCEEDED:
            paid = update(sessions).where(sessions.c.id == of_session.id)
            await connection.execute(paid.values(status=CheckoutStatus.COMPLETED.value, to_close=False))

    async def _new_payment(
        self, connection: AsyncConnection, provider_payment_id: str, of_session: Row[Any], told: dict[str, Any]
    ) -> None:
        values = {
            "id": self._ids(),
            "session_id": of_session.id,
            "order_id": of_session.order_id,
            "provider": self._provider,
            "provider_payment_id": provider_payment_id,
            "created_at": self._clock(),
            **told,
        }
        await connection.execute(insert(payments), values)
        waiting = update(refunds).where(
            refunds.c.provider == self._provider,
            refunds.c.provider_payment_id == provider_payment_id,
            refunds.c.payment_id.is_(None),
        )
        await connection.execute(waiting.values(payment_id=values["id"]))

    async def _tell_refund(self, connection: AsyncConnection, fact: RefundFact, of_payment: Row[Any] | None) -> None:
        rows = (await connection.execute(self._refunds_of(fact))).all()
        if not rows:
            await connection.execute(insert(refunds), self._foreign_refund(fact, of_payment))
            return
        # One that we asked for may have been told of by the provider's id alone before: both are the same refund.
        kept, *doubles = rows
        for double in doubles:
            await connection.execute(delete(refunds).where(refunds.c.id == double.id))
        values: dict[str, Any] = {"provider_refund_id": fact.provider_refund_id or kept.provider_refund_id}
        best = max((RefundStatus(row.status) for row in rows), key=list(RefundStatus).index)
        if state.refund_prevails(fact, best):
            values |= {
                "status": fact.status.value,
                "amount_minor": fact.amount_minor,
                "occurred_at": fact.occurred_at,
                "failure": fact.reason if fact.status == RefundStatus.FAILED else "",
            }
        else:
            values["status"] = best.value
        await connection.execute(update(refunds).where(refunds.c.id == kept.id).values(**values))

    def _refunds_of(self, fact: RefundFact) -> Select[Any]:
        """Answers the rows of one refund: the one that we asked for first."""
        return (
            select(refunds).where(self._is_refund(fact)).order_by((refunds.c.id == fact.refund_id).desc(), refunds.c.id)
        )

    def _is_refund(self, fact: RefundFact) -> ColumnElement[bool]:
        named = refunds.c.provider_refund_id == (fact.provider_refund_id or None)
        return and_(refunds.c.provider == self._provider, or_(refunds.c.id == fact.refund_id, named))

    def _foreign_refund(self, fact: RefundFact, of_payment: Row[Any] | None) -> dict[str, Any]:
        now = self._clock()
        return {
            "id": self._ids(),
            "provider": self._provider,
            "payment_id": of_payment.id if of_payment is not None else None,
            "provider_payment_id": fact.provider_payment_id,
            "provider_refund_id": fact.provider_refund_id,
            "status": fact.status.value,
            "amount_minor": fact.amount_minor,
            "currency": fact.currency,
            "reason": fact.reason,
            "failure": "",
            "automatic": False,
            "occurred_at": fact.occurred_at,
            "created_at": now,
            "attempts": 0,
            "claimed_until": now,
        }

    async def _name_session(self, connection: AsyncConnection, row: Row[Any], name: str) -> None:
        """Keeps the provider's id of a session whose opening was never answered, so that it can be asked about."""
        if not name or row.provider_session_id:
            return
        others = _OTHERS.where(_other.c.provider == literal(self._provider), _other.c.provider_session_id == name)
        unnamed = update(sessions).where(sessions.c.id == row.id, sessions.c.provider_session_id == "", ~exists(others))
        await connection.execute(unnamed.values(provider_session_id=name))

    def _paid(self, provider_payment_id: str) -> Select[Any]:
        return select(payments).where(*self._is_payment(provider_payment_id))

    def _is_payment(self, provider_payment_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return payments.c.provider == self._provider, payments.c.provider_payment_id == provider_payment_id


_other: Final = sessions.alias("other")
_OTHERS: Final = select(_other.c.id)
