"""A store that answers what it is told to, or nothing; the real one has a contract suite of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.errors import UnavailableError
from services.recommender.domain import Deed, ModelRecord
from services.recommender.model import UnreadableModelError
from services.recommender.shelf import CatalogueRow


@dataclass
class ScriptedStore:
    """What serving reads; `away` is the database that does not answer, `hangs` the one that never does."""

    deeds: dict[int, list[Deed]] = field(default_factory=dict)
    rows: list[CatalogueRow] = field(default_factory=list)
    models: dict[int, tuple[ModelRecord, bytes]] = field(default_factory=dict)
    damaged: set[int] = field(default_factory=set)
    placed: Mapping[int, Sequence[tuple[str, bytes]]] = field(default_factory=dict)
    best: list[str] = field(default_factory=list)
    away: bool = False
    hangs: bool = False
    asked: list[object] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def asked_times(self, count: int) -> None:
        """Returns when it has been asked that often."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.asked) >= count)

    async def history(self, account_id: int) -> Sequence[Deed]:
        await self._ask(account_id)
        return self.deeds.get(account_id, [])

    async def approved(self) -> Sequence[int]:
        await self._ask("approved")
        return sorted(self.models, reverse=True)

    async def load_model(self, version: int) -> tuple[ModelRecord, bytes]:
        await self._ask(version)
        if version in self.damaged:
            raise UnreadableModelError("Its checksum is another.")
        return self.models[version]

    async def placements(self, version: int, after: str) -> Sequence[tuple[str, bytes]]:
        await self._ask("placements")
        return [row for row in sorted(self.placed.get(version, [])) if row[0] > after][:2]

    async def popular(self) -> Sequence[str]:
        await self._ask("popular")
        return self.best

    async def catalogue(self, since: datetime | None, after: str, limit: int) -> Sequence[CatalogueRow]:
        await self._ask(("catalogue", since, after))
        if since is None:
            rows = sorted((row for row in self.rows if row.product_id > after), key=lambda row: row.product_id)
        else:
            changed = [row for row in self.rows if (row.changed_at, row.product_id) > (since, after)]
            rows = sorted(changed, key=lambda row: (row.changed_at, row.product_id))
        return rows[: min(limit, 3)]

    async def _ask(self, what: object) -> None:
        async with self._more:
            self.asked.append(what)
            self._more.notify_all()
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise UnavailableError("The database does not answer now.")
