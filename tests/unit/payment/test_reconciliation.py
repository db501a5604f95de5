"""Reconciliation: what the provider's answer about an old session comes to."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.payment.domain import (
    CheckoutFact,
    CheckoutStatus,
    Fact,
    Outcome,
    OverdueSession,
    PaymentFact,
    PaymentStatus,
)
from services.payment.provider import ProviderRefusedError, ProviderUnavailableError
from services.payment.reconciliation import FORGET_AFTER, ReconciliationLoop

NOW = datetime(2026, 1, 2, tzinfo=UTC)
AFTER = timedelta(minutes=15)
OVER = OverdueSession("s1", "cs_1", CheckoutStatus.OPEN, NOW - timedelta(seconds=1))
STILL = OverdueSession("s1", "cs_1", CheckoutStatus.OPEN, NOW + timedelta(seconds=1))
LEFT = OverdueSession("s1", "", CheckoutStatus.OPENING, NOW - timedelta(seconds=1))


def payment(status: PaymentStatus) -> PaymentFact:
    return PaymentFact("pay_1", status, 100, "USD", NOW, "s1")


class Sessions:
    """Sessions of each kind, handed out once; notes what became of them."""

    def __init__(self, *, overdue: Sequence[OverdueSession] = (), closing: Sequence[OverdueSession] = ()) -> None:
        self._overdue = list(overdue)
        self._closing = list(closing)
        self.refunding: list[OverdueSession] = []
        self.asked_before: list[datetime] = []
        self.ended: list[tuple[object, ...]] = []

    async def overdue_sessions(self, before: datetime, limit: int) -> list[OverdueSession]:
        self.asked_before.append(before)
        return self._overdue[:limit]

    async def overdue_refunds(self, before: datetime, limit: int) -> list[OverdueSession]:
        self.asked_before.append(before)
        return self.refunding[:limit]

    async def sessions_to_close(self, limit: int) -> list[OverdueSession]:
        return self._closing[:limit]

    async def record_facts(self, facts: Sequence[Fact]) -> Outcome:
        self.ended.append(("recorded", *facts))
        return Outcome.APPLIED

    async def expire_session(self, session_id: str) -> None:
        self.ended.append(("expired", session_id))

    async def session_closed(self, session_id: str) -> None:
        self.ended.append(("closed", session_id))

    async def forget_deliveries(self, before: datetime, limit: int) -> int:
        assert before == NOW - FORGET_AFTER
        assert limit
        return 0


class Provider:
    """Answers one thing after the other about a session; the last one for ever."""

    def __init__(self, *answers: tuple[Fact, ...] | Exception, closing: Exception | None = None) -> None:
        self._answers = list(answers) or [()]
        self._closing = closing
        self.closed: list[str] = []

    async def checkout(self, session_id: str, provider_session_id: str) -> tuple[Fact, ...]:
        assert session_id == "s1"
        assert provider_session_id in ("", "cs_1")
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close_checkout(self, provider_session_id: str) -> None:
        self.closed.append(provider_session_id)
        if self._closing is not None:
            raise self._closing


async def reconcile(sessions: Sessions, provider: Provider) -> int:
    return await ReconciliationLoop(sessions, provider, lambda: NOW, AFTER).run_once()


async def test_what_the_provider_knows_is_merged() -> None:
    """A webhook that was lost is made up for."""
    paid = payment(PaymentStatus.SUCCEEDED)
    sessions, provider = Sessions(overdue=[STILL]), Provider((paid,))
    assert await reconcile(sessions, provider) == 1
    assert sessions.ended == [("recorded", paid)]
    assert sessions.asked_before == [NOW - AFTER] * 2
    assert not provider.closed


async def test_a_session_whose_time_is_not_over_stays() -> None:
    """Nothing was paid yet, and still may be."""
    sessions, provider = Sessions(overdue=[STILL]), Provider()
    await reconcile(sessions, provider)
    assert (sessions.ended, provider.closed) == ([], [])


async def test_a_session_whose_time_is_over_is_closed_and_ends() -> None:
    """First at the provider, then here."""
    sessions, provider = Sessions(overdue=[OVER]), Provider()
    await reconcile(sessions, provider)
    assert provider.closed == ["cs_1"]
    assert sessions.ended == [("expired", "s1")]


async def test_a_session_that_was_paid_while_it_was_being_closed_is_paid() -> None:
    """It is asked about once more after the page was closed."""
    paid = payment(PaymentStatus.SUCCEEDED)
    sessions, provider = Sessions(overdue=[OVER]), Provider((), (paid,))
    await reconcile(sessions, provider)
    assert sessions.ended == [("recorded", paid)]


async def test_a_payment_under_way_keeps_its_session() -> None:
    """The provider works on it: the page is not pulled away."""
    sessions, provider = Sessions(overdue=[OVER]), Provider((payment(PaymentStatus.PROCESSING),))
    await reconcile(sessions, provider)
    assert not provider.closed
    assert [ended[0] for ended in sessions.ended] == ["recorded"]


async def test_a_session_that_was_never_opened_ends_without_being_closed() -> None:
    """The process died before the provider was reached."""
    sessions = Sessions(overdue=[LEFT])
    provider = Provider(ProviderRefusedError("No such session."))
    await reconcile(sessions, provider)
    assert not provider.closed
    assert sessions.ended == [("expired", "s1")]


async def test_a_page_whose_opening_was_never_answered_is_closed_by_what_the_provider_says() -> None:
    """It knows the session by our id, and tells its own."""
    told = CheckoutFact(CheckoutStatus.OPEN, "s1", "cs_1")
    sessions, provider = Sessions(overdue=[LEFT]), Provider((told,))
    await reconcile(sessions, provider)
    assert provider.closed == ["cs_1"]
    assert sessions.ended[-1] == ("expired", "s1")


@pytest.mark.parametrize(
    "provider",
    [
        Provider(ProviderUnavailableError("Away.")),
        Provider((), closing=ProviderUnavailableError("Away.")),
        Provider(ValueError("A fault of the adapter.")),
    ],
    ids=["not answering", "not closing", "garbage"],
)
async def test_without_an_answer_nothing_changes(provider: Provider) -> None:
    """It is asked again later; nothing is assumed."""
    sessions = Sessions(overdue=[OVER])
    assert await reconcile(sessions, provider) == 1
    assert sessions.ended == []


async def test_pages_that_are_over_are_closed() -> None:
    """Also where the provider says that there is nothing to close."""
    for closing in (None, ProviderRefusedError("It is over.")):
        sessions, provider = Sessions(closing=[OVER]), Provider(closing=closing)
        await reconcile(sessions, provider)
        assert provider.closed == ["cs_1"]
        assert sessions.ended == [("closed", "s1")]


async def test_a_page_that_cannot_be_closed_now_is_closed_later() -> None:
    """It stays on the list."""
    sessions = Sessions(closing=[OVER])
    await reconcile(sessions, Provider(closing=ProviderUnavailableError("Away.")))
    assert sessions.ended == []


async def test_refunds_that_are_pending_for_long_are_asked_about() -> None:
    """By the session of their payment, which stays as it is."""
    sessions = Sessions()
    sessions.refunding = [OVER]
    paid = payment(PaymentStatus.SUCCEEDED)
    provider = Provider((paid,))
    await reconcile(sessions, provider)
    assert sessions.ended == [("recorded", paid)]
    assert not provider.closed
