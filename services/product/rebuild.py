"""Building a search index from the record, and putting it in the place of the one in use while writes go on.

    1. note where product_events ends
    2. copy every row, in the order of ids, into a new index
    3. apply the events since 1, until few are left
    4. let the alias change from the old index to the new one
    5. note where product_events ends now, apply up to there, and declare the new index complete

A change is committed before its event is published. So a change that the copy has not seen has its event after 1, and
step 3 or 5 applies it. Changes that the indexer wrote to the old index until 4 have their events before the offsets
noted in 5; whatever comes after those reaches the new index through the alias. Deletions cannot be undone: the copy
comes wholly before the events, and each write, of rows as of removals, carries a version that a lower one does not
replace. A rebuild that dies before 5 leaves an index without its mark of completeness, and is done again.

Where no index is in use, 1, 3 and 5 are not needed: nobody can have written anywhere since the index went missing, and
the indexer waits with its events until there is one again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import structlog

from services.errors import EcommerceError
from services.events import Event
from services.product.index import ALIAS, building_alias
from services.product.indexer import Indexer, is_meaningful
from services.product.service import Product

# Rows read and written at once.
_BATCH: Final = 1_000
# Events that may be left for after the swap; catching up closer than this is a race that nobody wins.
_FEW: Final = 500
# Rounds of catching up, should writers be faster than we are: the rest is applied after the swap as well.
_ROUNDS: Final = 20

# Raises when the lock on rebuilding has been lost.
Check = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class Rows(Protocol):
    """The record, as a rebuild needs it."""

    async def after(self, product_id: str | None, take: int) -> list[Product]:
        """Answers the next products by id."""

    def reindexing(self) -> AbstractAsyncContextManager[Check]:
        """Locks out other rebuilds; raises ConflictError when there is one."""


class Indices(Protocol):
    """The index's administration."""

    async def write(self, alias: str, products: Sequence[Product], gone: Mapping[str, int]) -> None:
        """Stores products, removes what is gone."""

    async def indices(self) -> dict[str, set[str]]:
        """Answers every index with its aliases."""

    async def create(self) -> str:
        """Makes an empty index behind its building alias."""

    async def promote(self, index: str) -> None:
        """Makes the alias in use stand for this index."""

    async def finish(self, index: str) -> None:
        """Declares this index complete."""

    async def drop(self, index: str) -> None:
        """Deletes an index."""


class Tail(Protocol):
    """product_events by offset."""

    async def ends(self) -> dict[int, int]:
        """Answers where the next event of each partition will be."""

    def read(self, start: Mapping[int, int], until: Mapping[int, int]) -> AsyncIterator[list[Event]]:
        """Yields the events in between."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rebuild has done: the new index, rows copied, events applied."""

    index: str
    rows: int
    events: int


class Rebuild:
    """Builds indices; one at a time, over all processes."""

    def __init__(
        self,
        rows: Rows,
        indices: Indices,
        indexer: Indexer,
        open_tail: Callable[[], AbstractAsyncContextManager[Tail]],
    ) -> None:
        self._rows = rows
        self._indices = indices
        self._indexer = indexer
        self._open_tail = open_tail

    async def replace(self, *, keep_old: bool = False) -> Outcome:
        """Builds a new index, swaps it in and deletes every other one, unless told to keep them.

        Raises ConflictError when a rebuild is under way elsewhere, and UnavailableError when something that is needed
        does not answer; the index in use then stays in use.
        """
        async with self._rows.reindexing() as still_alone:
            return await self._replace(still_alone, keep_old=keep_old)

    async def restore(self) -> Outcome | None:
        """Builds the index where none is in use, and anew where the one in use was never completed; raises as above."""
        if await self._state() == "complete":
            return None
        async with self._rows.reindexing() as still_alone:
            state = await self._state()
            if state == "missing":
                return await self._build_missing(still_alone)
            return await self._replace(still_alone, keep_old=False) if state == "incomplete" else None

    async def _replace(self, still_alone: Check, *, keep_old: bool) -> Outcome:
        async with self._open_tail() as tail:
            start = await tail.ends()
            async with self._new_index() as index:
                rows = await self._copy(index)
                position, events = await self._catch_up(tail, start, index)
                await still_alone()
                await self._indices.promote(index)
            events += await self._apply(tail, position, await tail.ends(), ALIAS)
        await self._complete(index, keep_old=keep_old)
        return Outcome(index, rows, events)

    async def _build_missing(self, still_alone: Check) -> Outcome:
        async with self._new_index() as index:
            rows = await self._copy(index)
            await still_alone()
            await self._indices.promote(index)
        await self._complete(index, keep_old=False)
        return Outcome(index, rows, 0)

    @asynccontextmanager
    async def _new_index(self) -> AsyncIterator[str]:
        """Makes an index; whatever stops its building has it deleted, unless it got into use nevertheless."""
        index = await self._indices.create()
        try:
            yield index
        except BaseException:
            # What this cannot delete now, the next rebuild will.
            with suppress(EcommerceError):
                if ALIAS not in (await self._indices.indices()).get(index, ()):
                    await self._indices.drop(index)
            raise

    async def _copy(self, index: str) -> int:
        copied, last, full = 0, None, True
        # What is added behind the last row has its events, so there is no need to wait for a moment without any.
        while full:
            products = await self._rows.after(last, _BATCH)
            await self._indices.write(building_alias(index), products, {})
            full = len(products) == _BATCH
            copied, last = copied + len(products), products[-1].id if products else last
            log.info("Copied products into the new index.", index=index, copied=copied)
        return copied

    async def _catch_up(self, tail: Tail, start: Mapping[int, int], index: str) -> tuple[Mapping[int, int], int]:
        position, applied = start, 0
        for _ in range(_ROUNDS):
            ends = await tail.ends()
            applied += await self._apply(tail, position, ends, building_alias(index))
            left = sum(end - position.get(number, 0) for number, end in ends.items())
            position = ends
            if left <= _FEW:
                break
        return position, applied

    async def _apply(self, tail: Tail, start: Mapping[int, int], until: Mapping[int, int], alias: str) -> int:
        applied = 0
        async for batch in tail.read(start, until):
            # What tells of no product is among the dead letters, or will be.
            events = [event for event in batch if is_meaningful(event)]
            await self._indexer.apply(events, alias)
            applied += len(events)
        return applied

    async def _complete(self, index: str, *, keep_old: bool) -> None:
        await self._indices.finish(index)
        if not keep_old:
            for other in (await self._indices.indices()).keys() - {index}:
                await self._indices.drop(other)

    async def _state(self) -> Literal["missing", "incomplete", "complete"]:
        in_use = {name: aliases for name, aliases in (await self._indices.indices()).items() if ALIAS in aliases}
        if not in_use:
            return "missing"
        return "incomplete" if any(building_alias(name) in aliases for name, aliases in in_use.items()) else "complete"
