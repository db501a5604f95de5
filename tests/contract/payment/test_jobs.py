"""The loops' jobs on PostgreSQL: leased, given back, refused, and shared by several replicas."""

import asyncio
from datetime import timedelta

import pytest

from services.database import Database
from services.errors import ConflictError
from services.payment.domain import (
    CheckoutStatus,
    Listing,
    OpenedCheckout,
    OrderStatus,
    PaymentStatus,
    RefundOrder,
    RefundStatus,
)
from tests.contract.payment.conftest import Kept, opened_kept
from tests.contract.payment.driving import BACK, begun, deliver, opened, payments, requested, staged, told
from tests.factories.payment import NOW, TOTAL, order, payment_fact, refund_fact

PAID, REFUNDED = OrderStatus.PAID, OrderStatus.REFUNDED


async def paid_and_refunded(kept: Kept, number: int = 1) -> None:
    """Leaves an order with two steps to tell."""
    session, payment = await opened(kept, order(number)), f"pay_{number}"
    await deliver(kept, payment_fact(session_id=session, payment=payment))
    await deliver(kept, refund_fact(payment=payment, refund=f"ref_{number}"))


async def test_steps_of_an_order_are_told_one_after_another(kept: Kept) -> None:
    """The next one is to be had only when the one before is done; orders do not wait for each other."""
    await paid_and_refunded(kept, 1)
    await paid_and_refunded(kept, 2)
    first, second = await kept.store.claim_order_updates(10)
    assert [(one.order_id, one.status, one.attempts) for one in (first, second)] == [(1, PAID, 0), (2, PAID, 0)]
    assert await kept.store.claim_order_updates(10) == []
    await kept.store.order_update_done(second.id)
    assert [(one.order_id, one.status) for one in await kept.store.claim_order_updates(10)] == [(2, REFUNDED)]


async def test_a_lease_ends(kept: Kept) -> None:
    """After thirty seconds the step of a process that died is anyone's again."""
    await paid_and_refunded(kept)
    first = await staged(kept.store)
    kept.clock.forward(seconds=29)
    assert await kept.store.claim_order_updates(10) == []
    kept.clock.forward(seconds=1)
    assert await staged(kept.store) == first


async def test_a_step_given_back_waits_as_long_as_was_said(kept: Kept) -> None:
    """And knows how often it failed."""
    await paid_and_refunded(kept)
    await kept.store.release_order_update((await staged(kept.store)).id, 5)
    kept.clock.forward(seconds=4.9)
    assert await kept.store.claim_order_updates(10) == []
    kept.clock.forward(seconds=0.2)
    assert (await staged(kept.store)).attempts == 1


async def test_replicas_share_the_steps(payment_database: Database, kept: Kept) -> None:
    """Ten claimants at once never get the same step."""
    for number in range(1, 21):
        await paid_and_refunded(kept, number)
    stores = [opened_kept(payment_database).store for _ in range(10)]
    claimed = await asyncio.gather(*(store.claim_order_updates(3) for store in stores))
    ids = [update.id for claim in claimed for update in claim]
    assert len(ids) == len(set(ids))
    rest = await kept.store.claim_order_updates(100)
    assert len(ids) + len(rest) == 20


async def test_what_the_order_service_refuses_is_kept_and_passed_over(kept: Kept) -> None:
    """The next step follows; nothing is given back unless the order is cancelled."""
    await paid_and_refunded(kept)
    await kept.store.order_update_refused((await staged(kept.store)).id, "No such move.", cancelled=False)
    assert await told(kept.store) == [REFUNDED]
    assert await requested(kept.store) == []
    # A step that another replica has done meanwhile is no reason for anything.
    await kept.store.order_update_refused(10**6, "No such move.", cancelled=True)


async def test_a_payment_for_an_order_cancelled_meanwhile_goes_back(kept: Kept) -> None:
    """The order service says so when it is told, and again when its event comes: one refund."""
    session = await opened(kept)
    await deliver(kept, payment_fact(session_id=session))
    await kept.store.order_update_refused((await staged(kept.store)).id, "CANCELLED", cancelled=True)
    await kept.store.order_cancelled(1)
    await kept.store.order_cancelled(1)
    (refund,) = await requested(kept.store)
    assert (refund.amount_minor, refund.reason) == (TOTAL, "order_cancelled")
    assert await payments(kept.store) == [(PaymentStatus.SUCCEEDED, 0, TOTAL)]
    assert await told(kept.store) == []


async def test_a_cancelled_order_has_its_page_closed(kept: Kept) -> None:
    """It is named at once and until it is closed, once in thirty seconds; an order unknown here is no matter."""
    await kept.store.order_cancelled(99)
    session = await opened(kept)
    await kept.store.order_cancelled(1)
    (over,) = await kept.store.sessions_to_close(10)
    assert (over.session_id, over.provider_session_id) == (session, f"cs_{session}")
    assert over.status == CheckoutStatus.EXPIRED
    assert await kept.store.sessions_to_close(10) == []
    kept.clock.forward(seconds=31)
    assert len(await kept.store.sessions_to_close(10)) == 1
    await kept.store.session_closed(session)
    kept.clock.forward(seconds=31)
    assert await kept.store.sessions_to_close(10) == []


async def test_a_replaced_page_is_closed_when_its_id_is_known(kept: Kept) -> None:
    """Also one whose opening is answered only after it was replaced."""
    first = (await begun(kept)).session.id
    await begun(kept, back=BACK + "?other")
    assert await kept.store.sessions_to_close(10) == []
    await kept.store.opened_checkout(first, "cus_1", OpenedCheckout("cs_late", "/late"))
    (over,) = await kept.store.sessions_to_close(10)
    assert over.provider_session_id == "cs_late"


async def test_refunds_are_leased_and_given_back(kept: Kept) -> None:
    """Until the provider knows of them; a refused one is left alone, and what it was for can be asked for again."""
    session = await opened(kept)
    await deliver(kept, payment_fact(session_id=session))
    await kept.store.order_cancelled(1)
    (job,) = await kept.store.claim_refunds(10)
    assert (job.attempts, job.request.provider_payment_id, job.request.currency) == (0, "pay_1", "USD")
    assert await kept.store.claim_refunds(10) == []
    await kept.store.release_refund(job.request.refund_id, 1)
    kept.clock.forward(seconds=2)
    (again,) = await kept.store.claim_refunds(10)
    assert (again.request, again.attempts) == (job.request, 1)
    await kept.store.refund_refused(job.request.refund_id, "The account is closed.")
    kept.clock.forward(days=1)
    assert await kept.store.claim_refunds(10) == []
    assert await payments(kept.store) == [(PaymentStatus.SUCCEEDED, 0, 0)]


async def test_a_refund_that_succeeded_is_not_refused_any_more(kept: Kept) -> None:
    """A late refusal of a repeated call says nothing."""
    session = await opened(kept)
    await deliver(kept, payment_fact(session_id=session))
    await kept.store.order_cancelled(1)
    (refund,) = await requested(kept.store)
    await deliver(kept, refund_fact(refund_id=refund.refund_id))
    await kept.store.refund_refused(refund.refund_id, "It is refunded already.")
    assert await payments(kept.store) == [(PaymentStatus.SUCCEEDED, TOTAL, 0)]


async def test_sessions_open_for_long_are_asked_about_once_in_a_while(kept: Kept) -> None:
    """Open ones that were not asked about since then, opening ones after a minute; ended ones never."""
    opening = (await begun(kept, order(1))).session.id
    is_open = await opened(kept, order(2))
    over = await opened(kept, order(3))
    await kept.store.expire_session(over)
    assert await kept.store.overdue_sessions(NOW - timedelta(seconds=1), 10) == []
    now = kept.clock.forward(seconds=61)
    assert [one.session_id for one in await kept.store.overdue_sessions(NOW, 10)] == [opening]
    assert [one.session_id for one in await kept.store.overdue_sessions(now, 10)] == [is_open]
    assert await kept.store.overdue_sessions(now, 10) == []


async def test_replicas_ask_about_a_session_once(payment_database: Database, kept: Kept) -> None:
    """Of several at once, one is answered it."""
    for number in range(1, 6):
        await opened(kept, order(number))
    stores = [opened_kept(payment_database) for _ in range(5)]
    for other in stores:
        other.clock.forward(minutes=20)
    answered = await asyncio.gather(*(other.store.overdue_sessions(other.clock(), 10) for other in stores))
    ids = [one.session_id for each in answered for one in each]
    assert len(ids) == len(set(ids)) == 5


async def test_pending_refunds_are_asked_about_by_their_session(kept: Kept) -> None:
    """Also those that somebody else made."""
    session = await opened(kept)
    await deliver(kept, payment_fact(session_id=session))
    await deliver(kept, refund_fact(RefundStatus.PENDING))
    later = kept.clock.forward(minutes=15)
    (overdue,) = await kept.store.overdue_refunds(later, 10)
    assert (overdue.session_id, overdue.status) == (session, CheckoutStatus.COMPLETED)
    assert await kept.store.overdue_refunds(later, 10) == []


async def test_a_session_that_was_paid_does_not_expire(kept: Kept) -> None:
    """Expiring concerns live ones only."""
    session = await opened(kept)
    await deliver(kept, payment_fact(session_id=session))
    await kept.store.expire_session(session)
    await deliver(kept, refund_fact(RefundStatus.PENDING))
    (overdue,) = await kept.store.overdue_refunds(kept.clock.forward(minutes=15), 10)
    assert overdue.status == CheckoutStatus.COMPLETED


async def test_what_waits_is_counted(kept: Kept) -> None:
    """How many, and since when."""
    empty = await kept.store.backlog()
    assert (empty.order_updates, empty.refunds, empty.listings) == (0, 0, 0)
    assert (empty.oldest_order_update, empty.oldest_refund) == (None, None)
    await paid_and_refunded(kept, 1)
    kept.clock.forward(minutes=1)
    session = await opened(kept, order(2))
    await deliver(kept, payment_fact(session_id=session, payment="pay_2"))
    await kept.store.order_cancelled(2)
    await kept.store.put_listing(Listing("p1", "Name", "", 1, "USD", 1))
    backlog = await kept.store.backlog()
    assert (backlog.order_updates, backlog.refunds, backlog.listings) == (3, 1, 1)
    assert (backlog.oldest_order_update, backlog.oldest_refund) == (NOW, NOW + timedelta(minutes=1))


@pytest.mark.parametrize("provider", ["dodo"])
async def test_another_providers_jobs_are_left_alone(payment_database: Database, kept: Kept, provider: str) -> None:
    """Only what the order service is to be told is everyone's; a page of the former one is replaced, not closed."""
    await paid_and_refunded(kept, 1)
    session = await opened(kept, order(2))
    await deliver(kept, payment_fact(session_id=session, payment="pay_2"))
    await kept.store.order_cancelled(2)
    await opened(kept, order(3))
    other = opened_kept(payment_database, provider)
    later = other.clock.forward(days=1)
    assert await other.store.claim_refunds(10) == []
    assert await other.store.overdue_sessions(later, 10) == []
    assert len(await other.store.claim_order_updates(10)) == 2
    (payment,) = await other.store.payments_for_orders([1], None)
    with pytest.raises(ConflictError, match="sandbox"):
        await other.store.request_refund(RefundOrder(payment.id, 1, "", "", 1, ""))
    begun_anew = await begun(other, order(3))
    assert begun_anew.replaced == ""
    assert begun_anew.session.id.startswith(provider)
