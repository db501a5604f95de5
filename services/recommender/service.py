"""What anyone can ask of the recommender.

Answers are ranked in memory. A ranked list is kept for a few seconds, so that the next page is cut from the same list
as the one before: it costs nothing, and no product is on both because something changed in between. What was deleted
since is left out all the same.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.errors import InvalidError
from services.recommender import measures, tastes
from services.recommender.domain import Reason, Recommended
from services.recommender.histories import Histories
from services.recommender.ranking import Ranked, rank
from services.recommender.shelf import Shelf, Stock
from services.recommender.tastes import Taste
from services.recommender.workers import Workers
from services.tokens import Identity, require_self_or_administrator

MOST_TAKEN: Final = 100
MOST_VIEWED: Final = 100
# Characters of a product id.
LONGEST_ID: Final = 64
# Seconds that a ranked list is paged through: new products and what is popular wait no longer than that.
KEPT_SECONDS: Final = 10.0
# Ranked lists; of 1,000 entries at most, so about 64 MB when every one of them is paged to its end.
MOST_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of an answer is wanted."""

    skip: int
    take: int

    def check(self) -> None:
        """Raises InvalidError for one that cannot be."""
        if self.skip < 0:
            raise InvalidError("skip must be 0 or more.")
        if not 1 <= self.take <= MOST_TAKEN:
            raise InvalidError(f"take must be between 1 and {MOST_TAKEN}.")


class RecommenderService:
    """Recommends products; `clock` answers the time in UTC, `ticks` seconds that only grow."""

    def __init__(
        self,
        stock: Stock,
        histories: Histories,
        workers: Workers,
        clock: Callable[[], datetime],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stock = stock
        self._histories = histories
        self._workers = workers
        self._clock = clock
        self._kept = _Kept(ticks)

    async def for_account(self, caller: Identity | None, account_id: int, page: Page) -> Recommended:
        """Answers what fits an account: the caller's own, or any for an administrator.

        Raises UnauthenticatedError, ForbiddenError, InvalidError, RateLimitedError.
        """
        require_self_or_administrator(caller, account_id)
        page.check()
        with measures.ranking_seconds.time():
            shelf = self._stock.shelf
            deeds = await self._histories.of(account_id)

            def taste() -> Taste:
                if deeds is not None:
                    return tastes.of_deeds(deeds, shelf.model)
                return tastes.of_model(shelf.model, account_id) if shelf.model else Taste()

            # A hash stands for the deeds, in whatever order they were read: any new one makes another list.
            asked = (account_id, hash(deeds and frozenset(deeds)))
            return await self._answer(shelf, asked, taste, Reason.TASTE, page)

    async def for_viewed(self, product_ids: Sequence[str], page: Page) -> Recommended:
        """Answers what fits products viewed in a session, in any order; unknown ones are ignored.

        Raises InvalidError, RateLimitedError.
        """
        page.check()
        viewed = tuple(sorted(set(product_ids)))
        if len(viewed) > MOST_VIEWED:
            raise InvalidError(f"At most {MOST_VIEWED} products can be named.")
        if any(len(product_id) > LONGEST_ID for product_id in viewed):
            raise InvalidError(f"A product's id has at most {LONGEST_ID} characters.")
        with measures.ranking_seconds.time():
            shelf = self._stock.shelf

            def taste() -> Taste:
                return tastes.of_session(viewed, self._clock(), shelf.model)

            return await self._answer(shelf, viewed, taste, Reason.VIEWED, page)

    async def _answer(
        self, shelf: Shelf, asked: Hashable, taste: Callable[[], Taste], because: Reason, page: Page
    ) -> Recommended:
        ranked = self._kept.get((shelf.version, asked))
        if ranked is None:
            ranked = await self._workers.do(lambda: rank(shelf, taste(), because))
            self._kept.put((shelf.version, asked), ranked)
        items = ranked.page(self._stock.shelf, page.skip, page.take)
        if not ranked.version:
            measures.fallbacks.labels("no_model").inc()
        for reason, count in Counter(item.reason for item in items).items():
            measures.recommended.labels(reason.value).inc(count)
        return Recommended(items, ranked.version)


class _Kept:
    """Ranked lists by what was asked, the least recently made forgotten first."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._lists: OrderedDict[Hashable, tuple[float, Ranked]] = OrderedDict()

    def get(self, asked: Hashable) -> Ranked | None:
        """Answers the list, as long as it is young enough."""
        made, ranked = self._lists.get(asked, (0.0, None))
        return ranked if self._ticks() - made < KEPT_SECONDS else None

    def put(self, asked: Hashable, ranked: Ranked) -> None:
        """Keeps it, and drops what is too old: a list holds on to the model that it was made with."""
        now = self._ticks()
        self._lists.pop(asked, None)
        self._lists[asked] = (now, ranked)
        while self._is_over(now):
            self._lists.popitem(last=False)

    def _is_over(self, now: float) -> bool:
        made, _ = next(iter(self._lists.values()))
        return len(self._lists) > MOST_KEPT or now - made >= KEPT_SECONDS
