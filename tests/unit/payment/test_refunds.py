"""Carrying out refunds: what each answer of the provider comes to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.payment.domain import Fact, Outcome, RefundFact, RefundJob, RefundRequest, RefundStatus
from services.payment.provider import ProviderRefusedError, ProviderUnavailableError
from services.payment.refunds import LONGEST_BACKOFF, RefundLoop

JOB = RefundJob(RefundRequest("r1", "pay_1", 500, "USD", "duplicate"), "p1", attempts=0)
FACT = RefundFact("ref_1", "pay_1", RefundStatus.SUCCEEDED, 500, "USD", datetime(2026, 1, 2, tzinfo=UTC), "r1")


class Refunds:
    """One refund that waits; notes what became of it."""

    def __init__(self, *jobs: RefundJob) -> None:
        self.waiting = list(jobs)
        self.ended: list[tuple[object, ...]] = []

    async def claim_refunds(self, limit: int) -> list[RefundJob]:
        claimed, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return claimed

    async def record_facts(self, facts: Sequence[Fact]) -> Outcome:
        self.ended.append(("recorded", *facts))
        return Outcome.APPLIED

    async def refund_refused(self, refund_id: str, reason: str) -> None:
        self.ended.append(("refused", refund_id, reason))

    async def release_refund(self, refund_id: str, seconds: float) -> None:
        self.ended.append(("released", refund_id, seconds))


class Provider:
    """Answers one thing, or raises it."""

    def __init__(self, answer: RefundFact | Exception) -> None:
        self._answer = answer
        self.asked: list[RefundRequest] = []

    async def refund(self, request: RefundRequest) -> RefundFact:
        self.asked.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize("status", [RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.FAILED])
async def test_what_the_provider_answers_is_merged(status: RefundStatus) -> None:
    """As if a webhook had told it."""
    refunds, provider = Refunds(JOB), Provider(replace(FACT, status=status))
    assert await RefundLoop(refunds, provider).run_once() == 1
    assert provider.asked == [JOB.request]
    assert refunds.ended == [("recorded", replace(FACT, status=status))]


async def test_a_refusal_is_kept_with_its_reason() -> None:
    """It is not tried again."""
    refunds = Refunds(JOB)
    await RefundLoop(refunds, Provider(ProviderRefusedError("Too late."))).run_once()
    assert refunds.ended == [("refused", "r1", "Too late.")]


@pytest.mark.parametrize("error", [ProviderUnavailableError("Away."), ValueError("A fault of the adapter.")])
async def test_whatever_may_pass_later_is_tried_again(error: Exception) -> None:
    """Later each time, up to a bound."""
    pauses = []
    for attempts in (0, 1, 100):
        refunds = Refunds(replace(JOB, attempts=attempts))
        await RefundLoop(refunds, Provider(error)).run_once()
        ((what, _, seconds),) = refunds.ended
        assert what == "released"
        pauses.append(seconds)
    assert pauses == [1.0, 2.0, LONGEST_BACKOFF]
