"""What the trainer reads and works out in the database."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from services.database import Database
from services.errors import UnavailableError
from services.recommender import store_training
from services.recommender.store import PostgresRecommender
from tests.factories.recommender import NOW, draft, gone, product, purchase, view

EVER = datetime(2000, 1, 1, tzinfo=UTC)


async def test_one_trains(store: PostgresRecommender) -> None:
    """The second is told that it does not, until the first has ended."""
    async with store.training_lock() as first, store.training_lock() as second:
        assert first
        await first.confirm()
        assert second is None
    async with store.training_lock() as third:
        assert third


async def test_a_lock_that_the_database_has_forgotten(
    store: PostgresRecommender, recommender_database: Database
) -> None:
    """Whoever had it learns so at the next look, and another gets it."""
    end = """
        SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE l.locktype = 'advisory' AND d.datname = current_database()
    """
    async with store.training_lock() as first:
        assert first
        async with recommender_database.transaction() as session:
            await (await session.connection()).execute(text(end))
        with pytest.raises(UnavailableError):
            await first.confirm()
    async with store.training_lock() as second:
        assert second


async def test_news(store: PostgresRecommender) -> None:
    """Those of accounts are counted; everybody's are looked at up to the newest."""
    assert (await store.news(0)).newest_seq == 0
    await store.add_interactions([view("e1"), view("e2", account_id=None)])
    first = await store.news(0)
    assert first.interactions == 1
    await store.add_interactions([view("e3"), view("e4"), view("e1")])
    second = await store.news(first.newest_seq)
    assert second.interactions == 2
    assert second.newest_seq > first.newest_seq
    assert (await store.news(second.newest_seq)).interactions == 0


async def test_interactions_by_pages(store: PostgresRecommender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first, at most as many as wanted, none that arrived after, none of unknown visitors."""
    monkeypatch.setattr(store_training, "INTERACTIONS", 2)
    await store.add_interactions([view(f"e{number}", f"p{number}") for number in range(5)])
    upto = (await store.news(0)).newest_seq
    await store.add_interactions([view("late"), purchase("later"), view("unknown", account_id=None)])
    pages = [page async for page in store.read_interactions(upto, 100)]
    assert [[row[1] for row in page] for page in pages] == [["p4", "p3"], ["p2", "p1"], ["p0"]]
    assert pages[0][0] == (7, "p4", "view", 1, NOW)
    pages = [page async for page in store.read_interactions(upto, 3)]
    assert [[row[1] for row in page] for page in pages] == [["p4", "p3"], ["p2"]]


async def test_what_is_popular(store: PostgresRecommender) -> None:
    """By what was done with it, how often and how long ago, by anybody; deleted products are not."""
    await store.put_products([product(name) for name in ("viewed", "bought", "old", "crate", "deleted", "alone")])
    await store.put_products([gone("deleted")])
    await store.add_interactions(
        [
            *(view(f"v{number}", "viewed", None) for number in range(3)),
            purchase("b", "bought"),
            purchase("c", "crate", quantity=10),
            *(purchase(f"o{number}", "old", days=100) for number in range(3)),
            *(purchase(f"d{number}", "deleted") for number in range(9)),
            view("unknown", "of another shop"),
        ]
    )
    await store.refresh_popular(half_life_days=50, view_weight=1, purchase_weight=4, limit=10)
    # 4 · (1 + ln 10), 4, 3, and 3 · 4 after two half-lives; "old" and "viewed" are alike, by id.
    assert await store.popular() == ["crate", "bought", "old", "viewed"]
    await store.add_interactions([view(f"w{number}", "viewed", None) for number in range(30)])
    await store.refresh_popular(half_life_days=50, view_weight=1, purchase_weight=4, limit=2)
    assert await store.popular() == ["viewed", "crate"]


async def test_what_has_no_place_yet(store: PostgresRecommender, recommender_database: Database) -> None:
    """Products that arrived since, alive and not yet placed in that model; an older one that changed is not new."""
    await store.put_products([product("old")])
    async with recommender_database.session() as session:
        since = (await (await session.connection()).exec_driver_sql("SELECT clock_timestamp()")).scalar_one()
    await store.put_products([product("a"), product("b"), product("c"), product("old", version=2), product("d")])
    await store.put_products([gone("d")])
    version = await store.save_model(draft(), b"model", 5)
    await store.save_placements(version, [("b", b"1234")])
    assert [item.product_id for item in await store.unplaced(version, since, 10)] == ["a", "c"]
    assert [item.product_id for item in await store.unplaced(version, since, 1)] == ["a"]
    assert len(await store.unplaced(version, EVER, 10)) == 3
