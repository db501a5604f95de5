"""What the trainer reads from PostgreSQL and works out in it, beside models.

Millions of interactions are read by pages that follow one another in an index: no statement is long, and no transaction
stands open for the length of a training, which would keep the database from cleaning up. Interactions are only added
and, when they are old, removed; so the pages from one upper bound on are one picture of them.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.database import unavailable_when_it_is
from services.recommender.domain import Product
from services.recommender.store_base import Rows

INTERACTIONS: Final = 20_000
PRODUCTS: Final = 5_000
# News beyond this are as many.
_MOST_NEWS: Final = 1_000_000
# Deeds older than so many half-lives weigh less than a hundredth of a new one.
_HALF_LIVES: Final = 7
_DAY: Final = 86_400.0
# Any fixed number that nothing else in this database locks.
_LOCK: Final = 0x7472_6169_6E65_7200

_TRY_LOCK: Final = text("SELECT pg_try_advisory_lock(:key)")
_ALIVE: Final = text("SELECT 1")
_NEWS: Final = text(
    """
    SELECT (SELECT count(*) FROM (
               SELECT 1 FROM interactions WHERE seq > :seq AND account_id IS NOT NULL LIMIT :most
           ) AS news) AS interactions,
           (SELECT coalesce(max(seq), 0) FROM interactions) AS newest_seq
    """
)
_PAGE: Final = text(
    """
    SELECT seq, account_id, product_id, kind, quantity, at FROM interactions
    WHERE seq < :before AND account_id IS NOT NULL ORDER BY seq DESC LIMIT :limit
    """
)
_PRODUCT: Final = "SELECT product_id, name, description, price_minor, currency, version, added_at AS at FROM products "
_PRODUCTS: Final = text(_PRODUCT + "WHERE product_id > :after AND NOT deleted ORDER BY product_id LIMIT :limit")
_UNPLACED: Final = text(
    _PRODUCT + "WHERE NOT deleted AND arrived_at >= :since AND NOT EXISTS"
    " (SELECT FROM placements p WHERE p.model_version = :version AND p.product_id = products.product_id)"
    " ORDER BY arrived_at, product_id LIMIT :limit"
)
_PLACE: Final = text(
    """
    INSERT INTO placements (model_version, product_id, vector)
    SELECT m.version, told.* FROM models m, unnest(CAST(:ids AS text[]), CAST(:vectors AS bytea[])) AS told
    WHERE m.version = :version
    ON CONFLICT (model_version, product_id) DO UPDATE SET vector = excluded.vector
    """
)
# As weights.raw, without the saturation by account: it is what many do that counts here.
_POPULAR: Final = text(
    """
    WITH newest AS (SELECT max(at) AS at FROM interactions),
    scored AS (
        SELECT i.product_id,
               sum(CASE i.kind
                   WHEN 'purchase' THEN CAST(:purchase_weight AS double precision) * (1 + ln(greatest(i.quantity, 1)))
                   ELSE CAST(:view_weight AS double precision) * i.quantity
                   END
                   * power(0.5, extract(epoch FROM newest.at - i.at) / CAST(:half_life AS double precision))) AS score
        FROM newest JOIN interactions i ON i.at > newest.at - make_interval(secs => CAST(:horizon AS double precision))
        GROUP BY i.product_id
    ),
    best AS (
        SELECT s.product_id, s.score FROM scored s JOIN products p ON p.product_id = s.product_id AND NOT p.deleted
        ORDER BY s.score DESC, s.product_id LIMIT :limit
    ),
    gone AS (DELETE FROM popular WHERE product_id NOT IN (SELECT product_id FROM best))
    INSERT INTO popular (product_id, score) SELECT product_id, score FROM best
    ON CONFLICT (product_id) DO UPDATE SET score = excluded.score
    """
)

InteractionRow = tuple[int, str, str, int, datetime]


@dataclass(frozen=True, slots=True)
class TrainingLock:
    """Makes this process the one that trains, for as long as the session lives that took it."""

    connection: AsyncConnection

    async def confirm(self) -> None:
        """Returns if the session is there, and the lock with it; raises UnavailableError if it is not."""
        with unavailable_when_it_is():
            await self.connection.execute(_ALIVE)


@dataclass(frozen=True, slots=True)
class News:
    """What arrived since some moment: how much of accounts, and up to where of all."""

    interactions: int
    newest_seq: int


class Training(Rows):
    """Answers what the trainer needs, and keeps what it works out between two models."""

    @asynccontextmanager
    async def training_lock(self) -> AsyncIterator[TrainingLock | None]:
        """Answers the lock, kept until the block is left; None where another process has it."""
        async with self._database.dedicated() as connection:
            mine = (await connection.execute(_TRY_LOCK, {"key": _LOCK})).scalar_one()
            yield TrainingLock(connection) if mine else None

    async def news(self, seq: int) -> News:
        """Answers what arrived after `seq`, which an earlier answer named; 0 is before everything."""
        (row,) = await self._read(_NEWS, seq=seq, most=_MOST_NEWS)
        return News(row.interactions, row.newest_seq)

    async def read_interactions(self, upto: int, most: int) -> AsyncIterator[Sequence[InteractionRow]]:
        """Yields the newest `most` interactions of accounts, none that arrived after `upto`, in pages, newest first.

        Each is (account id, product id, kind, quantity, time).
        """
        before, left = upto + 1, most
        while left > 0 and (rows := await self._read(_PAGE, before=before, limit=INTERACTIONS)):
            yield [tuple(row)[1:] for row in rows[:left]]
            before, left = rows[-1].seq, left - len(rows)

    async def read_products(self) -> AsyncIterator[Sequence[Product]]:
        """Yields all products that are not deleted, in pages, in the order of their ids."""
        after = ""
        while rows := await self._read(_PRODUCTS, after=after, limit=PRODUCTS):
            yield [Product(*tuple(row)) for row in rows]
            after = rows[-1].product_id

    async def refresh_popular(
        self, half_life_days: float, view_weight: float, purchase_weight: float, limit: int
    ) -> None:
        """Makes the list of what is popular anew, from everybody's deeds, unknown visitors included."""
        half_life = half_life_days * _DAY
        await self._write(
            _POPULAR,
            half_life=half_life,
            horizon=half_life * _HALF_LIVES,
            view_weight=view_weight,
            purchase_weight=purchase_weight,
            limit=limit,
        )

    async def unplaced(self, version: int, since: datetime, limit: int) -> list[Product]:
        """Answers products that arrived from `since` on and have no place in that model yet, the oldest first."""
        return [Product(*tuple(row)) for row in await self._read(_UNPLACED, version=version, since=since, limit=limit)]

    async def save_placements(self, version: int, placed: Sequence[tuple[str, bytes]]) -> None:
        """Keeps the places of products in a model; nothing happens if the model is gone."""
        if placed:
            ids, vectors = [product_id for product_id, _ in placed], [vector for _, vector in placed]
            await self._write(_PLACE, version=version, ids=ids, vectors=vectors)
