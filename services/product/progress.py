"""How far others have heard of the catalogue's changes: what a cache has to know besides the events themselves.

Whoever keeps answers and drops them by product_events is right only as long as every change gets there. Three things
tell: the outbox, whether a change waits in it or was refused by Kafka for good; the committed offsets of the group
that keeps the search index, since it commits what searches see; and which index is in use, because another one may
find other things. The first is asked anew each time, the others are as old as 150 ms at most where they answer at all:
many gateways ask several times a second.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.database import Database
from services.errors import UnavailableError
from services.events import REQUEST_SECONDS
from services.loops import within
from services.product.index import ALIAS, building_alias

T = TypeVar("T")

# Seconds for which what was found out is told again, and that a caller waits for it: then it counts as unknown.
KEPT_SECONDS: Final = 0.15
WAIT_SECONDS: Final = 0.2
# Seconds in which finding it out has to come to an end; the first connection takes longer than a caller waits.
ASK_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 1.0
# A row's time is that of its transaction's start. So what was committed, and is not told of, for longer than that shows
# here; the relay needs a part of this time when all goes well. Refused rows are few, but among many that wait it would
# take long to find them, and who hears of those that wait needs to hear nothing else.
_OUTBOX: Final = """
SELECT waiting.backlogged, CASE WHEN NOT waiting.backlogged THEN (
    SELECT encode(sha256(string_agg(id::text, ',' ORDER BY id)::bytea), 'hex') FROM outbox WHERE refusal IS NOT NULL
) END AS refused
FROM (
    SELECT EXISTS (
        SELECT FROM outbox WHERE refusal IS NULL AND created_at < now() - interval '200 ms'
    ) AS backlogged
) AS waiting
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """What protos/product.proto says of GetCatalogueStateResponse; `indexed` by partition."""

    backlogged: bool
    refused: str
    indexed: Mapping[int, int]
    index: str
    index_complete: bool


class Indices(Protocol):
    """The search index's administration."""

    async def indices(self) -> dict[str, set[str]]:
        """Answers every index with its aliases; raises UnavailableError."""


class Progress:
    """Answers the state of the catalogue."""

    def __init__(
        self, database: Database, indices: Indices, committed: Callable[[], Awaitable[Mapping[int, int]]]
    ) -> None:
        self._database = database
        self._indexed: _Recent[Mapping[int, int]] = _Recent(committed, unknown={})
        self._index = _Recent(lambda: _in_use(indices), unknown=("", False))

    async def state(self) -> State:
        """Answers what is known now; raises UnavailableError when the database does not answer."""
        outbox, indexed, index = await asyncio.gather(
            self._database.fetch(_OUTBOX), self._indexed.get(), self._index.get()
        )
        return State(outbox[0]["backlogged"], outbox[0]["refused"] or "", indexed, *index)

    async def close(self) -> None:
        """Gives up what is still being found out."""
        await self._indexed.close()
        await self._index.close()


class CommittedOffsets:
    """Where a consumer group goes on reading a topic, by partition; over one connection, opened when first asked.

    Raises UnavailableError when Kafka does not answer.
    """

    def __init__(self, bootstrap_servers: str, group: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group = group
        self._topic = topic
        self._admin: AIOKafkaAdminClient | None = None
        # The broker that keeps the group's offsets.
        self._coordinator: int | None = None

    async def __call__(self) -> Mapping[int, int]:
        """Answers the offset of the next event that the group handles, for partitions of which it has handled some."""
        try:
            admin = await self._started()
            if self._coordinator is None:
                self._coordinator = await admin.find_coordinator(self._group)
            found = await admin.list_consumer_group_offsets(self._group, self._coordinator)
        except (KafkaError, OSError) as error:
            await self.close()
            raise UnavailableError("Kafka does not answer now. Try again later.") from error
        except BaseException:
            await self.close()
            raise
        return {each.partition: kept.offset for each, kept in found.items() if each.topic == self._topic}

    async def close(self) -> None:
        """Closes the connection within a second."""
        admin, self._admin, self._coordinator = self._admin, None, None
        if admin is not None:
            await within(CLOSE_SECONDS, admin.close())

    async def _started(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(
                bootstrap_servers=self._bootstrap_servers, request_timeout_ms=int(REQUEST_SECONDS * 1000)
            )
            await self._admin.start()
        return self._admin


class _Recent(Generic[T]):
    """What was found out a moment ago, for all who ask; `unknown` where that fails or takes long."""

    def __init__(self, find_out: Callable[[], Awaitable[T]], *, unknown: T) -> None:
        self._find_out = find_out
        self._unknown = unknown
        self._began = float("-inf")
        self._task: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Answers within a fraction of a second; never raises."""
        if self._task is None or (self._task.done() and time.monotonic() - self._began > KEPT_SECONDS):
            self._began = time.monotonic()
            self._task = asyncio.create_task(self._ask())
        await asyncio.wait({self._task}, timeout=WAIT_SECONDS)
        return self._task.result() if self._task.done() and not self._task.cancelled() else self._unknown

    async def close(self) -> None:
        """Ends what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _ask(self) -> T:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await self._find_out()
        except (UnavailableError, TimeoutError) as error:
            log.debug("A part of the catalogue's state is not known.", error=repr(error))
        except Exception:
            log.exception("A part of the catalogue's state cannot be found out.")
        return self._unknown


async def _in_use(indices: Indices) -> tuple[str, bool]:
    """Answers the index that is in use, if any, and whether it is complete."""
    used = ((name, aliases) for name, aliases in (await indices.indices()).items() if ALIAS in aliases)
    return next(((name, building_alias(name) not in aliases) for name, aliases in used), ("", False))
