"""The payment service's ports in memory; tests/contract/payment holds each of them against the real thing."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.errors import ConflictError, NotFoundError, UnavailableError
from services.payment import state
from services.payment.domain import (
    BegunCheckout,
    CheckoutRequest,
    CheckoutSession,
    CheckoutStatus,
    Customer,
    Delivery,
    Fact,
    Listing,
    OpenedCheckout,
    Order,
    OrderStatus,
    Outcome,
    Payment,
    PaymentFact,
    PaymentStatus,
    RefundFact,
    RefundOrder,
    RefundRequest,
    RefundStatus,
)
from services.payment.provider import MalformedError, ProviderUnavailableError

_LIVE = (CheckoutStatus.OPENING, CheckoutStatus.OPEN)


@dataclass
class FakeOrders:
    """Knows the orders that it is given; `available` says whether it answers."""

    known: dict[int, Order] = field(default_factory=dict)
    available: bool = True

    async def get(self, order_id: int) -> Order:
        if not self.available:
            raise UnavailableError("The order service does not answer.")
        if order_id not in self.known:
            raise NotFoundError(f"There is no order {order_id}.")
        return self.known[order_id]


@dataclass
class FakeProvider:
    """Opens pages and remembers what it was asked; `failing` is raised by every call when it is set."""

    name: str = "fake"
    failing: Exception | None = None
    opened: list[CheckoutRequest] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    absolute: bool = False
    # Done while a page is being opened: whatever else happens at that moment.
    meanwhile: Callable[[], object] | None = None

    async def ensure_customer(self, customer: Customer) -> str:
        await self._called()
        self.customers.append(customer)
        return f"cus_{customer.account_id}"

    async def open_checkout(self, request: CheckoutRequest) -> OpenedCheckout:
        await self._called()
        self.opened.append(request)
        if self.meanwhile:
            self.meanwhile()
        where = "https://pay.example.net" if self.absolute else ""
        return OpenedCheckout(f"cs_{request.session_id}", f"{where}/checkout/{request.session_id}")

    async def checkout(self, session_id: str, provider_session_id: str) -> tuple[Fact, ...]:  # noqa: ARG002
        await self._called()
        return ()

    async def close_checkout(self, provider_session_id: str) -> None:
        await self._called()
        self.closed.append(provider_session_id)

    async def open_portal(self, customer: Customer, return_url: str) -> str:
        await self._called()
        return f"/portal/{customer.provider_customer_id}?back={return_url}"

    async def refund(self, request: RefundRequest) -> RefundFact:
        await self._called()
        raise ProviderUnavailableError(f"Nothing is known of {request.provider_payment_id}.")

    async def put_product(self, listing: Listing, provider_product_id: str) -> str:
        await self._called()
        return provider_product_id or f"prod_{listing.product_id}"

    async def remove_product(self, provider_product_id: str) -> None:  # noqa: ARG002
        await self._called()

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:  # noqa: ARG002
        raise MalformedError("The fake understands no webhooks.")

    async def close(self) -> None:
        pass

    async def _called(self) -> None:
        # A real call lets others run in between.
        await asyncio.sleep(0)
        if self.failing:
            raise self.failing


@dataclass
class _Kept:
    """An order and all that is known of its payments."""

    order: Order
    staged: OrderStatus
    payments: dict[str, Payment] = field(default_factory=dict)
    states: list[state.PaymentState] = field(default_factory=list)
    refunds: list[state.RefundState] = field(default_factory=list)

    @property
    def story(self) -> state.Story:
        return state.Story(self.staged, cancelled=False, payments=tuple(self.states), refunds=tuple(self.refunds))


class FakePayments:
    """The part of the store that the verbs need."""

    def __init__(self, clock: Callable[[], datetime], ids: Callable[[], str]) -> None:
        self._clock = clock
        self._ids = ids
        self._orders: dict[int, _Kept] = {}
        self._sessions: dict[str, CheckoutSession] = {}
        self._customers: dict[int, Customer] = {}
        self._keys: dict[tuple[int, str], tuple[str, int | None]] = {}
        self._deliveries: set[str] = set()

    async def begin_checkout(
        self, order: Order, email: str, name: str, redirect_url: str, expires_at: datetime
    ) -> BegunCheckout:
        kept = self._orders.setdefault(order.id, _Kept(order, order.status))
        if kept.staged not in (OrderStatus.PLACED, OrderStatus.PAYMENT_FAILED):
            raise ConflictError(f"An order that is {kept.staged.name} cannot be paid.")
        customer = await self.customer(order.account_id, email, name)
        live = next((one for one in self._sessions.values() if one.order_id == order.id and one.status in _LIVE), None)
        if live and self._fits(live, email, name, redirect_url, expires_at):
            return BegunCheckout(live, customer)
        if live:
            self._sessions[live.id] = replace(live, status=CheckoutStatus.EXPIRED)
        made = CheckoutSession(self._ids(), order.id, CheckoutStatus.OPENING, redirect_url, expires_at, email, name, {})
        self._sessions[made.id] = made
        return BegunCheckout(made, customer, live.provider_session_id if live else "")

    async def opened_checkout(
        self, session_id: str, provider_customer_id: str, opened: OpenedCheckout
    ) -> CheckoutStatus:
        session = self._sessions[session_id]
        status = CheckoutStatus.OPEN if session.status == CheckoutStatus.OPENING else session.status
        self._sessions[session_id] = replace(
            session, status=status, url=opened.url, provider_session_id=opened.provider_session_id
        )
        await self.customer_named(self._orders[session.order_id].order.account_id, provider_customer_id)
        return status

    async def customer(self, account_id: int, email: str, name: str) -> Customer:
        known = self._customers.get(account_id)
        self._customers[account_id] = Customer(account_id, email, name, known.provider_customer_id if known else "")
        return self._customers[account_id]

    async def customer_named(self, account_id: int, provider_customer_id: str) -> None:
        self._customers[account_id] = replace(self._customers[account_id], provider_customer_id=provider_customer_id)

    async def payments_for_orders(self, order_ids: Sequence[int], account_id: int | None) -> list[Payment]:
        kept = [self._orders[order_id] for order_id in order_ids if order_id in self._orders]
        mine = [one for one in kept if account_id in (None, one.order.account_id)]
        return sorted((shown for one in mine for shown in _shown(one)), key=lambda one: (one.created_at, one.id))

    async def request_refund(self, asked: RefundOrder) -> Payment:
        kept = next((one for one in self._orders.values() if asked.payment_id in one.payments), None)
        if kept is None:
            raise NotFoundError("There is no such payment.")
        if not self._is_repeated(asked):
            _request(kept, asked)
            self._keys[asked.requested_by, asked.key] = (asked.payment_id, asked.amount_minor)
        return next(one for one in _shown(kept) if one.id == asked.payment_id)

    async def apply(self, delivery: Delivery) -> Outcome:
        if delivery.id in self._deliveries:
            return Outcome.DUPLICATE
        self._deliveries.add(delivery.id)
        if not delivery.facts:
            return Outcome.IGNORED
        matched = [self._tell(fact) for fact in delivery.facts]
        return Outcome.APPLIED if any(matched) else Outcome.UNMATCHED

    def _fits(self, live: CheckoutSession, email: str, name: str, redirect_url: str, expires_at: datetime) -> bool:
        left = live.expires_at - self._clock()
        is_same_call = live.status == CheckoutStatus.OPEN or (live.email, live.name) == (email, name)
        return is_same_call and live.redirect_url == redirect_url and left > (expires_at - self._clock()) / 4

    def _tell(self, fact: Fact) -> bool:
        """Knows payments of sessions by our id, and refunds of payments that are known: what the verbs' tests tell."""
        if isinstance(fact, PaymentFact) and fact.session_id in self._sessions:
            session = self._sessions[fact.session_id]
            kept = self._orders[session.order_id]
            self._pay(kept, fact)
            if fact.status == PaymentStatus.SUCCEEDED:
                self._sessions[session.id] = replace(session, status=CheckoutStatus.COMPLETED)
                kept.staged = OrderStatus.PAID
            return True
        if isinstance(fact, RefundFact):
            for kept in self._orders.values():
                of = [one.id for one in kept.states if one.provider_payment_id == fact.provider_payment_id]
                kept.refunds += [state.RefundState(payment_id, fact.status, fact.amount_minor) for payment_id in of]
                if of:
                    return True
        return False

    def _pay(self, kept: _Kept, fact: PaymentFact) -> None:
        payment = Payment(
            self._ids(),
            kept.order.id,
            kept.order.account_id,
            "sandbox",
            fact.status,
            fact.amount_minor,
            fact.currency,
            0,
            0,
            self._clock(),
        )
        kept.payments[payment.id] = payment
        kept.states.append(
            state.PaymentState(
                payment.id,
                fact.provider_payment_id,
                fact.status,
                fact.amount_minor,
                fact.tax_minor,
                fact.currency,
                fact.occurred_at,
                kept.order.total_minor,
                kept.order.currency,
            )
        )

    def _is_repeated(self, asked: RefundOrder) -> bool:
        first = self._keys.get((asked.requested_by, asked.key)) if asked.key else None
        if first is not None and first != (asked.payment_id, asked.amount_minor):
            raise ConflictError("This idempotency key was used for a different refund.")
        return first is not None


def _request(kept: _Kept, asked: RefundOrder) -> None:
    payment = kept.payments[asked.payment_id]
    left = next(kept.story.left(one) for one in kept.states if one.id == payment.id)
    amount = left if asked.amount_minor is None else asked.amount_minor
    if asked.currency not in ("", payment.currency):
        raise ConflictError(f"The payment was made in {payment.currency}.")
    if not 0 < amount <= left:
        raise ConflictError("Not as much is left of this payment to be given back.")
    kept.refunds.append(state.RefundState(payment.id, RefundStatus.REQUESTED, amount))


def _shown(kept: _Kept) -> list[Payment]:
    of = {one.id: one for one in kept.states}
    return [
        replace(
            payment,
            refunded_minor=kept.story.refunded(of[payment.id]),
            refunding_minor=kept.story.refunding(of[payment.id]),
        )
        for payment in kept.payments.values()
    ]
