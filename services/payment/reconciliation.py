"""Asking the provider about what it should have told: webhooks may be lost, and processes die while a page is opened.

Sessions that have been live for long, and refunds that have been pending for long, are asked about; the answer is
merged like a webhook's. A session whose time is over is closed at the provider, asked about once more, since it may
have been paid in the meantime, and ends without anything said of the order. Pages that are over here and not at the
provider are closed there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from prometheus_client import Counter

from services.payment.domain import CheckoutFact, Fact, Outcome, OverdueSession, PaymentFact, PaymentStatus
from services.payment.provider import ProviderRefusedError, ProviderUnavailableError
from services.payment.working import Working, each

BATCH: Final = 8
# Seconds between two looks: a page whose order was cancelled should not be paid on for much longer.
POLL_SECONDS: Final = 5.0
# No provider repeats a webhook after so long, and its signature would be stale anyway.
FORGET_AFTER: Final = timedelta(days=90)
FORGET_BATCH: Final = 1000

reconciled = Counter("payment_reconciliations_total", "Sessions that the provider was asked about.", ["outcome"])

log = structlog.get_logger(__name__)


class Sessions(Protocol):
    """What is open for long. Whatever is answered is not answered again for a while."""

    async def overdue_sessions(self, before: datetime, limit: int) -> list[OverdueSession]:
        """Answers live sessions that the provider was not asked about since `before`."""

    async def overdue_refunds(self, before: datetime, limit: int) -> list[OverdueSession]:
        """Answers the sessions of refunds of which nothing was heard since `before`."""

    async def sessions_to_close(self, limit: int) -> list[OverdueSession]:
        """Answers sessions that are over here and may be open at the provider."""

    async def record_facts(self, facts: Sequence[Fact]) -> Outcome:
        """Merges what the provider answered."""

    async def expire_session(self, session_id: str) -> None:
        """Ends a live session on which nobody paid."""

    async def session_closed(self, session_id: str) -> None:
        """Keeps that the provider's page is over as well."""

    async def forget_deliveries(self, before: datetime, limit: int) -> int:
        """Forgets deliveries from before that time."""


class Asked(Protocol):
    """The provider, as far as sessions go."""

    async def checkout(self, session_id: str, provider_session_id: str) -> tuple[Fact, ...]:
        """Answers what it knows about a session."""

    async def close_checkout(self, provider_session_id: str) -> None:
        """Makes the page take no payment any more."""


class ReconciliationLoop(Working):
    """Asks about sessions and refunds that have been open for `after`."""

    def __init__(self, sessions: Sessions, provider: Asked, clock: Callable[[], datetime], after: timedelta) -> None:
        # With a short time, as in tests, waiting longer than it makes no sense.
        super().__init__(min(POLL_SECONDS, after.total_seconds() / 2))
        self._sessions = sessions
        self._provider = provider
        self._clock = clock
        self._after = after

    async def run_once(self) -> int:
        """Asks about some of each kind and closes some; answers how many that were."""
        before = self._clock() - self._after
        sessions = await self._sessions.overdue_sessions(before, BATCH)
        await each(sessions, self._reconcile, _later)
        refunding = await self._sessions.overdue_refunds(before, BATCH)
        await each(refunding, self._refresh, _later)
        closing = await self._sessions.sessions_to_close(BATCH)
        await each(closing, self._close, _later)
        forgotten = await self._sessions.forget_deliveries(self._clock() - FORGET_AFTER, FORGET_BATCH)
        return len(sessions) + len(refunding) + len(closing) + forgotten

    async def _reconcile(self, session: OverdueSession) -> None:
        facts = await self._ask(session)
        if facts is None or session.expires_at > self._clock() or _is_under_way(facts):
            return
        if page := session.provider_session_id or _page(facts):
            try:
                await self._provider.close_checkout(page)
            except ProviderRefusedError as refusal:
                log.warning("a checkout cannot be closed", session_id=session.session_id, reason=refusal.message)
            except ProviderUnavailableError:
                return
            facts = await self._ask(session)
        if facts is not None and not _is_under_way(facts):
            reconciled.labels("expired").inc()
            await self._sessions.expire_session(session.session_id)

    async def _refresh(self, session: OverdueSession) -> None:
        await self._ask(session)

    async def _ask(self, session: OverdueSession) -> Sequence[Fact] | None:
        """Answers what the provider knows, merged already; None when it does not answer now."""
        try:
            facts = await self._provider.checkout(session.session_id, session.provider_session_id)
        except ProviderUnavailableError as error:
            log.warning("a session cannot be asked about now", session_id=session.session_id, reason=error.message)
            reconciled.labels("unavailable").inc()
            return None
        except ProviderRefusedError as refusal:
            # It knows nothing of it: nothing was paid there.
            log.warning("the provider does not know a session", session_id=session.session_id, reason=refusal.message)
            facts = ()
        outcome = await self._sessions.record_facts(facts) if facts else Outcome.IGNORED
        reconciled.labels(outcome.value).inc()
        return facts

    async def _close(self, session: OverdueSession) -> None:
        try:
            await self._provider.close_checkout(session.provider_session_id)
        except ProviderUnavailableError:
            return
        except ProviderRefusedError as refusal:
            log.warning("a checkout cannot be closed", session_id=session.session_id, reason=refusal.message)
        await self._sessions.session_closed(session.session_id)


async def _later(session: OverdueSession) -> None:
    """Leaves it at that: whatever failed is answered again after a while."""


def _page(facts: Sequence[Fact]) -> str:
    """Answers the provider's id of a page whose opening was never answered; empty where there is none."""
    return next((fact.provider_session_id for fact in facts if isinstance(fact, CheckoutFact)), "")


def _is_under_way(facts: Sequence[Fact]) -> bool:
    """Answers whether money came in, or may still."""
    standing = (PaymentStatus.PROCESSING, PaymentStatus.SUCCEEDED)
    return any(isinstance(fact, PaymentFact) and fact.status in standing for fact in facts)
