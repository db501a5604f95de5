"""What a serving process reads from PostgreSQL, beside models: histories, the catalogue, what is popular and placed.

Long lists are read by pages that follow one another in an index, so that no statement is long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from services.recommender.domain import Deed, Kind
from services.recommender.store_base import Rows

MOST_VIEWS: Final = 500
MOST_PURCHASES: Final = 2_000
PLACEMENTS: Final = 2_000
# Half as long as calling Kind, for thousands of rows of a page that somebody waits for.
_KINDS: Final = {kind.value: kind for kind in Kind}

_OF_KIND: Final = (
    "(SELECT product_id, kind, quantity, at FROM interactions"
    " WHERE account_id = :account_id AND kind = '{kind}' ORDER BY at DESC LIMIT {most})"
)
_HISTORY: Final = text(
    " UNION ALL ".join(
        (_OF_KIND.format(kind="view", most=MOST_VIEWS), _OF_KIND.format(kind="purchase", most=MOST_PURCHASES))
    )
)
_STATE: Final = "SELECT product_id, NOT deleted AS alive, added_at, changed_at FROM products "
_CATALOGUE: Final = text(_STATE + "WHERE product_id > :after ORDER BY product_id LIMIT :limit")
_CHANGES: Final = text(
    _STATE + "WHERE (changed_at, product_id) > (:since, :after) ORDER BY changed_at, product_id LIMIT :limit"
)
_POPULAR: Final = text("SELECT product_id FROM popular ORDER BY score DESC, product_id")
_PLACED: Final = text(
    "SELECT product_id, vector FROM placements WHERE model_version = :version AND product_id > :after"
    " ORDER BY product_id LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """What is followed of a product; `changed_at` is by the database's clock."""

    product_id: str
    alive: bool
    added_at: datetime
    changed_at: datetime


class Reading(Rows):
    """Answers what serving needs; raises UnavailableError when the database does not answer."""

    async def history(self, account_id: int) -> list[Deed]:
        """Answers the newest views and purchases of an account."""
        rows: Sequence[Any] = await self._read(_HISTORY, account_id=account_id)
        return [Deed(product_id, _KINDS[kind], quantity, at) for product_id, kind, quantity, at in rows]

    async def catalogue(self, since: datetime | None, after: str, limit: int) -> list[CatalogueRow]:
        """Answers products, deleted ones included, in the order of their ids, after the id `after`.

        With `since`: in the order of (changed_at, id), after that pair.
        """
        if since is None:
            rows = await self._read(_CATALOGUE, after=after, limit=limit)
        else:
            rows = await self._read(_CHANGES, since=since, after=after, limit=limit)
        return [CatalogueRow(*tuple(row)) for row in rows]

    async def popular(self) -> list[str]:
        """Answers what is popular, best first."""
        return [row.product_id for row in await self._read(_POPULAR)]

    async def placements(self, version: int, after: str) -> Sequence[tuple[str, bytes]]:
        """Answers products placed for a model, in the order of their ids, after the id `after`; float32 rows."""
        rows = await self._read(_PLACED, version=version, after=after, limit=PLACEMENTS)
        return [(row.product_id, row.vector) for row in rows]
