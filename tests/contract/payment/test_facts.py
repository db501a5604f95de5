"""Facts on PostgreSQL: merged once, in any order, from any number of sides at once."""

import asyncio
import itertools

import pytest

from services.payment.domain import (
    CheckoutFact,
    CheckoutStatus,
    Delivery,
    Fact,
    OrderStatus,
    Outcome,
    PaymentStatus,
    RefundStatus,
)
from tests.contract.payment.conftest import Kept
from tests.contract.payment.driving import BACK, begun, deliver, opened, payments, requested, staged, told
from tests.factories.payment import NOW, TOTAL, order, payment_fact, refund_fact

PAID, PARTIALLY, REFUNDED = OrderStatus.PAID, OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED
CREATED = PaymentStatus.PROCESSING


async def test_a_payment_pays_the_order_and_ends_its_session(kept: Kept) -> None:
    """One step is staged, and no page is open any more."""
    session = await opened(kept)
    assert await deliver(kept, payment_fact(session_id=session)) == Outcome.APPLIED
    assert await told(kept.store) == [PAID]
    assert await payments(kept.store) == [(PaymentStatus.SUCCEEDED, 0, 0)]
    assert await kept.store.overdue_sessions(kept.clock.forward(days=1), 10) == []
    assert await requested(kept.store) == []
    assert len(kept.commits) >= 1


@pytest.mark.parametrize("before", [CREATED, PaymentStatus.FAILED])
async def test_every_permutation_ends_in_the_same_state(kept: Kept, before: PaymentStatus) -> None:
    """Created or failed, succeeded, and two refunds, each delivery twice: paid, then all given back."""
    for number, arrangement in enumerate(itertools.permutations(range(4)), start=1):
        session, payment = await opened(kept, order(number)), f"pay_{number}"
        facts: list[Fact] = [
            payment_fact(before, session_id=session, payment=payment),
            payment_fact(session_id=session, payment=payment, after=2),
            refund_fact(payment=payment, refund=f"ref_a{number}", amount=1000),
            refund_fact(payment=payment, refund=f"ref_b{number}", amount=TOTAL - 1000),
        ]
        for index in (*arrangement, *arrangement):
            await deliver(kept, facts[index])
        assert await payments(kept.store, number) == [(PaymentStatus.SUCCEEDED, TOTAL, 0)], arrangement
        steps = await told(kept.store)
        # On the way there it may have been failed and partly refunded, if that was told first.
        on_the_way = (OrderStatus.PAYMENT_FAILED, PARTIALLY)
        assert [step for step in steps if step not in on_the_way] == [PAID, REFUNDED], arrangement
        assert steps == sorted(steps, key=[OrderStatus.PAYMENT_FAILED, PAID, PARTIALLY, REFUNDED].index), arrangement
    assert await requested(kept.store) == []


async def test_all_facts_at_once_are_as_good(kept: Kept) -> None:
    """One delivery, or one answer of the provider, may tell the whole story, in any order."""
    for number, arrangement in enumerate(itertools.permutations(range(3)), start=1):
        session, payment = await opened(kept, order(number)), f"pay_{number}"
        facts: list[Fact] = [
            payment_fact(CREATED, session_id=session, payment=payment),
            payment_fact(session_id=session, payment=payment),
            refund_fact(payment=payment, refund=f"ref_{number}", amount=1),
        ]
        assert await kept.store.record_facts([facts[index] for index in arrangement]) == Outcome.APPLIED
        assert await told(kept.store) == [PAID, PARTIALLY]


async def test_one_delivery_a_hundred_times_at_once_counts_once(kept: Kept) -> None:
    """One is applied, all others are told that it was."""
    session = await opened(kept)
    delivery = Delivery("evt_hundred", "payment.succeeded", (payment_fact(session_id=session),))
    outcomes = await asyncio.gather(*(kept.store.apply(delivery) for _ in range(100)))
    assert sorted(outcomes) == [Outcome.APPLIED, *[Outcome.DUPLICATE] * 99]
    assert await told(kept.store) == [PAID]


async def test_a_refund_and_its_payment_meet_whoever_is_first(kept: Kept) -> None:
    """Told of at the same moment in two deliveries, thirty times: neither misses the other."""
    for number in range(1, 31):
        session, payment = await opened(kept, order(number)), f"pay_{number}"
        await asyncio.gather(
            deliver(kept, refund_fact(payment=payment, refund=f"ref_{number}")),
            deliver(kept, payment_fact(session_id=session, payment=payment)),
        )
        assert await payments(kept.store, number) == [(PaymentStatus.SUCCEEDED, TOTAL, 0)]
        assert await told(kept.store) == [PAID, REFUNDED]


async def test_of_two_payments_the_later_is_given_back_once(kept: Kept) -> None:
    """Whichever is told of first, also both at once; the order is paid, once."""
    for number, flip in ((1, False), (2, True), (3, None)):
        first = await opened(kept, order(number))
        second = await opened(kept, order(number), BACK + "?again")
        facts = [
            payment_fact(session_id=first, payment=f"pay_{number}a"),
            payment_fact(session_id=second, payment=f"pay_{number}b", after=1),
        ]
        if flip is None:
            await asyncio.gather(*(deliver(kept, fact) for fact in facts))
        else:
            for fact in reversed(facts) if flip else facts:
                await deliver(kept, fact)
        (refund,) = await requested(kept.store)
        assert (refund.provider_payment_id, refund.amount_minor) == (f"pay_{number}b", TOTAL)
        assert refund.reason == "duplicate"
        assert await told(kept.store) == [PAID]
        done = refund_fact(refund_id=refund.refund_id, refund=f"ref_{number}", payment=f"pay_{number}b")
        assert await kept.store.record_facts([done]) == Outcome.APPLIED
        assert await told(kept.store) == []


@pytest.mark.parametrize(
    "fact",
    [
        payment_fact(session_id="unknown"),
        payment_fact(),
        payment_fact(provider_session_id="cs_unknown"),
        refund_fact(payment="pay_unknown"),
        CheckoutFact(CheckoutStatus.COMPLETED, "unknown"),
        CheckoutFact(CheckoutStatus.EXPIRED),
    ],
)
async def test_what_is_not_ours_has_no_effect(kept: Kept, fact: Fact) -> None:
    """It is taken, as the provider's account may serve others, and nothing follows."""
    await opened(kept)
    assert await deliver(kept, fact) == Outcome.UNMATCHED
    assert await payments(kept.store) == []
    assert await told(kept.store) == []


async def test_unknown_types_are_recorded_once(kept: Kept) -> None:
    """A delivery without facts is ignored, and known the next time."""
    assert await deliver(kept, name="evt_strange") == Outcome.IGNORED
    assert await deliver(kept, name="evt_strange") == Outcome.DUPLICATE


async def test_a_payment_is_found_by_any_of_its_names(kept: Kept) -> None:
    """By our session's id, by the provider's, and by its own once it is known."""
    session = await opened(kept)
    assert await deliver(kept, payment_fact(CREATED, provider_session_id=f"cs_{session}")) == Outcome.APPLIED
    assert await deliver(kept, payment_fact()) == Outcome.APPLIED
    assert await told(kept.store) == [PAID]


async def test_the_name_of_a_session_is_learned_from_its_webhook(kept: Kept) -> None:
    """Its opening was never answered; now it can be asked about."""
    session = (await begun(kept)).session.id
    await deliver(kept, payment_fact(CREATED, session_id=session, provider_session_id="cs_late"))
    (overdue,) = await kept.store.overdue_sessions(kept.clock.forward(days=1), 10)
    assert (overdue.provider_session_id, overdue.status) == ("cs_late", CheckoutStatus.OPENING)


@pytest.mark.parametrize("amount", [TOTAL - 1, 0])
async def test_too_little_money_goes_back(kept: Kept, amount: int) -> None:
    """The order stays unpaid, and what was paid is given back; of nothing there is nothing to give back."""
    session = await opened(kept)
    await deliver(kept, payment_fact(session_id=session, amount=amount))
    assert await told(kept.store) == []
    asked = [(refund.amount_minor, refund.reason) for refund in await requested(kept.store)]
    assert asked == ([(amount, "amount_mismatch")] if amount else [])


async def test_a_buyers_own_cancelling_cancels_the_order(kept: Kept) -> None:
    """Once; what is paid afterwards on another page is given back."""
    first = await opened(kept)
    second = await opened(kept, back=BACK + "?again")
    await deliver(kept, payment_fact(PaymentStatus.CANCELLED, session_id=first, payment="pay_a"))
    assert await told(kept.store) == [OrderStatus.CANCELLED]
    await deliver(kept, payment_fact(session_id=second, payment="pay_b", after=1))
    assert [refund.reason for refund in await requested(kept.store)] == ["order_cancelled"]
    assert await told(kept.store) == []


async def test_our_refund_and_its_webhook_are_one(kept: Kept) -> None:
    """Also when the provider's name of it comes first by itself, and ours only with the next fact."""
    session = await opened(kept)
    await deliver(kept, payment_fact(session_id=session))
    await kept.store.order_cancelled(1)
    (refund,) = await requested(kept.store)
    await deliver(kept, refund_fact(RefundStatus.PENDING))
    ours = refund_fact(refund_id=refund.refund_id)
    await asyncio.gather(deliver(kept, ours), kept.store.record_facts([ours]))
    assert await payments(kept.store) == [(PaymentStatus.SUCCEEDED, TOTAL, 0)]


async def test_a_refund_is_found_by_our_id_as_well(kept: Kept) -> None:
    """A provider may tell another id of the payment: what we asked for is still what it is about."""
    session = await opened(kept)
    await deliver(kept, payment_fact(session_id=session))
    await kept.store.order_cancelled(1)
    (refund,) = await requested(kept.store)
    for fact in (
        refund_fact(RefundStatus.PENDING, payment="charge_1", refund_id=refund.refund_id),
        refund_fact(payment="charge_1"),
    ):
        assert await deliver(kept, fact) == Outcome.APPLIED
    assert await payments(kept.store) == [(PaymentStatus.SUCCEEDED, TOTAL, 0)]


async def test_a_failed_payment_leaves_the_page_open(kept: Kept) -> None:
    """The buyer may try again, and then the order is paid."""
    session = await opened(kept)
    await deliver(kept, payment_fact(PaymentStatus.FAILED, session_id=session))
    assert (await staged(kept.store)).status == OrderStatus.PAYMENT_FAILED
    assert (await begun(kept)).session.id == session
    await deliver(kept, payment_fact(session_id=session, payment="pay_2", after=1))
    kept.clock.forward(minutes=1)
    assert await told(kept.store) == [OrderStatus.PAYMENT_FAILED, PAID]


@pytest.mark.parametrize("status", [CheckoutStatus.COMPLETED, CheckoutStatus.EXPIRED])
async def test_a_checkout_that_is_over_makes_room(kept: Kept, status: CheckoutStatus) -> None:
    """The order stays as it is, and the next request opens a new page."""
    session = await opened(kept)
    assert await deliver(kept, CheckoutFact(CheckoutStatus.OPEN, session)) == Outcome.APPLIED
    assert (await begun(kept)).session.id == session
    assert await deliver(kept, CheckoutFact(status, provider_session_id=f"cs_{session}")) == Outcome.APPLIED
    assert await told(kept.store) == []
    assert (await begun(kept)).session.id != session


async def test_deliveries_are_forgotten_in_time(kept: Kept) -> None:
    """Old ones only, no more at once than was said."""
    for _ in range(3):
        await deliver(kept)
    assert await kept.store.forget_deliveries(NOW, 10) == 0
    later = kept.clock.forward(days=1)
    assert [await kept.store.forget_deliveries(later, 2) for _ in range(3)] == [2, 1, 0]
