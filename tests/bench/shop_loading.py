"""Puts a made-up shop into the recommender's tables as its consumers would have, by COPY, which takes a minute."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from tests.bench.shop import Deeds, Shop

_PRODUCT: Final = (
    "product_id", "name", "description", "price_minor", "currency", "version", "deleted", "added_at", "arrived_at",
    "changed_at",
)  # fmt: skip
_INTERACTION: Final = ("event_id", "account_id", "product_id", "kind", "quantity", "at")
# Seconds; far above what it takes, but not for ever.
_LONGEST: Final = 900
_STATEMENT: Final = 300


class Tables:
    """The recommender's database at `url`, opened for one use after another."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")

    async def load(self, shop: Shop, now: datetime) -> None:
        """Writes all products and everything that happened until now."""
        connection = await self._connected()
        try:
            await connection.copy_records_to_table(
                "products", records=_products(shop, now), columns=_PRODUCT, timeout=_LONGEST
            )
            for at, deeds in enumerate(shop.deeds()):
                await self._copy(connection, deeds, now, f"made-{at:04d}")
            await connection.execute("VACUUM (ANALYZE) products, interactions", timeout=_LONGEST)
        finally:
            await connection.close()

    async def add_news(self, shop: Shop, now: datetime, count: int, run: int) -> None:
        """Writes some more deeds, of the last hour."""
        deeds = next(Shop(shop.products, shop.accounts, count, shop.seed + run).deeds())
        connection = await self._connected()
        try:
            fresh = Deeds(deeds.accounts, deeds.products, deeds.bought, deeds.ages % 3600)
            await self._copy(connection, fresh, now, f"news-{run:04d}")
        finally:
            await connection.close()

    async def last_model(self) -> Any:
        """Answers version, refusal and metrics (as JSON text) of the last model there is, or None."""
        connection = await self._connected()
        try:
            question = "SELECT version, refusal, metrics FROM models ORDER BY version DESC LIMIT 1"
            return await connection.fetchrow(question, timeout=_STATEMENT)
        finally:
            await connection.close()

    async def size_of_model(self, version: int) -> int:
        """Answers the bytes of its parts."""
        connection = await self._connected()
        try:
            question = "SELECT coalesce(sum(length(content)), 0) FROM model_parts WHERE version = $1"
            return int(await connection.fetchval(question, version, timeout=_STATEMENT))
        finally:
            await connection.close()

    async def _connected(self) -> Any:
        return await asyncpg.connect(self._url, timeout=10)

    @staticmethod
    async def _copy(connection: Any, deeds: Deeds, now: datetime, name: str) -> None:
        rows = _interactions(deeds, now, name)
        await connection.copy_records_to_table("interactions", records=rows, columns=_INTERACTION, timeout=_LONGEST)


def _products(shop: Shop, now: datetime) -> Iterator[tuple[object, ...]]:
    added = now - timedelta(days=200)
    for number in range(shop.products):
        name, description = shop.describe(number)
        yield shop.product_id(number), name, description, 1999, "USD", 1, False, added, added, now


def _interactions(deeds: Deeds, now: datetime, name: str) -> Iterator[tuple[object, ...]]:
    columns = (deeds.accounts.tolist(), deeds.products.tolist(), deeds.bought.tolist(), deeds.ages.tolist())
    for number, (account, product, bought, age) in enumerate(zip(*columns, strict=True)):
        kind = "purchase" if bought else "view"
        yield f"{name}-{number:06d}", account, Shop.product_id(product), kind, 1, now - timedelta(seconds=age)
