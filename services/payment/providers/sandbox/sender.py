"""Sending the built-in provider's webhooks: real ones, signed, over HTTP, until each was taken.

A delivery is claimed by moving its due time past the end of this try, so a sender that dies leaves it to be claimed
again. It keeps its id in every try, and gets a fresh timestamp and signature. One that was not taken for three days is
given up: the shop's reconciliation has asked long before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
import structlog
from sqlalchemy import Table, delete, select, update

from services.database import Database
from services.loops import backoff
from services.payment import standard_webhooks
from services.payment.providers.sandbox.models import SandboxDelivery
from services.payment.working import Working, each

BATCH: Final = 16
# Seconds for one try.
TIMEOUT: Final = 10.0
LEASE: Final = timedelta(seconds=30)
FIRST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 300.0
GIVE_UP: Final = timedelta(days=3)
# Seconds until the second copy of one that is sent twice.
COPY_SECONDS: Final = 0.5

_deliveries: Final[Table] = SandboxDelivery.__table__  # type: ignore[attr-defined] # SQLModel adds it to every table class

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    id: str
    body: str
    attempts: int


class Sender(Working):
    """Posts what is due to `url`, signed with each of `secrets`."""

    def __init__(
        self, database: Database, url: str, secrets: Sequence[str], clock: Callable[[], datetime], poll: float = 0.5
    ) -> None:
        super().__init__(poll)
        self._database = database
        self._url = url
        self._secrets = secrets
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=TIMEOUT, limits=httpx.Limits(max_connections=BATCH), trust_env=False)

    async def run_once(self) -> int:
        """Sends what is due, a batch at most; answers how many were tried."""
        jobs = await self._claim()
        await each(jobs, self._send, self._again)
        return len(jobs)

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    async def _claim(self) -> list[_Job]:
        now = self._clock()
        due = (
            select(_deliveries.c.id)
            .where(_deliveries.c.due_at <= now)
            .order_by(_deliveries.c.due_at, _deliveries.c.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
        claimed = (
            update(_deliveries)
            .where(_deliveries.c.id.in_(due))
            .values(due_at=now + LEASE, attempts=_deliveries.c.attempts + 1)
            .returning(_deliveries.c.id, _deliveries.c.body, _deliveries.c.attempts)
        )
        async with self._database.transaction() as session:
            rows = await (await session.connection()).execute(claimed)
            return sorted((_Job(*row) for row in rows), key=lambda job: job.id)

    async def _send(self, job: _Job) -> None:
        body = job.body.encode()
        headers = standard_webhooks.sign(self._secrets, job.id, self._clock(), body)
        headers["content-type"] = "application/json"
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            log.warning("a webhook was not delivered", delivery_id=job.id, error=type(error).__name__)
            await self._again(job)
            return
        if answer.is_success:
            await self._taken(job)
        else:
            log.warning("a webhook was not taken", delivery_id=job.id, status=answer.status_code)
            await self._again(job)

    async def _taken(self, job: _Job) -> None:
        mine = _deliveries.c.id == job.id
        async with self._database.transaction() as session:
            connection = await session.connection()
            await connection.execute(delete(_deliveries).where(mine, _deliveries.c.copies_left <= 1))
            again = self._clock() + timedelta(seconds=COPY_SECONDS)
            await connection.execute(
                update(_deliveries).where(mine).values(copies_left=_deliveries.c.copies_left - 1, due_at=again)
            )

    async def _again(self, job: _Job) -> None:
        pause = timedelta(seconds=backoff(job.attempts, FIRST_BACKOFF, LONGEST_BACKOFF))
        now = self._clock()
        async with self._database.transaction() as session:
            connection = await session.connection()
            given_up = delete(_deliveries).where(_deliveries.c.id == job.id, _deliveries.c.created_at < now - GIVE_UP)
            if (await connection.execute(given_up)).rowcount:
                log.error("a webhook is given up", delivery_id=job.id)
            await connection.execute(update(_deliveries).where(_deliveries.c.id == job.id).values(due_at=now + pause))
