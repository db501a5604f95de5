"""What an account did, read when it asks, so that an answer follows the latest deed within seconds.

The database is given half a second. When it does not answer, it is left alone for a while, then tried by one question,
and answers are made from what was read of the account before; of an account that is not remembered, the model still
knows what it was trained with (see tastes.py). What is remembered is bounded by its deeds, not by its accounts: one
account has up to 2,500 of them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from services.errors import UnavailableError
from services.recommender import measures
from services.recommender.domain import Deed

# Seconds for one history. It takes 2 ms; so long is for hosts at their limits, as what comes from memory may be old.
DEADLINE: Final = 0.5
# Seconds after a failure in which the database is not asked.
PAUSE: Final = 1.0
# About 50 MB.
MOST_DEEDS: Final = 200_000

log = structlog.get_logger(__name__)


class Store(Protocol):
    """Where histories are kept."""

    async def history(self, account_id: int) -> Sequence[Deed]:
        """Answers the newest deeds of an account; raises UnavailableError."""


class Histories:
    """Answers histories; `clock` is a monotonic one, in seconds."""

    def __init__(self, store: Store, clock: Callable[[], float], *, most_deeds: int = MOST_DEEDS) -> None:
        self._store = store
        self._clock = clock
        self._most_deeds = most_deeds
        self._known: OrderedDict[int, tuple[Deed, ...]] = OrderedDict()
        self._deeds = 0
        self._is_away = False
        self._ask_again_at = 0.0

    async def of(self, account_id: int) -> tuple[Deed, ...] | None:
        """Answers what the account did; None where the database does not answer and nothing is remembered."""
        deeds = await self._read(account_id) if self._may_ask() else None
        if deeds is None:
            return self._remembered(account_id)
        self._remember(account_id, deeds)
        return deeds

    def _may_ask(self) -> bool:
        """Answers whether to ask the database; while it is away, of those who come after the pause only the first."""
        if not self._is_away:
            return True
        if self._clock() < self._ask_again_at:
            return False
        self._ask_again_at = self._clock() + PAUSE
        return True

    async def _read(self, account_id: int) -> tuple[Deed, ...] | None:
        try:
            async with asyncio.timeout(DEADLINE):
                deeds = tuple(await self._store.history(account_id))
        except (UnavailableError, TimeoutError) as error:
            if not self._is_away:
                log.warning("Histories come from memory.", error=repr(error))
            self._is_away, self._ask_again_at = True, self._clock() + PAUSE
            return None
        self._is_away = False
        return deeds

    def _remembered(self, account_id: int) -> tuple[Deed, ...] | None:
        deeds = self._known.get(account_id)
        measures.fallbacks.labels("history_model" if deeds is None else "history_memory").inc()
        return deeds

    def _remember(self, account_id: int, deeds: tuple[Deed, ...]) -> None:
        # An empty history counts, too: it is an entry.
        self._deeds += 1 + len(deeds) - self._weight(self._known.pop(account_id, None))
        self._known[account_id] = deeds
        while self._deeds > self._most_deeds:
            _, oldest = self._known.popitem(last=False)
            self._deeds -= self._weight(oldest)

    def _weight(self, deeds: tuple[Deed, ...] | None) -> int:
        return 0 if deeds is None else 1 + len(deeds)
