"""Answers to anonymous reads of the catalogue, kept until what they show changes.

Three things keep it right. Every answer is stored with what it was made from, and goes as soon as an event tells of a
change to that. Nothing is stored or answered from here while nobody vouches for the events (`Freshness`): a process
that hears nothing knows nothing. And only requests without a token come here, so that whoever writes, and is signed in
for it, always reads the own write.

Many that ask for the same at once share one computation, which runs in a task of its own: a caller who goes away
leaves the others theirs. A change that arrives meanwhile is noted with every computation under way. Those who waited
already get the answer that they would have got without a cache; it is not stored if the change concerns it, and who
asks from then on starts another.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from prometheus_client import Counter, Gauge

from services.errors import RateLimitedError
from services.gateway.answers import Answer
from services.gateway.catalogue_keys import Recalled
from services.gateway.reads import Changes, Reads
from services.gateway.stored_answers import StoredAnswer, StoredAnswers

# A larger answer would push out many that are asked for more often.
MAX_ANSWER: Final = 1024 * 1024
# Seconds for which a computation is joined. It reads at some moment after its start, and what is answered a second
# after a change has to show it, however slow the services are.
JOINED_SECONDS: Final = 0.5
# The part of the memory that goes to remembering requests by their bytes: an eighth.
RECALLED_PART: Final = 8

_outcomes = Counter("gateway_catalogue_cache", "Reads of the catalogue by what the cache did for them.", ("outcome",))
_hits, _joined = _outcomes.labels("hit"), _outcomes.labels("joined")
_misses, _bypasses = _outcomes.labels("miss"), _outcomes.labels("bypass")
_invalidated = Counter("gateway_catalogue_cache_invalidated", "Stored answers dropped because of a change.")
_bytes = Gauge("gateway_catalogue_cache_bytes", "What stored answers take.", multiprocess_mode="livesum")


class Freshness(Protocol):
    """Who vouches that changes are heard of."""

    def serving(self) -> bool:
        """Answers whether the event stream is live: answers may be stored and served."""

    def index_is_current(self) -> bool:
        """Answers whether the search index holds every event that this process was told of.

        It is asked when a computation starts; if not, an answer that searched is not stored.
        """


@dataclass(frozen=True, slots=True)
class Computed:
    """An answer that was made, and what it was made from."""

    answer: Answer
    reads: Reads


@dataclass(eq=False, slots=True)
class _Computation:
    """One under way, and what changed since its start."""

    began: float
    index_was_current: bool
    changes: Changes = field(default_factory=Changes)
    task: "asyncio.Task[StoredAnswer | Computed] | None" = None


class CatalogueCache:
    """At most `max_bytes` of answers and requests in memory, and `max_computations` under way."""

    def __init__(
        self,
        freshness: Freshness,
        max_bytes: int,
        *,
        max_computations: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._freshness = freshness
        self._recalled = Recalled(max_bytes // RECALLED_PART)
        self._answers = StoredAnswers(max_bytes - max_bytes // RECALLED_PART)
        self._max_computations = max_computations
        self._clock = clock
        self._running: set[_Computation] = set()
        self._joinable: dict[bytes, _Computation] = {}

    def recall(self, request: bytes) -> tuple[bytes, StoredAnswer] | None:
        """Answers the key and the answer of a request that came in the very same bytes before, if they are here."""
        key = self._recalled.get(request)
        if key is None or not self._freshness.serving():
            return None
        answer = self._answers.get(key)
        if answer is None:
            return None
        _hits.inc()
        return key, answer

    def remember(self, request: bytes, key: bytes) -> None:
        """Has `recall` know the request, which may be answered from here, by its bytes."""
        self._recalled.put(request, key)

    def serving(self) -> bool:
        """Answers whether answers come from here now."""
        return self._freshness.serving()

    @staticmethod
    def passed_by() -> None:
        """Counts a read of the catalogue that has nothing to do with the cache."""
        _bypasses.inc()

    async def answer(self, key: bytes, compute: Callable[[], Coroutine[Any, Any, Computed]]) -> StoredAnswer | Computed:
        """Answers what is stored, or what `compute` makes for everybody who waits; asked while `serving` only.

        `compute` has a deadline of its own and does not raise. Raises RateLimitedError when too many are under way.
        """
        stored = self._answers.get(key)
        if stored is not None:
            _hits.inc()
            return stored
        task = self._joined(key) or self._start(key, compute)
        return await asyncio.shield(task)

    def measure(self, key: bytes) -> None:
        """Counts an answer again that was compressed."""
        self._answers.measure(key)
        _bytes.set(self._answers.size)

    def product_changed(self, product_id: str) -> None:
        """Drops what shows the product, and every search."""
        self._changed(lambda changes: changes.updated(product_id))
        self._dropped(self._answers.drop_product(product_id) + self._answers.drop_searches())

    def membership_changed(self, product_id: str) -> None:
        """Drops what shows the product, which was created or deleted, and every page and search."""
        self._changed(lambda changes: changes.came_or_went(product_id))
        dropped = self._answers.drop_product(product_id)
        self._dropped(dropped + self._answers.drop_pages() + self._answers.drop_searches())

    def everything_changed(self) -> None:
        """Drops all answers: nobody knows what changed."""

        def note(changes: Changes) -> None:
            changes.everything = True

        self._changed(note)
        self._dropped(self._answers.clear())

    def _changed(self, note: Callable[[Changes], None]) -> None:
        """Tells the computations under way; what they read is known at their end only, so nobody joins them now."""
        for computation in self._running:
            note(computation.changes)
        self._joinable.clear()

    def _dropped(self, answers: int) -> None:
        if answers:
            _invalidated.inc(answers)
            _bytes.set(self._answers.size)

    def _joined(self, key: bytes) -> "asyncio.Task[StoredAnswer | Computed] | None":
        computation = self._joinable.get(key)
        if computation is None or self._clock() - computation.began > JOINED_SECONDS:
            return None
        _joined.inc()
        return computation.task

    def _start(
        self, key: bytes, compute: Callable[[], Coroutine[Any, Any, Computed]]
    ) -> "asyncio.Task[StoredAnswer | Computed]":
        if len(self._running) >= self._max_computations:
            raise RateLimitedError("Too many requests at once: try again in a moment.")
        _misses.inc()
        computation = _Computation(self._clock(), self._freshness.index_is_current())
        self._running.add(computation)
        self._joinable[key] = computation
        computation.task = asyncio.create_task(self._run(key, computation, compute))
        return computation.task

    async def _run(
        self, key: bytes, computation: _Computation, compute: Callable[[], Coroutine[Any, Any, Computed]]
    ) -> StoredAnswer | Computed:
        try:
            computed = await compute()
        finally:
            self._running.discard(computation)
            if self._joinable.get(key) is computation:
                del self._joinable[key]
        if not self._may_store(computed, computation):
            return computed
        answer = StoredAnswer(computed.answer.body, computed.reads)
        self._answers.put(key, answer)
        _bytes.set(self._answers.size)
        return answer

    def _may_store(self, computed: Computed, computation: _Computation) -> bool:
        reads = computed.reads
        return (
            computed.answer.code == "OK"
            and not reads.personal
            and (computation.index_was_current or not reads.searches)
            and len(computed.answer.body) <= MAX_ANSWER
            and not computation.changes.concern(reads)
            and self._freshness.serving()
        )
