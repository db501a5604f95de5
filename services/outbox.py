"""The outbox: an event is written in the transaction of the change it tells of, and published afterwards.

`stage` adds events to the table `outbox` inside the caller's transaction, so that either both are there or neither. A
`Relay` publishes the rows in the order of their ids and deletes those that Kafka has acknowledged. If the process dies
in between, they are published again: at least once, never not at all.

One relay of a service is at work at a time. It holds a session-level advisory lock on a connection of its own, and
reads and deletes through that same connection, so losing the lock and losing the ability to go on are one event; the
relay of another replica takes over within a second. A commit wakes the relay of its own process (`wake`), which, when
it is not the one at work, passes that on through NOTIFY; a poll finds what nobody announced.

An event that Kafka refuses for good stays in the table with the reason in `refusal`, and the rest goes on.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from services import events
from services.database import Database
from services.errors import UnavailableError
from services.events import Event
from services.loops import backoff, first_of, work_until
from services.publisher import Outcome, Outgoing, Publisher, RefusedError

BATCH: Final = 500
# Seconds between two looks into the table when nobody wakes the relay, and between two tries to become the one at work.
POLL_SECONDS: Final = 0.25
STANDBY_SECONDS: Final = 1.0
# Seconds before the database is tried again, and Kafka after its first failure and after many: short enough to notice
# soon that it is back.
DATABASE_PAUSE: Final = 0.5
FIRST_BACKOFF: Final = 0.1
LONGEST_BACKOFF: Final = 2.0
# Seconds that a stop waits for the events of the last commits to be acknowledged.
STOP_SECONDS: Final = 5.0
# Seconds between two counts of a queue that is longer than a batch.
COUNT_SECONDS: Final = 5.0
# Any fixed number will do, as long as nothing else in the database locks it.
RELAY_LOCK: Final = 0x6F75_7462_6F78_0001
CHANNEL: Final = "outbox"

waiting_events = Gauge("outbox_waiting_events", "Events in the outbox that Kafka has not acknowledged yet.")
oldest_event_seconds = Gauge("outbox_oldest_event_seconds", "Age of the oldest of them.")
published_events = Counter("outbox_published_events_total", "Events that Kafka has acknowledged.")
refused_events = Counter("outbox_refused_events_total", "Events that Kafka refuses for good; see column refusal.")

log = structlog.get_logger(__name__)


class OutboxRecord(SQLModel, table=True):
    """A record for Kafka that waits; `refusal` says why Kafka will never take it, for the few of that kind."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger, sa.Identity(always=True), primary_key=True))
    topic: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    key: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    headers: dict[str, str] = Field(sa_column=sa.Column(postgresql.JSONB, nullable=False))
    value: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
    created_at: datetime | None = Field(
        default=None,
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    refusal: str | None = Field(default=None, sa_column=sa.Column(sa.Text, nullable=True))


_table: Final[sa.Table] = OutboxRecord.__table__  # type: ignore[attr-defined] # SQLModel adds it to every table class
_waiting: Final = (
    sa.select(_table.c.id, _table.c.topic, _table.c.key, _table.c.headers, _table.c.value, _table.c.created_at)
    .where(_table.c.refusal.is_(None))
    .order_by(_table.c.id)
    .limit(BATCH)
)
_count: Final = sa.select(sa.func.count()).select_from(_table).where(_table.c.refusal.is_(None))
_deletion: Final = sa.delete(_table).where(
    _table.c.id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(sa.BigInteger)))
)


def create_table(op: Any) -> None:
    """Creates the outbox with `op`, Alembic's operations; called by the revision of a service that wants one.

    It is history, like the revision itself: a later change of the table is another function.
    """
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("headers", postgresql.JSONB, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("refusal", sa.Text, nullable=True),
    )
    # Every row is deleted soon after it came. Vacuumed by count and not by share, the table stays small and its
    # beginning free of dead rows, which the relay would have to step over.
    op.execute(
        "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,"
        " autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000)"
    )


async def stage(session: AsyncSession, *staged: Event) -> None:
    """Adds the events to the caller's transaction, after writing what the session has pending.

    Call it after the row that the events tell of was written or locked: the row's lock then makes the order of the
    outbox's ids the order of the commits, and the events of one key are published in that order.
    """
    if not staged:
        return
    await session.flush()
    # Many rows as parameters of one prepared statement: written into the statement, they would be compiled each time.
    await session.exec(sa.insert(_table), params=[_row(event) for event in staged])


def _row(event: Event) -> dict[str, Any]:
    headers, value = events.to_record(event)
    texts = {name: text.decode() for name, text in headers}
    return {"topic": event.topic, "key": event.key, "headers": texts, "value": value}


class Relay:
    """Publishes what is staged in `database`, in order by key."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._woken = asyncio.Event()
        # Acknowledged, but perhaps not deleted: the database went away in between.
        self._acknowledged: list[int] = []
        self._counted_at = float("-inf")

    def wake(self) -> None:
        """Says that something was committed; called after the commit, from the same event loop."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publishes until `stop` is set, then what was committed before; survives the loss of database and Kafka."""
        try:
            await work_until(stop, self._work(stop), STOP_SECONDS)
        finally:
            await self._publisher.close()

    async def run_once(self) -> int:
        """Publishes one batch and answers how many events Kafka took; 0 also when another relay is at work.

        Raises UnavailableError when the database or Kafka does not answer.
        """
        async with self._database.dedicated() as connection:
            return await self._publish(connection) if await _lock(connection) else 0

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with self._database.dedicated() as connection:
                    await self._lead(connection, stop)
            except UnavailableError:
                await first_of(DATABASE_PAUSE, stop)

    async def _lead(self, connection: AsyncConnection, stop: asyncio.Event) -> None:
        """Works through this connection until it is lost or the stop comes; waits as long as another has the lock."""
        if not await self._become_leader(connection, stop):
            return
        await self._listen(connection)
        failures, last = 0, False
        while not last:
            last = stop.is_set()
            self._woken.clear()
            try:
                full = await self._publish(connection) == BATCH
            except UnavailableError:
                # Kafka's: what the database raises here has not been translated yet.
                failures += 1
                await first_of(backoff(failures, FIRST_BACKOFF, LONGEST_BACKOFF), stop)
                continue
            failures = 0
            if full:
                last = False
            elif not last:
                await first_of(POLL_SECONDS, self._woken, stop)

    async def _become_leader(self, connection: AsyncConnection, stop: asyncio.Event) -> bool:
        while not await _lock(connection):
            if stop.is_set():
                return False
            waiting_events.set(0)
            oldest_event_seconds.set(0)
            if self._woken.is_set():
                self._woken.clear()
                await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))
            await first_of(STANDBY_SECONDS, self._woken, stop)
        return True

    async def _listen(self, connection: AsyncConnection) -> None:
        """Lets the relays of other replicas wake this one."""
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.add_listener(CHANNEL, lambda *_: self.wake())

    async def _publish(self, connection: AsyncConnection) -> int:
        """Publishes one batch; raises UnavailableError when Kafka did not take all that it might take later."""
        await self._delete(connection)
        rows = (await connection.execute(_waiting)).all()
        await self._measure(connection, rows)
        outcomes = await self._publisher.publish([_outgoing(row) for row in rows])
        acknowledged, refused = _settled(rows, outcomes)
        self._acknowledged += acknowledged
        published_events.inc(len(acknowledged))
        await self._delete(connection)
        for id_, reason in refused.items():
            log.error("Kafka refuses an event for good.", outbox_id=id_, reason=reason)
            refused_events.inc()
            await connection.execute(sa.update(_table).where(_table.c.id == id_).values(refusal=reason))
        if len(acknowledged) + len(refused) < len(rows):
            raise UnavailableError("Kafka does not answer now.")
        return len(acknowledged)

    async def _delete(self, connection: AsyncConnection) -> None:
        if self._acknowledged:
            await connection.execute(_deletion, {"ids": self._acknowledged})
            self._acknowledged = []

    async def _measure(self, connection: AsyncConnection, rows: Sequence[Any]) -> None:
        age = (datetime.now(UTC) - rows[0].created_at).total_seconds() if rows else 0
        oldest_event_seconds.set(max(age, 0))
        if len(rows) < BATCH:
            waiting_events.set(len(rows))
        elif time.monotonic() - self._counted_at > COUNT_SECONDS:
            self._counted_at = time.monotonic()
            waiting_events.set((await connection.execute(_count)).scalar_one())


async def _lock(connection: AsyncConnection) -> bool:
    return bool((await connection.execute(sa.select(sa.func.pg_try_advisory_lock(RELAY_LOCK)))).scalar_one())


def _outgoing(row: Any) -> Outgoing:
    headers = [(name, text.encode()) for name, text in row.headers.items()]
    return Outgoing(row.topic, row.key.encode(), row.value, headers)


def _settled(rows: Sequence[Any], outcomes: Sequence[Outcome]) -> tuple[list[int], dict[int, str]]:
    """Answers which rows are done with, and which are refused with the reason.

    What came after a row that must be sent again is sent again too if it has the same key, so that the last one to
    arrive is the last one staged.
    """
    acknowledged: list[int] = []
    refused: dict[int, str] = {}
    again: set[tuple[str, str]] = set()
    for row, outcome in zip(rows, outcomes, strict=True):
        key = (row.topic, row.key)
        if isinstance(outcome, UnavailableError) or key in again:
            again.add(key)
        elif isinstance(outcome, RefusedError):
            refused[row.id] = outcome.reason
        else:
            acknowledged.append(row.id)
    return acknowledged, refused
