"""How a serving process follows the database: the model, what is placed and popular, and which products are alive.

Both loops ask again and again, and neither minds when the database is away: what is in memory serves on. A model is
read and checked in a thread and swapped in whole. One that cannot be read is logged and counted, and the last good one
serves on; in a process that has none, the next older one. It is tried again after a minute.

The catalogue is read once as a whole and then by the moment of change.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import numpy as np
import structlog

from services.errors import UnavailableError
from services.loops import first_of, work_until
from services.recommender import measures
from services.recommender.artefact import decode
from services.recommender.domain import ModelRecord
from services.recommender.model import Floats, Model, UnreadableModelError
from services.recommender.shelf import CatalogueRow, Stock

# Seconds between two looks at the catalogue: a deleted product is shown that much longer.
CATALOGUE_POLL: Final = 1.0
# How far back from the newest change is looked each time, and from time to time: a transaction that commits late
# carries an earlier moment than one that was seen already. Consumers' statements are cut off after 5 seconds.
OVERLAP: Final = timedelta(seconds=1)
WIDE_OVERLAP: Final = timedelta(seconds=10)
# Rows of the catalogue in one question: reading them holds the event loop for 10 ms.
ROWS: Final = 1_000
# Seconds before a model that could not be read is tried again.
UNREADABLE_PAUSE: Final = 60.0
# Seconds that a stop leaves a round under way.
STOP_SECONDS: Final = 2.0

_EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)


class Models(Protocol):
    """Where models and what goes with them are kept; each verb raises UnavailableError."""

    async def approved(self) -> Sequence[int]:
        """Answers the versions that may serve, newest first."""

    async def load_model(self, version: int) -> tuple[ModelRecord, bytes]:
        """Answers a model's record and bytes; raises UnreadableModelError when they are not those that were saved."""

    async def placements(self, version: int, after: str) -> Sequence[tuple[str, bytes]]:
        """Answers products placed for that model whose ids come after `after`, in their order; nothing at the end."""

    async def popular(self) -> Sequence[str]:
        """Answers what is popular, best first."""


class Catalogue(Protocol):
    """Where products are kept."""

    async def catalogue(self, since: datetime | None, after: str, limit: int) -> Sequence[CatalogueRow]:
        """Answers rows after the id `after`, in the order of ids; with `since`, those changed from then on."""


class _Following(ABC):
    """A loop around `run_once` that goes on when the database does not answer."""

    def __init__(self, poll: float) -> None:
        self._poll = poll

    async def run(self, stop: asyncio.Event) -> None:
        """Follows until `stop` is set."""
        await work_until(stop, self._work(stop), STOP_SECONDS)

    @abstractmethod
    async def run_once(self) -> None:
        """Looks once; raises UnavailableError when the database is away."""

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.run_once()
            except UnavailableError as error:
                log.warning("Serving from memory.", loop=type(self).__name__, reason=error.message)
            await first_of(self._poll, stop)


class CatalogueLoop(_Following):
    """Keeps track of which products are alive; `ticks` answers seconds that only grow."""

    def __init__(self, catalogue: Catalogue, stock: Stock, ticks: Callable[[], float]) -> None:
        super().__init__(CATALOGUE_POLL)
        self._catalogue = catalogue
        self._stock = stock
        self._ticks = ticks
        # The newest change that was seen, its product, when that was first seen, and when it was last looked far back.
        self._newest = (_EVER, "")
        self._seen_at = self._wide_at = ticks()
        self.is_loaded = False

    async def run_once(self) -> None:
        """Takes what has changed; the first time, everything."""
        if self.is_loaded:
            await self._changes(*self._begin())
        else:
            await self._everything()
            self.is_loaded = True

    async def _everything(self) -> None:
        began, after = self._ticks(), ""
        while rows := await self._catalogue.catalogue(None, after, ROWS):
            self._take(rows)
            after = rows[-1].product_id
        # What changed behind the reader's back did so after it began.
        newest, _ = self._newest
        await self._changes(newest - WIDE_OVERLAP - timedelta(seconds=self._ticks() - began), "")

    def _begin(self) -> tuple[datetime, str]:
        """Answers where to look from: an overlap before the newest change, until nothing can come in before it."""
        now, (newest, _) = self._ticks(), self._newest
        if now - self._seen_at > 2 * WIDE_OVERLAP.total_seconds():
            return self._newest
        if now - self._wide_at >= WIDE_OVERLAP.total_seconds():
            self._wide_at = now
            return newest - WIDE_OVERLAP, ""
        return newest - OVERLAP, ""

    async def _changes(self, since: datetime, after: str) -> None:
        while rows := await self._catalogue.catalogue(since, after, ROWS):
            self._take(rows)
            since, after = rows[-1].changed_at, rows[-1].product_id

    def _take(self, rows: Sequence[CatalogueRow]) -> None:
        self._stock.put_catalogue(rows)
        newest = max((row.changed_at, row.product_id) for row in rows)
        if newest > self._newest:
            self._newest, self._seen_at = newest, self._ticks()


class ModelLoop(_Following):
    """Takes up the newest model that can be read, and what was placed for it and is popular since."""

    def __init__(
        self, models: Models, stock: Stock, clock: Callable[[], datetime], ticks: Callable[[], float], poll: float
    ) -> None:
        super().__init__(poll)
        self._models = models
        self._stock = stock
        self._clock = clock
        self._ticks = ticks
        self._record: ModelRecord | None = None
        self._try_again_at: dict[int, float] = {}
        self.is_loaded = False

    async def run_once(self) -> None:
        """Looks for a newer model, and for the rest."""
        try:
            self._stock.put_popular(await self._models.popular())
            await self._follow_model()
            await self._follow_placed()
            self.is_loaded = True
        finally:
            if self._record:
                measures.show_model(self._record, self._clock())

    async def _follow_model(self) -> None:
        approved = await self._models.approved()
        current = self._stock.shelf.version
        # Where the one that serves was withdrawn, any other is better.
        wanted = [version for version in approved if version > current or current not in approved]
        self._try_again_at = {version: at for version, at in self._try_again_at.items() if version in approved}
        for version in wanted:
            if self._try_again_at.get(version, 0.0) <= self._ticks() and await self._take_up(version):
                return

    async def _take_up(self, version: int) -> bool:
        try:
            record, artefact = await self._models.load_model(version)
            model = await asyncio.to_thread(_read, artefact)
        except UnreadableModelError:
            self._try_again_at[version] = self._ticks() + UNREADABLE_PAUSE
            measures.models_unreadable.inc()
            log.exception("A model cannot be read.", version=version, serving=self._stock.shelf.version)
            return False
        self._stock.put_model(version, model)
        self._record = record
        log.info("A model serves.", version=version, products=len(model.product_ids), data_to=str(model.data_to))
        return True

    async def _follow_placed(self) -> None:
        version, after = self._stock.shelf.version, ""
        placed: list[tuple[str, Floats]] = []
        while version and (rows := await self._models.placements(version, after)):
            placed += [(product_id, _vector(content)) for product_id, content in rows]
            after = rows[-1][0]
        self._stock.put_placed(placed)


def _read(artefact: bytes) -> Model:
    model = decode(artefact)
    # Made here, in the thread, and not by the first request.
    _ = model.rows
    return model


def _vector(content: bytes) -> Floats:
    """Answers the numbers; none where the bytes are not whole ones."""
    return np.frombuffer(content if len(content) % 4 == 0 else b"", np.float32)
