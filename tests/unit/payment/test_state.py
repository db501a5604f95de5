"""What facts come to."""

import itertools
from datetime import timedelta

import pytest

from services.order import status as order_status
from services.payment import state
from services.payment.domain import OrderStatus, PaymentStatus, RefundStatus
from services.payment.state import AutomaticReason, PaymentState, RefundState, Story
from tests.factories.payment import NOW, TOTAL, payment_fact, refund_fact

PLACED, PAID, FAILED = OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.PAYMENT_FAILED
CANCELLED, PARTIALLY, REFUNDED = OrderStatus.CANCELLED, OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED


def payment(  # noqa: PLR0917 every one is what some test is about
    name: str = "a",
    status: PaymentStatus = PaymentStatus.SUCCEEDED,
    after: float = 0,
    amount: int = TOTAL,
    tax: int = 0,
    currency: str = "USD",
) -> PaymentState:
    moment = NOW + timedelta(seconds=after)
    return PaymentState(name, f"pay_{name}", status, amount, tax, currency, moment, TOTAL, "USD")


def refund(
    of: str = "a", amount: int = TOTAL, status: RefundStatus = RefundStatus.SUCCEEDED, *, automatic: bool = False
) -> RefundState:
    return RefundState(of, status, amount, automatic)


def story(*known: PaymentState | RefundState, staged: OrderStatus = PLACED, cancelled: bool = False) -> Story:
    payments = tuple(one for one in known if isinstance(one, PaymentState))
    return Story(staged, cancelled, payments, tuple(one for one in known if isinstance(one, RefundState)))


def test_the_moves_are_those_of_the_order_service() -> None:
    """Both services know one state machine, each in its own words."""
    theirs = {status.value: {move.value for move in moves} for status, moves in order_status.MOVES.items()}
    assert {status.value: {move.value for move in moves} for status, moves in state.MOVES.items()} == theirs


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], PLACED),
        ([payment(status=PaymentStatus.PROCESSING)], PLACED),
        ([payment(status=PaymentStatus.FAILED)], FAILED),
        ([payment(status=PaymentStatus.CANCELLED)], CANCELLED),
        ([payment("a", PaymentStatus.CANCELLED), payment("b", PaymentStatus.FAILED, after=1)], FAILED),
        ([payment("a", PaymentStatus.FAILED), payment("b", PaymentStatus.PROCESSING, after=1)], FAILED),
        ([payment("a"), payment("b", PaymentStatus.FAILED, after=1)], PAID),
        ([payment()], PAID),
        ([payment(amount=TOTAL + 500, tax=500)], PAID),
        ([payment(), refund(amount=1)], PARTIALLY),
        ([payment(), refund(amount=1), refund(amount=TOTAL - 1)], REFUNDED),
        ([payment(), refund(status=RefundStatus.PENDING)], PAID),
        ([payment(), refund(status=RefundStatus.FAILED)], PAID),
        # Money that was given back had come in.
        ([payment(status=PaymentStatus.PROCESSING), refund()], REFUNDED),
        ([payment(status=PaymentStatus.FAILED), refund(amount=1)], PARTIALLY),
        # A payment that does not cover the order never pays it.
        ([payment(amount=TOTAL - 1)], PLACED),
        ([payment(amount=TOTAL, tax=1)], PLACED),
        ([payment(currency="EUR")], PLACED),
        ([payment("a", amount=1), payment("b", PaymentStatus.FAILED)], FAILED),
    ],
)
def test_the_order_stands_as_its_payments_say(known: list[PaymentState | RefundState], expected: OrderStatus) -> None:
    """Whatever the order in which they are known."""
    for arrangement in itertools.permutations(known):
        assert state.derived(story(*arrangement)) == expected


@pytest.mark.parametrize(
    ("staged", "wanted", "expected"),
    [
        (PLACED, PLACED, []),
        (PLACED, PAID, [PAID]),
        (PLACED, REFUNDED, [PAID, REFUNDED]),
        (PLACED, PARTIALLY, [PAID, PARTIALLY]),
        (FAILED, PAID, [PAID]),
        (FAILED, CANCELLED, [CANCELLED]),
        (PAID, REFUNDED, [REFUNDED]),
        (PARTIALLY, REFUNDED, [REFUNDED]),
        (FAILED, PLACED, []),
        (PAID, FAILED, []),
        (REFUNDED, PAID, []),
        (CANCELLED, PAID, []),
    ],
)
def test_steps_follow_the_state_machine(staged: OrderStatus, wanted: OrderStatus, expected: list[OrderStatus]) -> None:
    """The shortest way, step by step; nothing where no way leads."""
    assert list(state.way(staged, wanted)) == expected


def test_the_first_payment_wins_and_the_others_are_owed_back() -> None:
    """In time, not in order of arrival; each with all that is left of it."""
    known = [payment("b", after=1), payment("a"), payment("c", after=2)]
    for arrangement in itertools.permutations(known):
        assert state.winner(story(*arrangement)) == known[1]
        owed = sorted(state.owed(story(*arrangement)), key=lambda one: one.payment_id)
        assert [(one.payment_id, one.amount_minor, one.reason) for one in owed] == [
            ("b", TOTAL, AutomaticReason.DUPLICATE),
            ("c", TOTAL, AutomaticReason.DUPLICATE),
        ]


def test_what_is_owed_is_asked_for_once() -> None:
    """Also when the refund failed: then somebody has to look."""
    for status in RefundStatus:
        known = (payment("a"), payment("b", after=1), refund("b", status=status, automatic=True))
        assert state.owed(story(*known)) == ()
        assert state.derived(story(*known)) == PAID


def test_a_payment_that_money_was_taken_back_from_stays_the_orders() -> None:
    """An earlier one that turns up afterwards is the double, for the order cannot be paid again."""
    known = story(payment("b", after=1), refund("b"), payment("a"), staged=REFUNDED)
    assert state.steps(known) == ()
    assert [one.payment_id for one in state.owed(known)] == ["a"]


@pytest.mark.parametrize(("cancelled", "staged"), [(True, PLACED), (True, PAID), (False, CANCELLED), (True, FAILED)])
def test_what_is_paid_for_a_cancelled_order_is_owed_back(staged: OrderStatus, *, cancelled: bool) -> None:
    """All of it, less what was given back already; and the order service is told nothing."""
    known = story(payment(), refund(amount=97), staged=staged, cancelled=cancelled)
    assert state.steps(known) == ()
    (owed,) = state.owed(known)
    assert (owed.amount_minor, owed.currency, owed.reason) == (TOTAL - 97, "USD", AutomaticReason.ORDER_CANCELLED)


@pytest.mark.parametrize("wrong", [payment(amount=TOTAL - 1), payment(currency="EUR"), payment(tax=1)])
def test_what_does_not_cover_the_order_is_owed_back(wrong: PaymentState) -> None:
    """Too little, another currency, or the total only with the provider's tax."""
    (owed,) = state.owed(story(wrong))
    assert (owed.amount_minor, owed.currency, owed.reason) == (
        wrong.amount_minor,
        wrong.currency,
        AutomaticReason.AMOUNT_MISMATCH,
    )


def test_nothing_is_owed_of_nothing() -> None:
    """An order that costs nothing is paid by a payment of nothing, and a second one leaves nothing to give back."""
    free = [PaymentState(name, name, PaymentStatus.SUCCEEDED, 0, 0, "USD", NOW, 0, "USD") for name in ("a", "b")]
    assert state.derived(story(*free)) == PAID
    assert state.owed(story(*free)) == ()


def test_merging_payments_needs_no_order() -> None:
    """Every permutation of what can be told of one payment leaves the same fact standing."""
    facts = [
        payment_fact(PaymentStatus.PROCESSING),
        payment_fact(PaymentStatus.FAILED, after=1),
        payment_fact(PaymentStatus.CANCELLED, after=2),
        payment_fact(PaymentStatus.SUCCEEDED, after=4, amount=TOTAL + 1),
        payment_fact(PaymentStatus.SUCCEEDED, after=3, tax=1),
        payment_fact(PaymentStatus.SUCCEEDED, after=3, tax=2),
    ]
    for arrangement in itertools.permutations(facts):
        standing = arrangement[0]
        for fact in arrangement[1:]:
            amounts = (standing.amount_minor, standing.tax_minor, standing.currency)
            if state.prevails(fact, standing.status, standing.occurred_at, amounts):
                standing = fact
        assert standing == facts[-1]


def test_of_two_failures_the_later_one_stands() -> None:
    """Failed and cancelled are equally far; nothing is told by a fact that is known."""
    failed, cancelled = payment_fact(PaymentStatus.FAILED, after=5), payment_fact(PaymentStatus.CANCELLED)
    amounts = (TOTAL, 0, "USD")
    assert state.prevails(failed, cancelled.status, cancelled.occurred_at, amounts)
    assert not state.prevails(cancelled, failed.status, failed.occurred_at, amounts)
    assert not state.prevails(failed, failed.status, failed.occurred_at, amounts)


def test_a_refund_only_goes_on() -> None:
    """Requested, pending, failed, succeeded: a later word never undoes a farther one."""
    statuses = list(RefundStatus)
    for index, known in enumerate(statuses):
        told = [status for status in statuses if state.refund_prevails(refund_fact(status), known)]
        assert told == statuses[index + 1 :]
