"""What the facts about an order's payments come to: a pure function of them, whatever their order and number.

Facts only ever move a payment or a refund up a lattice, so merging is commutative, associative and idempotent:

    payment   PROCESSING < FAILED, CANCELLED (between these the later one) < SUCCEEDED
    refund    REQUESTED < PENDING < FAILED < SUCCEEDED

The winner is the payment that pays the order: the first that succeeded and covers the order's total. Every other
payment that succeeded is owed back. What was told to the order service stands; the rest of the way is staged step by
step along the order's own state machine, and where no way leads (the order was cancelled), the money is owed back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from services.payment.domain import OrderStatus, PaymentFact, PaymentStatus, RefundFact, RefundStatus

# The moves of the order's state machine, as protos/order.proto has them.
MOVES: Final[dict[OrderStatus, tuple[OrderStatus, ...]]] = {
    OrderStatus.PLACED: (OrderStatus.PAID, OrderStatus.PAYMENT_FAILED, OrderStatus.CANCELLED),
    OrderStatus.PAYMENT_FAILED: (OrderStatus.PAID, OrderStatus.CANCELLED),
    OrderStatus.PAID: (OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED),
    OrderStatus.PARTIALLY_REFUNDED: (OrderStatus.REFUNDED,),
    OrderStatus.REFUNDED: (),
    OrderStatus.CANCELLED: (),
}
_PAYMENT_RANK: Final = {
    PaymentStatus.PROCESSING: 0,
    PaymentStatus.FAILED: 1,
    PaymentStatus.CANCELLED: 1,
    PaymentStatus.SUCCEEDED: 2,
}
_REFUND_RANK: Final = {
    RefundStatus.REQUESTED: 0,
    RefundStatus.PENDING: 1,
    RefundStatus.FAILED: 2,
    RefundStatus.SUCCEEDED: 3,
}
_UNDER_WAY: Final = (RefundStatus.REQUESTED, RefundStatus.PENDING)


class AutomaticReason(StrEnum):
    """Why the platform gives money back by itself."""

    DUPLICATE = "duplicate"
    ORDER_CANCELLED = "order_cancelled"
    AMOUNT_MISMATCH = "amount_mismatch"


@dataclass(frozen=True, slots=True)
class PaymentState:
    """A payment as far as it is known; `due_minor` and `due_currency` are what its session asked for."""

    id: str
    provider_payment_id: str
    status: PaymentStatus
    amount_minor: int
    tax_minor: int
    currency: str
    occurred_at: datetime
    due_minor: int
    due_currency: str

    @property
    def covers(self) -> bool:
        """Whether it pays what was asked for; what the provider adds as tax does not count."""
        paid = self.amount_minor - self.tax_minor
        return self.status != PaymentStatus.SUCCEEDED or (self.currency == self.due_currency and paid >= self.due_minor)


@dataclass(frozen=True, slots=True)
class RefundState:
    """A refund as far as it is known; `automatic` ones are those that the platform asked for by itself."""

    payment_id: str
    status: RefundStatus
    amount_minor: int
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of the payments of one order; `staged` is the last status written for the order service."""

    staged: OrderStatus
    cancelled: bool
    payments: tuple[PaymentState, ...] = ()
    refunds: tuple[RefundState, ...] = ()

    @property
    def is_cancelled(self) -> bool:
        """Whether the order takes no payment any more."""
        return self.cancelled or self.staged == OrderStatus.CANCELLED

    def refunded(self, payment: PaymentState) -> int:
        """Answers what was given back of a payment."""
        return self._sum(payment, (RefundStatus.SUCCEEDED,))

    def refunding(self, payment: PaymentState) -> int:
        """Answers what is being given back of it."""
        return self._sum(payment, _UNDER_WAY)

    def left(self, payment: PaymentState) -> int:
        """Answers what can still be given back of it: nothing, unless it succeeded."""
        if not self.succeeded(payment):
            return 0
        return max(0, payment.amount_minor - self.refunded(payment) - self.refunding(payment))

    def succeeded(self, payment: PaymentState) -> bool:
        """Answers whether money came in; money that was given back had come in, whatever else was told so far."""
        return payment.status == PaymentStatus.SUCCEEDED or self.refunded(payment) > 0

    def standing(self, payment: PaymentState) -> PaymentStatus:
        """Answers how a payment is shown."""
        return PaymentStatus.SUCCEEDED if self.succeeded(payment) else payment.status

    def refunds_of(self, payment: PaymentState) -> Sequence[RefundState]:
        """Answers its refunds."""
        return [refund for refund in self.refunds if refund.payment_id == payment.id]

    def is_owed_back(self, payment: PaymentState) -> bool:
        """Answers whether the platform has asked by itself to give it back."""
        return any(refund.automatic for refund in self.refunds_of(payment))

    def _sum(self, payment: PaymentState, statuses: tuple[RefundStatus, ...]) -> int:
        return sum(refund.amount_minor for refund in self.refunds_of(payment) if refund.status in statuses)


@dataclass(frozen=True, slots=True)
class Owed:
    """Money that the platform gives back by itself."""

    payment_id: str
    amount_minor: int
    currency: str
    reason: AutomaticReason


def prevails(fact: PaymentFact, status: PaymentStatus, occurred_at: datetime, amounts: tuple[int, int, str]) -> bool:
    """Answers whether a fact tells more than what is known: (amount_minor, tax_minor, currency) at `occurred_at`."""
    told = (fact.amount_minor, fact.tax_minor, fact.currency)
    return _weight(fact.status, fact.occurred_at, told) > _weight(status, occurred_at, amounts)


def refund_prevails(fact: RefundFact, status: RefundStatus) -> bool:
    """Answers whether a fact tells more of a refund than what is known."""
    return _REFUND_RANK[fact.status] > _REFUND_RANK[status]


def _weight(status: PaymentStatus, occurred_at: datetime, amounts: tuple[int, int, str]) -> tuple[Any, ...]:
    """Answers a total order over all that can be told of a payment, so that merging needs no order of arrival.

    Of two successes the earlier one is the success; of two failures the later one is how it stands.
    """
    seconds = occurred_at.timestamp()
    return (_PAYMENT_RANK[status], -seconds if status == PaymentStatus.SUCCEEDED else seconds, status.value, amounts)


def winner(story: Story) -> PaymentState | None:
    """Answers the payment that pays the order.

    One from which somebody has taken money back on purpose stays the order's payment whatever turns up later;
    otherwise it is the first in time.
    """
    if story.is_cancelled:
        return None
    candidates = [
        payment
        for payment in story.payments
        if story.succeeded(payment) and payment.covers and not story.is_owed_back(payment)
    ]

    def earlier(payment: PaymentState) -> tuple[bool, datetime, str]:
        touched = any(refund.status != RefundStatus.FAILED for refund in story.refunds_of(payment))
        return not touched, payment.occurred_at, payment.provider_payment_id

    return min(candidates, key=earlier, default=None)


def derived(story: Story) -> OrderStatus:
    """Answers the status that the order should have."""
    if story.is_cancelled:
        return OrderStatus.CANCELLED
    paid_by = winner(story)
    if paid_by is None:
        return _unpaid(payment for payment in story.payments if not story.succeeded(payment))
    refunded = story.refunded(paid_by)
    if refunded >= paid_by.amount_minor:
        # An order of nothing is paid, and there is nothing to give back.
        return OrderStatus.REFUNDED if refunded else OrderStatus.PAID
    return OrderStatus.PARTIALLY_REFUNDED if refunded else OrderStatus.PAID


def steps(story: Story) -> tuple[OrderStatus, ...]:
    """Answers the moves from the staged status to the derived one; none where no way leads, or the order is cancelled.

    The order service cancels by itself when somebody else does, so only a buyer's own cancelling is told.
    """
    return () if story.is_cancelled else way(story.staged, derived(story))


def way(current: OrderStatus, wanted: OrderStatus) -> tuple[OrderStatus, ...]:
    """Answers the shortest way through the order's state machine, without its start."""
    ways: list[tuple[OrderStatus, ...]] = [()]
    for path in ways:
        at = path[-1] if path else current
        if at == wanted:
            return path
        # The machine has no circle, so this ends.
        ways += [(*path, following) for following in MOVES[at]]
    return ()


def owed(story: Story) -> tuple[Owed, ...]:
    """Answers what the platform has to give back by itself, and has not asked for yet."""
    paid_by = winner(story)
    return tuple(
        Owed(payment.id, story.left(payment), payment.currency, _reason(story, payment))
        for payment in story.payments
        if payment != paid_by and story.left(payment) and not story.is_owed_back(payment)
    )


def _reason(story: Story, payment: PaymentState) -> AutomaticReason:
    if story.is_cancelled:
        return AutomaticReason.ORDER_CANCELLED
    return AutomaticReason.DUPLICATE if payment.covers else AutomaticReason.AMOUNT_MISMATCH


def _unpaid(payments: Iterable[PaymentState]) -> OrderStatus:
    over = [payment for payment in payments if payment.status != PaymentStatus.PROCESSING]
    newest = max(over, key=lambda payment: (payment.occurred_at, payment.provider_payment_id), default=None)
    if newest is None:
        return OrderStatus.PLACED
    return OrderStatus.CANCELLED if newest.status == PaymentStatus.CANCELLED else OrderStatus.PAYMENT_FAILED
