"""The verbs of the payment service.

A checkout: the order is read from the order service on the caller's behalf, the store writes a session, the provider is
asked outside of any transaction to open a page for it, and the store keeps the answer. Each step may be repeated: the
session's id is the idempotency key towards the provider, so a process that dies anywhere leaves nothing but a session
that the next request, or the reconciliation, picks up.

A webhook's facts are checked for what the store can keep, and merged; the loops do what follows from them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from services.errors import ConflictError, EcommerceError, ForbiddenError, InvalidError, NotFoundError
from services.payment.domain import (
    Amount,
    BegunCheckout,
    CheckoutFact,
    CheckoutRequest,
    CheckoutStatus,
    Customer,
    Delivery,
    Fact,
    OpenedCheckout,
    Order,
    OrderStatus,
    Outcome,
    Payment,
    RefundOrder,
)
from services.payment.provider import MalformedError, Provider
from services.payment.rules import Rules, contact
from services.tokens import Identity, require_identity

MOST_ORDERS: Final = 1000
LONGEST_KEY: Final = 255
LONGEST_REASON: Final = 200
# Fifteen digits, as an order's total has at most.
_MOST_MINOR: Final = 10**15 - 1
_LONGEST_ID: Final = 255
_LONGEST_TOLD_REASON: Final = 500
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_PAYABLE: Final = (OrderStatus.PLACED, OrderStatus.PAYMENT_FAILED)

log = structlog.get_logger(__name__)


class Orders(Protocol):
    """Where orders are known."""

    async def get(self, order_id: int) -> Order:
        """Answers an order of the caller; raises NotFoundError for any other and UnavailableError."""


class Store(Protocol):
    """Where payments are kept; raises UnavailableError when it does not answer."""

    async def begin_checkout(
        self, order: Order, email: str, name: str, redirect_url: str, expires_at: datetime
    ) -> BegunCheckout:
        """Answers the order's live session, made where there is none that fits; one that does not fit is replaced.

        Raises ConflictError when the order is paid, refunded or cancelled, as far as is known here.
        """

    async def opened_checkout(
        self, session_id: str, provider_customer_id: str, opened: OpenedCheckout
    ) -> CheckoutStatus:
        """Keeps what the provider answered, and answers how the session stands now: another may have replaced it."""

    async def customer(self, account_id: int, email: str, name: str) -> Customer:
        """Answers the account as a customer, with the e-mail and name that it has now."""

    async def customer_named(self, account_id: int, provider_customer_id: str) -> None:
        """Keeps the provider's id of a customer."""

    async def payments_for_orders(self, order_ids: Sequence[int], account_id: int | None) -> list[Payment]:
        """Answers the payments of these orders, oldest first; only those of the account, if one is named."""

    async def request_refund(self, asked: RefundOrder) -> Payment:
        """Writes that money is to be given back, and answers the payment as it is then.

        Raises NotFoundError, ConflictError when not as much is left or the key was used for something else.
        """

    async def apply(self, delivery: Delivery) -> Outcome:
        """Takes a delivery once, with everything that follows from it; returns when that is committed."""


class PaymentService:
    """What anyone can ask of payments; each verb says who may. `lifetime` is how long a page can be paid on."""

    def __init__(  # noqa: PLR0913, PLR0917 each is one thing that it works with
        self,
        store: Store,
        provider: Provider,
        orders: Orders,
        rules: Rules,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        lifetime: timedelta = timedelta(hours=1),
    ) -> None:
        self._store = store
        self._provider = provider
        self._orders = orders
        self._rules = rules
        self._clock = clock
        self._lifetime = lifetime

    async def create_checkout(  # noqa: PLR0913, PLR0917 as the message has it
        self, caller: Identity | None, order_id: int, email: str, name: str, redirect_url: str, origin: str
    ) -> str:
        """Answers the URL of a page on which an order of the caller can be paid.

        Raises UnauthenticatedError, NotFoundError, ConflictError when the order is paid, refunded or cancelled,
        InvalidError for a redirect URL that is not allowed, UnavailableError.
        """
        identity = require_identity(caller)
        email, name = contact(email, name)
        redirect_url = self._rules.redirect(redirect_url, origin)
        order = await self._orders.get(order_id)
        if order.account_id != identity.account_id:
            # An administrator sees every order, and pays no more than their own.
            raise NotFoundError(f"There is no order {order_id}.")
        if order.status not in _PAYABLE:
            raise ConflictError(f"An order that is {order.status.name} cannot be paid.")
        begun = await self._store.begin_checkout(order, email, name, redirect_url, self._clock() + self._lifetime)
        url = begun.session.url if begun.session.status == CheckoutStatus.OPEN else await self._open(order, begun)
        if begun.replaced:
            await self._close(begun.replaced)
        return self._absolute(url, origin)

    async def create_portal(self, caller: Identity | None, email: str, name: str, origin: str) -> str:
        """Answers the URL of a page where the caller sees past payments."""
        account_id = require_identity(caller).account_id
        email, name = contact(email, name)
        shop = self._rules.shop(origin)
        customer = await self._named(await self._store.customer(account_id, email, name))
        await self._store.customer_named(account_id, customer.provider_customer_id)
        return self._absolute(await self._provider.open_portal(customer, shop), origin)

    async def payments_for_orders(self, caller: Identity | None, order_ids: Sequence[int]) -> list[Payment]:
        """Answers the payments of these orders, oldest first: of the caller's own, or any for an administrator."""
        identity = require_identity(caller)
        if len(order_ids) > MOST_ORDERS:
            raise InvalidError(f"At most {MOST_ORDERS} orders can be asked for at once.")
        distinct = list(dict.fromkeys(order_ids))
        return await self._store.payments_for_orders(
            distinct, None if identity.is_administrator else identity.account_id
        )

    async def refund(
        self, caller: Identity | None, payment_id: str, amount: Amount | None, reason: str = "", key: str = ""
    ) -> Payment:
        """Has money given back, all that is left where no amount is named; the provider is asked right afterwards.

        Raises ForbiddenError unless the caller is an administrator, NotFoundError, InvalidError, and ConflictError
        when there is nothing, or not as much, to be refunded.
        """
        identity = require_identity(caller)
        if not identity.is_administrator:
            raise ForbiddenError("Only an administrator can do this.")
        if amount is not None and not 0 < amount.minor_units <= _MOST_MINOR:
            raise InvalidError("The amount must be more than nothing.")
        if len(key) > LONGEST_KEY or len(reason) > LONGEST_REASON or not (key + reason + payment_id).isprintable():
            raise InvalidError("The reason or the idempotency key is too long, or not of plain characters.")
        minor, currency = (amount.minor_units, amount.currency) if amount else (None, "")
        return await self._store.request_refund(
            RefundOrder(payment_id, minor, currency, reason, identity.account_id, key)
        )

    async def apply(self, delivery: Delivery) -> Outcome:
        """Takes a verified webhook once; returns when all that follows from it is committed.

        Raises MalformedError for what cannot be true, and UnavailableError.
        """
        check_text(delivery.id, delivery.type)
        if not delivery.id:
            raise MalformedError("A delivery needs an id.")
        for fact in delivery.facts:
            check_fact(fact)
        return await self._store.apply(delivery)

    async def _open(self, order: Order, begun: BegunCheckout) -> str:
        customer = await self._named(begun.customer)
        session = begun.session
        opened = await self._provider.open_checkout(
            CheckoutRequest(
                session.id, order, customer, session.redirect_url, session.expires_at, session.provider_products
            )
        )
        status = await self._store.opened_checkout(session.id, customer.provider_customer_id, opened)
        if status != CheckoutStatus.OPEN:
            await self._close(opened.provider_session_id)
            raise ConflictError("This checkout was replaced by a newer one, or its order is paid or cancelled.")
        return opened.url

    async def _named(self, customer: Customer) -> Customer:
        # Also for one that has an id: the e-mail or name may be new.
        named = await self._provider.ensure_customer(customer)
        return Customer(customer.account_id, customer.email, customer.name, named)

    async def _close(self, provider_session_id: str) -> None:
        """Closes a page at once; where that fails, the reconciliation does it later."""
        try:
            await self._provider.close_checkout(provider_session_id)
        except EcommerceError as error:
            log.warning("a replaced checkout page stays open for now", reason=error.message)

    def _absolute(self, url: str, origin: str) -> str:
        return self._rules.shop(origin) + url if url.startswith("/") else url


def check_fact(fact: Fact) -> None:
    """Raises MalformedError for a fact that no provider means: texts that cannot be kept, impossible amounts."""
    check_text(*(getattr(fact, field.name) for field in fields(fact) if field.name != "reason"))
    if isinstance(fact, CheckoutFact):
        return
    check_text(fact.reason, longest=_LONGEST_TOLD_REASON)
    tax_minor = getattr(fact, "tax_minor", 0)
    if not 0 <= fact.amount_minor <= _MOST_MINOR or not 0 <= tax_minor <= fact.amount_minor:
        raise MalformedError("An amount is out of range.")
    if not _CURRENCY.fullmatch(fact.currency) or not fact.provider_payment_id:
        raise MalformedError("A currency or a payment's id is missing.")
    if fact.occurred_at.tzinfo is None:
        raise MalformedError("A time is without its zone.")


def check_text(*values: object, longest: int = _LONGEST_ID) -> None:
    """Raises MalformedError for a text that is too long, or that PostgreSQL has no place for."""
    for value in values:
        if isinstance(value, str) and (len(value) > longest or not _is_storable(value)):
            raise MalformedError("A text is too long, or not of characters.")


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
