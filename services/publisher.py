"""Sending records to Kafka in order, each acknowledged by every in-sync replica.

The producer is idempotent: what it sends again after a lost answer is stored once, and a partition takes its batches
only in the order in which they were sent. It repeats on its own while Kafka is away, for as long as `patience`. After
any failure it is thrown away and the next call starts a new one, since the sequence of a failed batch is missing and
nothing after it would be taken. A batch that Kafka refuses for good is sent again record by record, so that only the
one at fault is refused. Topics that do not exist are created.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)

from services.errors import UnavailableError
from services.events import REQUEST_SECONDS, TOPICS, Header, ensure_topics
from services.loops import within

# Seconds in which a producer that is given up may finish what is on its way.
CLOSE_SECONDS: Final = 1.5
# Bytes of a batch for one partition. The default of 16 KiB makes a long queue go out in many small requests.
BATCH_BYTES: Final = 256 * 1024
# Between the client's own attempts while Kafka is away. Its default of 100 makes it log a hundred lines a second.
RETRY_MS: Final = 250
_INVALID_RECORD: Final = 87
# What no repetition will change.
_FOR_GOOD: Final = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)

log = structlog.get_logger(__name__)


class RefusedError(Exception):
    """Kafka will never take this record; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send; records of one key stay in order."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


# None: acknowledged. RefusedError: never. UnavailableError: not known to be stored, publish it again.
Outcome = RefusedError | UnavailableError | None


class Publisher:
    """Publishes to the cluster at `bootstrap_servers`; connects when first used. One call at a time.

    `patience` is how many seconds a call waits for Kafka before it answers that it does not know. Records larger than
    `max_record_bytes`, about, are refused without asking; the default is that of brokers.
    """

    def __init__(
        self, bootstrap_servers: str, *, client_id: str, patience: float = 30.0, max_record_bytes: int = 1024 * 1024
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._client_id = client_id
        self._patience = patience
        self._max_record_bytes = max_record_bytes
        self._producer: AIOKafkaProducer | None = None
        self._known_topics: set[str] = set()

    async def publish(self, records: Sequence[Outgoing]) -> list[Outcome]:
        """Sends the records in order and answers what became of each. Raises nothing but being cancelled."""
        outcomes = await self._attempt(records)
        if not any(isinstance(outcome, _FOR_GOOD) for outcome in outcomes):
            return [_judged(outcome) for outcome in outcomes]
        return [
            None if outcome is None else _judged((await self._attempt([record]))[0])
            for record, outcome in zip(records, outcomes, strict=True)
        ]

    async def close(self) -> None:
        """Closes the connections within a few seconds; what is not acknowledged by then may or may not be stored."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _give_up(producer)

    async def _attempt(self, records: Sequence[Outgoing]) -> list[Exception | None]:
        """Answers the failure of each record. Whatever fails takes the producer with it."""
        if not records:
            return []
        sent: list[asyncio.Future[Any]] = []
        failure: Exception = UnavailableError("Kafka does not answer now.")
        try:
            async with asyncio.timeout(self._patience):
                producer = await self._ready({record.topic for record in records})
                for record in records:
                    sent.append(await self._send(producer, record))  # noqa: PERF401 what was sent is known if it raises
                await asyncio.wait(sent)
        except Exception as error:  # noqa: BLE001 the client raises more than it says; nothing was acknowledged either way
            failure = error
        except BaseException:
            await self.close()
            raise
        outcomes: list[Exception | None] = [_failure(future, failure) for future in sent]
        outcomes += [failure] * (len(records) - len(sent))
        if any(isinstance(outcome, Exception) for outcome in outcomes):
            log.warning("Kafka did not take everything.", error=repr(failure), failed=sum(map(bool, outcomes)))
            await self.close()
        return outcomes

    async def _ready(self, topics: set[str]) -> AIOKafkaProducer:
        missing = (topics - self._known_topics) & TOPICS.keys()
        if missing:
            await ensure_topics(self._bootstrap_servers, missing, wait=0)
            self._known_topics |= missing
        if self._producer is None:
            milliseconds = int(REQUEST_SECONDS * 1000)
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap_servers,
                client_id=self._client_id,
                enable_idempotence=True,
                acks="all",
                max_batch_size=BATCH_BYTES,
                max_request_size=self._max_record_bytes,
                request_timeout_ms=milliseconds,
                retry_backoff_ms=RETRY_MS,
            )
            await self._producer.start()
        return self._producer

    @staticmethod
    async def _send(producer: AIOKafkaProducer, record: Outgoing) -> asyncio.Future[Any]:
        """Answers the acknowledgement to come, or one that has failed where the client itself refuses the record."""
        try:
            future: asyncio.Future[Any] = await producer.send(
                record.topic, value=record.value, key=record.key, headers=list(record.headers)
            )
        except MessageSizeTooLargeError as error:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
        # A failure that nobody asks about any more, because the call was cancelled, is nothing to log.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future


def _failure(future: asyncio.Future[Any], failure: Exception) -> Exception | None:
    if not future.done():
        return failure
    error = failure if future.cancelled() else future.exception()
    return error if isinstance(error, Exception) else None


def _judged(failure: Exception | None) -> Outcome:
    if failure is None:
        return None
    if isinstance(failure, _FOR_GOOD) or getattr(failure, "errno", None) == _INVALID_RECORD:
        return RefusedError(f"{type(failure).__name__}: {failure}")
    if isinstance(failure, UnavailableError):
        return failure
    return UnavailableError(f"Kafka did not acknowledge: {failure!r}")


async def _give_up(producer: AIOKafkaProducer) -> None:
    """Ends a producer in bounded time.

    Its own `stop` waits until all is delivered, however long Kafka is away. So its sender is ended first, then what is
    still waiting is forgotten, and then there is nothing left for `stop` to wait for.
    """
    sender, waiting = producer._sender, producer._message_accumulator  # noqa: SLF001 see above
    await within(CLOSE_SECONDS, sender.close())
    waiting._batches.clear()  # noqa: SLF001
    waiting._pending_batches.clear()  # noqa: SLF001
    if not await within(CLOSE_SECONDS, producer.stop()):
        await within(CLOSE_SECONDS, producer.client.close())
