"""The shop's products in PostgreSQL, and which version of each the provider's list has.

Only newer versions win, so that events may come twice and in any order; a deleted product leaves its row, which keeps
an older event from bringing it back. Products belong to the provider that was told of them: another one is told of all.
"""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.payment.domain import Listing, ListingJob
from services.payment.store_base import LEASE, Rows
from services.payment.tables import products


class Listings(Rows):
    """Keeps what the provider's list should have, and what it has."""

    _adopted = False

    async def put_listing(self, listing: Listing) -> None:
        """Has a product brought to the provider, unless a newer version of it is known."""
        await self._keep({**asdict(listing), "deleted": False})

    async def drop_listing(self, product_id: str, version: int) -> None:
        """Has a product taken off the provider's list, unless a newer version of it is known."""
        await self._keep(
            {"product_id": product_id, "version": version, "deleted": True},
            {"name": "", "description": "", "price_minor": 0, "currency": ""},
        )

    async def claim_listings(self, limit: int) -> list[ListingJob]:
        """Answers at most `limit` products that the provider does not have as they are, for 30 seconds."""
        now = self._clock()
        async with self._database.transaction() as session:
            connection = await session.connection()
            if not self._adopted:
                await connection.execute(self._adopt())
            due = (
                select(products.c.product_id)
                .where(products.c.pushed_version < products.c.version, products.c.claimed_until <= now)
                .order_by(products.c.claimed_until)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            taken = update(products).where(products.c.product_id.in_(due)).values(claimed_until=now + LEASE)
            rows = (await connection.execute(taken.returning(products))).all()
        self._adopted = True
        return [_job(row) for row in rows]

    async def listing_pushed(self, product_id: str, version: int, provider_product_id: str) -> None:
        """Keeps the provider's id of a product, and that the provider has this version of it."""
        await self._change(
            product_id,
            provider_product_id=provider_product_id,
            pushed_version=func.greatest(products.c.pushed_version, version),
            attempts=0,
            claimed_until=self._clock(),
            last_error="",
        )

    async def listing_failed(self, product_id: str, reason: str, seconds: float) -> None:
        """Keeps why the provider did not take it, and tries again after so long."""
        await self._change(
            product_id,
            attempts=products.c.attempts + 1,
            claimed_until=self._clock() + timedelta(seconds=seconds),
            last_error=reason[:500],
        )

    async def _keep(self, values: dict[str, Any], at_first: dict[str, Any] | None = None) -> None:
        """Writes `values` where they are newer than what is known, and `at_first` beside them where nothing is."""
        first = {
            **(at_first or {}),
            **values,
            "provider": self._provider,
            "provider_product_id": "",
            "pushed_version": 0,
            "attempts": 0,
            "claimed_until": self._clock(),
            "last_error": "",
        }
        newer = insert(products).on_conflict_do_update(
            index_elements=["product_id"], set_=values, where=products.c.version < values["version"]
        )
        async with self._database.transaction() as session:
            await (await session.connection()).execute(newer, first)
        self._committed()

    def _adopt(self) -> Any:
        """Answers the statement that forgets what another provider was told."""
        others = update(products).where(products.c.provider != self._provider)
        return others.values(provider=self._provider, provider_product_id="", pushed_version=0, attempts=0)

    async def _change(self, product_id: str, **values: Any) -> None:
        async with self._database.transaction() as session:
            changed = update(products).where(products.c.product_id == product_id).values(**values)
            await (await session.connection()).execute(changed)


def _job(row: Row[Any]) -> ListingJob:
    listing = Listing(row.product_id, row.name, row.description, row.price_minor, row.currency, row.version)
    return ListingJob(listing, row.provider_product_id, row.deleted, row.attempts)
