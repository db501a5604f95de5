"""Customers and checkout sessions in PostgreSQL, and what is shown of payments.

A checkout has two transactions with the provider's call between them. The first writes a session as OPENING, under the
order's lock; its id is the idempotency key of the call. The second keeps the answer. Whoever dies in between leaves the
OPENING session, and the next request repeats the same call with everything that it was made with.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, and_, bindparam, case, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.errors import ConflictError, NotFoundError
from services.payment import state
from services.payment.domain import (
    BegunCheckout,
    CheckoutSession,
    CheckoutStatus,
    Customer,
    OpenedCheckout,
    Order,
    OrderStatus,
    Payment,
    RefundOrder,
)
from services.payment.store_base import LIVE, Rows, locked, stories
from services.payment.tables import customers, orders, payments, products, refunds, sessions

_PAYABLE: Final = (OrderStatus.PLACED.value, OrderStatus.PAYMENT_FAILED.value)


class Checkouts(Rows):
    """Keeps sessions and customers, and shows payments."""

    async def begin_checkout(
        self, order: Order, email: str, name: str, redirect_url: str, expires_at: datetime
    ) -> BegunCheckout:
        """Answers the order's live session, made where there is none that fits.

        Raises ConflictError when the order is paid, refunded or cancelled, as far as is known here.
        """
        async with self._database.transaction() as session:
            connection = await session.connection()
            await self._lock_payable(connection, order)
            customer = await self._customer(connection, order.account_id, email, name)
            live = (await connection.execute(_LIVE, {"asked": order.id})).one_or_none()
            if live is not None and self._fits(live, email, name, redirect_url, expires_at):
                return BegunCheckout(_session(live), customer)
            replaced = await self._replace(connection, live)
            made = await self._new_session(connection, order, customer, redirect_url, expires_at)
        return BegunCheckout(made, customer, replaced)

    async def opened_checkout(
        self, session_id: str, provider_customer_id: str, opened: OpenedCheckout
    ) -> CheckoutStatus:
        """Keeps what the provider answered, and answers how the session stands now: another may have replaced it."""
        async with self._database.transaction() as session:
            connection = await session.connection()
            order = await self._lock_order_of(connection, session_id)
            is_opening = sessions.c.status == CheckoutStatus.OPENING.value
            kept = (
                update(sessions)
                .where(sessions.c.id == session_id)
                .values(
                    provider_session_id=opened.provider_session_id,
                    url=opened.url,
                    status=case((is_opening, CheckoutStatus.OPEN.value), else_=sessions.c.status),
                )
                .returning(sessions.c.status)
            )
            status = (await connection.execute(kept)).scalar_one()
            await self._name(connection, customers.c.account_id == order.account_id, provider_customer_id)
        return CheckoutStatus(status)

    async def customer(self, account_id: int, email: str, name: str) -> Customer:
        """Answers the account as a customer, with the e-mail and name that it has now."""
        async with self._database.transaction() as session:
            return await self._customer(await session.connection(), account_id, email, name)

    async def customer_named(self, account_id: int, provider_customer_id: str) -> None:
        """Keeps the provider's id of a customer."""
        async with self._database.transaction() as session:
            await self._name(await session.connection(), customers.c.account_id == account_id, provider_customer_id)

    async def payments_for_orders(self, order_ids: Sequence[int], account_id: int | None) -> list[Payment]:
        """Answers the payments of these orders, oldest first; only those of the account, if one is named."""
        async with self._database.session() as session:
            connection = await session.connection()
            whose = [orders.c.account_id == account_id] if account_id is not None else []
            return await _shown(connection, and_(orders.c.order_id.in_(order_ids), *whose))

    async def request_refund(self, asked: RefundOrder) -> Payment:
        """Writes that money is to be given back, and answers the payment as it is then.

        Raises NotFoundError, ConflictError when not as much is left or the key was used for something else.
        """
        async with self._database.transaction() as session:
            connection = await session.connection()
            payment = (
                await connection.execute(select(payments).where(payments.c.id == asked.payment_id))
            ).one_or_none()
            if payment is None:
                raise NotFoundError("There is no such payment.")
            (order,) = await locked(connection, [payment.order_id])
            if not await self._is_repeated(connection, asked):
                await self._request(connection, payment, asked)
            shown = await _shown(connection, orders.c.order_id == order.order_id)
        self._committed()
        return next(one for one in shown if one.id == asked.payment_id)

    async def _lock_payable(self, connection: AsyncConnection, order: Order) -> None:
        values = {
            "order_id": order.id,
            "account_id": order.account_id,
            "total_minor": order.total_minor,
            "currency": order.currency,
            "staged_status": order.status.value,
            "cancelled": False,
            "created_at": self._clock(),
        }
        await connection.execute(insert(orders).on_conflict_do_nothing(), values)
        (known,) = await locked(connection, [order.id])
        if known.cancelled or known.staged_status not in _PAYABLE:
            status = OrderStatus.CANCELLED if known.cancelled else OrderStatus(known.staged_status)
            raise ConflictError(f"An order that is {status.name} cannot be paid.")

    async def _lock_order_of(self, connection: AsyncConnection, session_id: str) -> Row[Any]:
        """Locks the order first, like everyone: two who lock in different orders could wait for each other."""
        order_id = select(sessions.c.order_id).where(sessions.c.id == session_id)
        (order,) = await locked(connection, [(await connection.execute(order_id)).scalar_one()])
        return order

    def _fits(self, live: Row[Any], email: str, name: str, redirect_url: str, expires_at: datetime) -> bool:
        """Answers whether a live session can be used: a call under way must be repeated with what it was made with.

        Of its time there must be a quarter left, for a buyer has to find the card first.
        """
        now = self._clock()
        return (
            live.provider == self._provider
            and live.redirect_url == redirect_url
            and live.expires_at - now > (expires_at - now) / 4
            and (live.status == CheckoutStatus.OPEN.value or (live.email, live.name) == (email, name))
        )

    async def _replace(self, connection: AsyncConnection, live: Row[Any] | None) -> str:
        if live is None:
            return ""
        # A session of a provider that is no longer used cannot be closed there by this one.
        ours = live.provider == self._provider
        over = update(sessions).where(sessions.c.id == live.id)
        await connection.execute(over.values(self._over(to_close=ours)))
        return str(live.provider_session_id) if ours else ""

    async def _new_session(
        self, connection: AsyncConnection, order: Order, customer: Customer, redirect_url: str, expires_at: datetime
    ) -> CheckoutSession:
        now = self._clock()
        values = {
            "id": self._ids(),
            "order_id": order.id,
            "provider": self._provider,
            "provider_session_id": "",
            "status": CheckoutStatus.OPENING.value,
            "amount_minor": order.total_minor,
            "currency": order.currency,
            "redirect_url": redirect_url,
            "url": "",
            "email": customer.email,
            "name": customer.name,
            "provider_products": await self._products(connection, order),
            "created_at": now,
            "expires_at": expires_at,
            "checked_at": now,
            "to_close": False,
        }
        return _session((await connection.execute(insert(sessions).returning(sessions), values)).one())

    async def _products(self, connection: AsyncConnection, order: Order) -> dict[str, str]:
        known = select(products.c.product_id, products.c.provider_product_id).where(
            products.c.provider == self._provider,
            products.c.provider_product_id != "",
            ~products.c.deleted,
            products.c.product_id.in_([line.product_id for line in order.lines]),
        )
        return {row.product_id: row.provider_product_id for row in await connection.execute(known)}

    async def _customer(self, connection: AsyncConnection, account_id: int, email: str, name: str) -> Customer:
        values = {"email": email, "name": name, "updated_at": self._clock()}
        known = {"provider": self._provider, "account_id": account_id, "provider_customer_id": ""}
        kept = (
            insert(customers)
            .on_conflict_do_update(index_elements=["provider", "account_id"], set_=values)
            .returning(customers.c.provider_customer_id)
        )
        named = (await connection.execute(kept, {**known, **values})).scalar_one()
        return Customer(account_id, email, name, named)

    async def _name(self, connection: AsyncConnection, whom: Any, provider_customer_id: str) -> None:
        mine = update(customers).where(customers.c.provider == self._provider, whom)
        await connection.execute(mine.values(provider_customer_id=provider_customer_id))

    async def _is_repeated(self, connection: AsyncConnection, asked: RefundOrder) -> bool:
        if not asked.key:
            return False
        under_key = select(refunds).where(
            refunds.c.requested_by == asked.requested_by, refunds.c.idempotency_key == asked.key
        )
        first = (await connection.execute(under_key)).one_or_none()
        if first is None:
            return False
        if (first.payment_id, first.asked_minor) != (asked.payment_id, asked.amount_minor):
            raise ConflictError("This idempotency key was used for a different refund.")
        return True

    async def _request(self, connection: AsyncConnection, payment: Row[Any], asked: RefundOrder) -> None:
        story = (await stories(connection, [payment.order_id]))[payment.order_id]
        left = next(story.left(one) for one in story.payments if one.id == payment.id)
        amount = left if asked.amount_minor is None else asked.amount_minor
        if payment.provider != self._provider:
            raise ConflictError(f"The payment was made through {payment.provider}, which is not in use any more.")
        if asked.currency not in ("", payment.currency):
            raise ConflictError(f"The payment was made in {payment.currency}.")
        if not 0 < amount <= left:
            raise ConflictError("Not as much is left of this payment to be given back.")
        row = self._refund_row(
            payment,
            id=self._ids(),
            amount_minor=amount,
            reason=asked.reason,
            automatic=False,
            requested_by=asked.requested_by,
            idempotency_key=asked.key or None,
            asked_minor=asked.amount_minor,
        )
        await connection.execute(insert(refunds), row)


_LIVE: Final = select(sessions).where(sessions.c.order_id == bindparam("asked"), sessions.c.status.in_(LIVE))


def _session(row: Row[Any]) -> CheckoutSession:
    return CheckoutSession(
        row.id,
        row.order_id,
        CheckoutStatus(row.status),
        row.redirect_url,
        row.expires_at,
        row.email,
        row.name,
        dict(row.provider_products),
        row.provider_session_id,
        row.url,
    )


async def _shown(connection: AsyncConnection, asked: Any) -> list[Payment]:
    found = select(payments, orders.c.account_id).join(orders, orders.c.order_id == payments.c.order_id).where(asked)
    rows = (await connection.execute(found.order_by(payments.c.created_at, payments.c.id))).all()
    known = await stories(connection, list({row.order_id for row in rows}))
    return [_payment(row, known[row.order_id]) for row in rows]


def _payment(row: Row[Any], story: state.Story) -> Payment:
    one = next(payment for payment in story.payments if payment.id == row.id)
    return Payment(
        row.id,
        row.order_id,
        row.account_id,
        row.provider,
        story.standing(one),
        row.amount_minor,
        row.currency,
        story.refunded(one),
        story.refunding(one),
        row.created_at,
    )
