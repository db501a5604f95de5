"""Carrying out refunds that were asked for, by an administrator or by the platform itself.

The refund's own id is the idempotency key towards the provider: if the process dies between the call and the keeping
of its answer, the same call is made again and nothing is given back twice. What the provider answers is merged like
anything else that it tells. What it refuses for good is kept as failed, for a person to look at.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import structlog
from prometheus_client import Counter

from services.loops import backoff
from services.payment.domain import Fact, Outcome, RefundFact, RefundJob, RefundRequest
from services.payment.provider import ProviderRefusedError, ProviderUnavailableError
from services.payment.working import Working, each

BATCH: Final = 8
# Seconds before a refund is tried again: no person waits for it, and providers limit the rate of calls.
FIRST_BACKOFF: Final = 1.0
LONGEST_BACKOFF: Final = 300.0

carried_out_refunds = Counter("payment_refunds_total", "Refunds that a provider was asked for.", ["reason", "outcome"])
_AUTOMATIC: Final = ("duplicate", "order_cancelled", "amount_mismatch")

log = structlog.get_logger(__name__)


class Refunds(Protocol):
    """The refunds that wait."""

    async def claim_refunds(self, limit: int) -> list[RefundJob]:
        """Answers at most `limit` refunds that the provider is to be asked for, leased."""

    async def record_facts(self, facts: Sequence[Fact]) -> Outcome:
        """Merges what the provider answered."""

    async def refund_refused(self, refund_id: str, reason: str) -> None:
        """Keeps that the provider will not do it."""

    async def release_refund(self, refund_id: str, seconds: float) -> None:
        """Gives a refund back, to be claimed again after so long."""


class Refunding(Protocol):
    """The provider, as far as refunds go."""

    async def refund(self, request: RefundRequest) -> RefundFact:
        """Gives money back, once for each id."""


class RefundLoop(Working):
    """Asks the provider for the refunds that wait."""

    def __init__(self, refunds: Refunds, provider: Refunding) -> None:
        super().__init__()
        self._refunds = refunds
        self._provider = provider

    async def run_once(self) -> int:
        """Asks for some; answers how many."""
        claimed = await self._refunds.claim_refunds(BATCH)
        await each(claimed, self._carry_out, self._again)
        return len(claimed)

    async def _carry_out(self, job: RefundJob) -> None:
        request = job.request
        reason = request.reason if request.reason in _AUTOMATIC else "requested"
        try:
            fact = await self._provider.refund(request)
        except ProviderRefusedError as refusal:
            log.warning("the provider refuses a refund", refund_id=request.refund_id, reason=refusal.message)
            carried_out_refunds.labels(reason, "refused").inc()
            await self._refunds.refund_refused(request.refund_id, refusal.message)
        except ProviderUnavailableError as error:
            log.warning("a refund waits", refund_id=request.refund_id, reason=error.message)
            carried_out_refunds.labels(reason, "waits").inc()
            await self._again(job)
        else:
            carried_out_refunds.labels(reason, fact.status.value).inc()
            await self._refunds.record_facts([fact])

    async def _again(self, job: RefundJob) -> None:
        pause = backoff(job.attempts + 1, FIRST_BACKOFF, LONGEST_BACKOFF)
        await self._refunds.release_refund(job.request.refund_id, pause)
