"""What events tell, in PostgreSQL: written once, whatever comes again and in whatever order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from services.recommender.domain import Gone, Interaction, Product
from services.recommender.store_base import Rows

# In the order of ids, so that two consumers wait for one another's rows and never for each other.
_PUT: Final = text(
    """
    INSERT INTO products AS known
        (product_id, name, description, price_minor, currency, version, deleted, added_at, arrived_at, changed_at)
    SELECT told.*, clock_timestamp(), clock_timestamp()
    FROM unnest(
        CAST(:ids AS text[]), CAST(:names AS text[]), CAST(:descriptions AS text[]), CAST(:prices AS bigint[]),
        CAST(:currencies AS text[]), CAST(:versions AS bigint[]), CAST(:deleted AS boolean[]),
        CAST(:times AS timestamptz[])
    ) AS told (product_id, name, description, price_minor, currency, version, deleted, added_at)
    ORDER BY told.product_id
    ON CONFLICT (product_id) DO UPDATE SET
        name = excluded.name, description = excluded.description, price_minor = excluded.price_minor,
        currency = excluded.currency, version = excluded.version, deleted = excluded.deleted,
        changed_at = excluded.changed_at
    WHERE excluded.version > known.version
    """
)
_ADD: Final = text(
    """
    INSERT INTO interactions (event_id, account_id, product_id, kind, quantity, at)
    SELECT * FROM unnest(
        CAST(:ids AS text[]), CAST(:accounts AS integer[]), CAST(:products AS text[]), CAST(:kinds AS text[]),
        CAST(:quantities AS integer[]), CAST(:times AS timestamptz[])
    ) AS told (event_id, account_id, product_id, kind, quantity, at)
    ORDER BY told.event_id
    ON CONFLICT (event_id) DO NOTHING
    """
)
_FORGET: Final = text(
    """
    DELETE FROM interactions WHERE event_id IN (SELECT event_id FROM interactions WHERE at < :before LIMIT :limit)
    """
)


class Intake(Rows):
    """Takes in what happened in the shop."""

    async def put_products(self, items: Sequence[Product | Gone]) -> None:
        """Keeps the newest version of each product told of, all or none; what is known already changes nothing."""
        newest: dict[str, Product | Gone] = {}
        for item in items:
            if item.product_id not in newest or item.version > newest[item.product_id].version:
                newest[item.product_id] = item
        if newest:
            await self._write(_PUT, **_columns(list(newest.values())))

    async def add_interactions(self, items: Sequence[Interaction]) -> None:
        """Keeps each event once, all or none."""
        if items:
            await self._write(
                _ADD,
                ids=[item.event_id for item in items],
                accounts=[item.account_id for item in items],
                products=[item.product_id for item in items],
                kinds=[item.kind.value for item in items],
                quantities=[item.quantity for item in items],
                times=[item.at for item in items],
            )

    async def forget(self, before: datetime, limit: int) -> int:
        """Forgets at most `limit` interactions from before that time; answers how many."""
        return await self._write(_FORGET, before=before, limit=limit)


def _columns(items: Sequence[Product | Gone]) -> dict[str, list[Any]]:

    kept = [_shown(item) for item in items]
    return {
        "ids": [item.product_id for item in kept],
        "names": [item.name for item in kept],
        "descriptions": [item.description for item in kept],
        "prices": [item.price_minor for item in kept],
        "currencies": [item.currency for item in kept],
        "versions": [item.version for item in kept],
        "deleted": [isinstance(item, Gone) for item in items],
        "times": [item.at for item in kept],
    }


def _shown(item: Product | Gone) -> Product:
    """Answers what is kept of it; of a product that is gone, nothing but that it is."""
    return item if isinstance(item, Product) else Product(item.product_id, "", "", 0, "", item.version, item.at)
