"""The built-in provider's own record: pages, payments, refunds, and the webhooks that tell of them.

A change and its webhooks are one transaction. A page is locked while a button's press is taken, so that of two presses
at once the second one finds what the first one did.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import Row, Table, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.database import Database
from services.payment.domain import CheckoutRequest, CheckoutStatus, PaymentStatus, RefundRequest
from services.payment.provider import ProviderRefusedError
from services.payment.providers.sandbox import events
from services.payment.providers.sandbox.events import PaymentData, RefundData
from services.payment.providers.sandbox.models import (
    SandboxCheckout,
    SandboxDelivery,
    SandboxPayment,
    SandboxPortal,
    SandboxRefund,
)

PORTAL_LIVES: Final = timedelta(hours=1)
# Payments that the portal shows, the newest first.
SHOWN_PAYMENTS: Final = 50
_TOKEN_BYTES: Final = 32
# Seconds that a delivery is held back at most: when it is late, and when several are shuffled.
LATE: Final = (2.0, 6.0)
SHUFFLED: Final = (0.0, 3.0)

_checkouts: Final[Table] = SandboxCheckout.__table__  # type: ignore[attr-defined] # SQLModel adds it to every table class
_payments: Final[Table] = SandboxPayment.__table__  # type: ignore[attr-defined] # likewise
_refunds: Final[Table] = SandboxRefund.__table__  # type: ignore[attr-defined] # likewise
_portals: Final[Table] = SandboxPortal.__table__  # type: ignore[attr-defined] # likewise
_deliveries: Final[Table] = SandboxDelivery.__table__  # type: ignore[attr-defined] # likewise
# payment_id. What is left of it changes for one at a time.
_LOCKED_PAYMENT: Final = select(_payments).with_for_update()


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """How deliveries go astray when they are told to: late, twice, in another order."""

    words: frozenset[str]
    random: Random

    @property
    def copies(self) -> int:
        """How often each is sent."""
        return 2 if "twice" in self.words else 1

    def delay(self) -> timedelta:
        """Answers how long one is held back."""
        seconds = 0.0
        if "late" in self.words:
            seconds += self.random.uniform(*LATE)
        if "shuffled" in self.words:
            seconds += self.random.uniform(*SHUFFLED)
        return timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class ShownPayment:
    """A payment as the portal shows it."""

    id: str
    order_id: int
    status: PaymentStatus
    amount_minor: int
    refunded_minor: int
    currency: str
    occurred_at: datetime

    @property
    def left_minor(self) -> int:
        """What can still be given back."""
        return self.amount_minor - self.refunded_minor if self.status == PaymentStatus.SUCCEEDED else 0


class Desk:
    """Keeps everything in the database; `committed` is called when webhooks were written."""

    def __init__(
        self,
        database: Database,
        misbehaviour: Misbehaviour,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        committed: Callable[[], None],
    ) -> None:
        self._database = database
        self._misbehaviour = misbehaviour
        self._clock = clock
        self._ids = ids
        self._committed = committed

    async def open(self, request: CheckoutRequest) -> Row[Any]:
        """Answers the page of the request's session, made where there is none."""
        row = {
            "id": f"chk_{self._ids()}",
            "token": secrets.token_urlsafe(_TOKEN_BYTES),
            "session_id": request.session_id,
            "account_id": request.order.account_id,
            "order_id": request.order.id,
            "email": request.customer.email,
            "total_minor": request.order.total_minor,
            "currency": request.order.currency,
            "lines": [asdict(line) for line in request.order.lines],
            "redirect_url": request.redirect_url,
            "status": CheckoutStatus.OPEN.value,
            "created_at": self._clock(),
            "expires_at": request.expires_at,
        }
        async with self._database.transaction() as session:
            connection = await session.connection()
            await connection.execute(insert(_checkouts).on_conflict_do_nothing(index_elements=["session_id"]), row)
            found = await connection.execute(select(_checkouts).where(_checkouts.c.session_id == request.session_id))
            return found.one()

    async def page(self, token: str) -> Row[Any] | None:
        """Answers a checkout by the secret in its address."""
        return await self._one(select(_checkouts).where(_checkouts.c.token == token))

    async def checkout_of(self, session_id: str) -> Row[Any] | None:
        """Answers a checkout by the shop's id of it."""
        return await self._one(select(_checkouts).where(_checkouts.c.session_id == session_id))

    async def close(self, checkout_id: str) -> None:
        """Lets a page take no payment any more."""
        async with self._database.transaction() as session:
            closed = update(_checkouts).where(
                _checkouts.c.id == checkout_id, _checkouts.c.status == CheckoutStatus.OPEN.value
            )
            await (await session.connection()).execute(closed.values(status=CheckoutStatus.EXPIRED.value))

    async def press(self, token: str, wanted: PaymentStatus) -> tuple[Row[Any], bool] | None:
        """Takes a button of a page: writes the payment, and its webhooks; None where there is no such page.

        Answers the page, and whether the press was taken: a page that is over, by an earlier press or by its time,
        stays as it is.
        """
        async with self._database.transaction() as session:
            connection = await session.connection()
            locked = select(_checkouts).where(_checkouts.c.token == token).with_for_update()
            page = (await connection.execute(locked)).one_or_none()
            if page is None:
                return None
            if not self.is_open(page):
                return page, False
            await self._pay(connection, page, wanted)
            status = _PAGE_AFTER.get(wanted, CheckoutStatus.OPEN)
            await connection.execute(update(_checkouts).where(_checkouts.c.id == page.id).values(status=status.value))
        self._committed()
        return page, True

    def is_open(self, page: Row[Any]) -> bool:
        """Tells whether a page still takes a payment."""
        return bool(page.status == CheckoutStatus.OPEN.value and page.expires_at > self._clock())

    async def payments_of_checkout(self, checkout_id: str) -> list[tuple[PaymentData, PaymentStatus]]:
        """Answers every payment that was tried on a page."""
        found = _with_checkout().where(_payments.c.checkout_id == checkout_id)
        async with self._database.session() as session:
            rows = await (await session.connection()).execute(found)
            return [(_payment_data(row), PaymentStatus(row.status)) for row in rows]

    async def refunds_of_checkout(self, checkout_id: str) -> list[RefundData]:
        """Answers every refund of the payments of a page."""
        found = select(_refunds).join(_payments, _payments.c.id == _refunds.c.payment_id)
        async with self._database.session() as session:
            rows = await (await session.connection()).execute(found.where(_payments.c.checkout_id == checkout_id))
            return [_refund_data(row) for row in rows]

    async def refund(self, request: RefundRequest) -> RefundData:
        """Gives money back once for each of the shop's ids; raises ProviderRefusedError where not as much is left."""
        async with self._database.transaction() as session:
            connection = await session.connection()
            payment = await _locked_payment(connection, _payments.c.id == request.provider_payment_id)
            if payment is None:
                raise ProviderRefusedError("There is no such payment.")
            earlier = await connection.execute(select(_refunds).where(_refunds.c.refund_id == request.refund_id))
            if (known := earlier.one_or_none()) is not None:
                return _refund_data(known)
            if not 0 < request.amount_minor <= await _left(connection, payment):
                raise ProviderRefusedError("There is not as much left to be refunded.")
            made = await self._give_back(
                connection, payment, request.amount_minor, request.reason, refund_id=request.refund_id
            )
        self._committed()
        return made

    async def refund_by_customer(self, account_id: int, payment_id: str) -> None:
        """Gives a customer all that is left of a payment; nothing, where it is not theirs or nothing is left."""
        async with self._database.transaction() as session:
            connection = await session.connection()
            mine = (_payments.c.id == payment_id, _payments.c.account_id == account_id)
            payment = await _locked_payment(connection, *mine)
            left = await _left(connection, payment) if payment is not None else 0
            if payment is None or not left:
                return
            await self._give_back(connection, payment, left, "requested by the customer", refund_id=None)
        self._committed()

    async def open_portal(self, account_id: int, email: str, return_url: str) -> str:
        """Answers the secret of a way into the portal, valid for an hour; those that have ended are forgotten."""
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), self._clock()
        async with self._database.transaction() as session:
            connection = await session.connection()
            await connection.execute(delete(_portals).where(_portals.c.expires_at < now))
            row = {"account_id": account_id, "email": email, "return_url": return_url}
            await connection.execute(insert(_portals), {**row, "token": token, "expires_at": now + PORTAL_LIVES})
        return token

    async def portal(self, token: str) -> Row[Any] | None:
        """Answers a way into the portal that is still open."""
        return await self._one(select(_portals).where(_portals.c.token == token, _portals.c.expires_at > self._clock()))

    async def payments_of_account(self, account_id: int) -> list[ShownPayment]:
        """Answers a customer's newest payments, the newest first."""
        given_back = (
            select(func.coalesce(func.sum(_refunds.c.amount_minor), 0))
            .where(_refunds.c.payment_id == _payments.c.id)
            .scalar_subquery()
            .label("refunded_minor")
        )
        found = (
            _with_checkout(given_back)
            .where(_payments.c.account_id == account_id)
            .order_by(_payments.c.id.desc())
            .limit(SHOWN_PAYMENTS)
        )
        async with self._database.session() as session:
            rows = await (await session.connection()).execute(found)
            return [
                ShownPayment(
                    row.id,
                    row.order_id,
                    PaymentStatus(row.status),
                    row.amount_minor,
                    int(row.refunded_minor),
                    row.currency,
                    row.occurred_at,
                )
                for row in rows
            ]

    async def _pay(self, connection: AsyncConnection, page: Row[Any], status: PaymentStatus) -> None:
        row = {
            "id": f"pay_{self._ids()}",
            "checkout_id": page.id,
            "account_id": page.account_id,
            "status": status.value,
            "amount_minor": page.total_minor,
            "currency": page.currency,
            "occurred_at": self._clock(),
        }
        await connection.execute(insert(_payments), row)
        made = (await connection.execute(_with_checkout().where(_payments.c.id == row["id"]))).one()
        await self._tell(connection, events.of_payment(_payment_data(made), status))

    async def _give_back(
        self, connection: AsyncConnection, payment: Row[Any], amount_minor: int, reason: str, *, refund_id: str | None
    ) -> RefundData:
        row = {
            "id": f"ref_{self._ids()}",
            "payment_id": payment.id,
            "refund_id": refund_id,
            "amount_minor": amount_minor,
            "currency": payment.currency,
            "reason": reason,
            "occurred_at": self._clock(),
        }
        made = _refund_data((await connection.execute(insert(_refunds).returning(_refunds), row)).one())
        await self._tell(connection, events.of_refund(made))
        return made

    async def _tell(self, connection: AsyncConnection, told: Iterable[tuple[str, bytes]]) -> None:
        now = self._clock()
        rows = [
            {
                "id": f"msg_{self._ids()}",
                "type": kind,
                "body": body.decode(),
                "created_at": now,
                "due_at": now + self._misbehaviour.delay(),
                "copies_left": self._misbehaviour.copies,
                "attempts": 0,
            }
            for kind, body in told
        ]
        await connection.execute(insert(_deliveries), rows)

    async def _one(self, statement: Any) -> Row[Any] | None:
        async with self._database.session() as session:
            found: Row[Any] | None = (await (await session.connection()).execute(statement)).one_or_none()
            return found


_PAGE_AFTER: Final = {
    PaymentStatus.SUCCEEDED: CheckoutStatus.COMPLETED,
    PaymentStatus.CANCELLED: CheckoutStatus.EXPIRED,
}


async def _locked_payment(connection: AsyncConnection, *conditions: Any) -> Row[Any] | None:
    return (await connection.execute(_LOCKED_PAYMENT.where(*conditions))).one_or_none()


async def _left(connection: AsyncConnection, payment: Row[Any]) -> int:
    if payment.status != PaymentStatus.SUCCEEDED.value:
        return 0
    given_back = select(func.coalesce(func.sum(_refunds.c.amount_minor), 0))
    found = await connection.execute(given_back.where(_refunds.c.payment_id == payment.id))
    return int(payment.amount_minor - found.scalar_one())


def _with_checkout(*more: Any) -> Any:
    """Selects payments with what their pages know of them."""
    columns: Sequence[Any] = (_payments, _checkouts.c.session_id, _checkouts.c.order_id, *more)
    return select(*columns).join(_checkouts, _checkouts.c.id == _payments.c.checkout_id)


def _payment_data(row: Row[Any]) -> PaymentData:
    return PaymentData(
        payment_id=row.id,
        checkout_id=row.checkout_id,
        session_id=row.session_id,
        order_id=row.order_id,
        amount=row.amount_minor,
        currency=row.currency,
        occurred_at=row.occurred_at,
    )


def _refund_data(row: Row[Any]) -> RefundData:
    return RefundData(
        refund_id=row.id,
        payment_id=row.payment_id,
        amount=row.amount_minor,
        currency=row.currency,
        occurred_at=row.occurred_at,
        request_id=row.refund_id or "",
        reason=row.reason,
    )
