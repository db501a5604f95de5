"""Keeping a search index there: a loop that notices when none is in use and has one built.

So a service that starts before Elasticsearch, an index that someone has deleted, a cluster that lost its disk and a
rebuild that died half-way all end the same way: with a complete index, without anyone doing anything.
"""

import asyncio
from typing import Protocol

import structlog

from services.errors import ConflictError, UnavailableError
from services.loops import first_of
from services.product.rebuild import Outcome

log = structlog.get_logger(__name__)


class Restoring(Protocol):
    """What builds an index where there is none."""

    async def restore(self) -> Outcome | None:
        """Answers what was built, or None; raises ConflictError and UnavailableError."""


class Keeper:
    """The loop that restores the index whenever it is missing or was left incomplete."""

    def __init__(self, rebuild: Restoring, pause: float = 5.0) -> None:
        self._rebuild = rebuild
        self._pause = pause

    async def run(self, stop: asyncio.Event) -> None:
        """Looks every few seconds, until `stop` is set."""
        while not stop.is_set():
            await self.run_once()
            await first_of(self._pause, stop)

    async def run_once(self) -> Outcome | None:
        """Looks once; answers what was built, if anything. What does not answer now is tried again the next time."""
        try:
            outcome = await self._rebuild.restore()
        except ConflictError:
            return None
        except UnavailableError as error:
            log.info("The search index cannot be looked after now.", reason=error.message)
            return None
        if outcome is not None:
            log.info("Restored the search index.", index=outcome.index, rows=outcome.rows, events=outcome.events)
        return outcome
