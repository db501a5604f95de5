"""What events tell is kept once, whatever comes again and in whatever order."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from services.recommender.domain import Deed, Gone, Kind, Product
from services.recommender.store import PostgresRecommender
from tests.factories.recommender import NOW, gone, product, purchase, view


async def catalogue(store: PostgresRecommender) -> dict[str, bool]:
    return {row.product_id: row.alive for row in await store.catalogue(None, "", 100)}


async def texts(store: PostgresRecommender) -> dict[str, tuple[str, int]]:
    return {item.product_id: (item.name, item.version) async for page in store.read_products() for item in page}


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
async def test_the_newest_version_wins(store: PostgresRecommender, order: tuple[int, ...]) -> None:
    """In whatever order versions arrive, one by one and together."""
    versions = [product(version=1), product(version=3, name="A newer lamp"), product(version=2, name="In between")]
    for index in order:
        await store.put_products([versions[index]])
    assert await texts(store) == {"lamp": ("A newer lamp", 3)}
    await store.put_products([versions[index] for index in order])
    assert await texts(store) == {"lamp": ("A newer lamp", 3)}


@pytest.mark.parametrize("items", [*itertools.permutations([product(version=1), gone(version=2)])])
async def test_a_deleted_product_stays_deleted(store: PostgresRecommender, items: tuple[Product | Gone, ...]) -> None:
    """Also when an older event of it comes after, or again; nothing of its text is kept."""
    for item in (*items, *items):
        await store.put_products([item])
    assert await catalogue(store) == {"lamp": False}
    assert await texts(store) == {}


async def test_a_repetition_changes_nothing(store: PostgresRecommender) -> None:
    """Not even when the row was last changed: nobody has to look at it again."""
    await store.put_products([product(), product("mug")])
    before = await store.catalogue(None, "", 100)
    await store.put_products([product("mug"), product()])
    assert await store.catalogue(None, "", 100) == before


async def test_many_consumers_at_once(store: PostgresRecommender) -> None:
    """Batches with the same products in different orders wait for one another, and none of them fails."""
    items = [product(f"p{number:03}", version) for number in range(100) for version in (1, 2)]
    batches = [items[shift:] + items[:shift] for shift in range(0, 200, 25)]
    await asyncio.gather(*(store.put_products(batch) for batch in batches))
    assert await texts(store) == {f"p{number:03}": ("A lamp", 2) for number in range(100)}


async def test_an_interaction_counts_once(store: PostgresRecommender) -> None:
    """By its event's id: in one batch, in the next, and in several at once."""
    batch = [view("e1"), purchase("e2", quantity=3), view("e1")]
    await asyncio.gather(*(store.add_interactions(batch) for _ in range(5)))
    await store.add_interactions(batch[::-1])
    assert sorted(await store.history(7), key=lambda deed: deed.kind) == [
        Deed("lamp", Kind.PURCHASE, 3, NOW),
        Deed("lamp", Kind.VIEW, 1, NOW),
    ]


async def test_old_interactions_are_forgotten(store: PostgresRecommender) -> None:
    """So many at a time, the rest stays."""
    await store.add_interactions([view(f"e{days}", days=days) for days in range(10)])
    before = NOW - timedelta(days=4, hours=12)
    assert [await store.forget(before, 3), await store.forget(before, 3), await store.forget(before, 3)] == [3, 2, 0]
    assert len(await store.history(7)) == 5


async def test_nothing_is_nothing(store: PostgresRecommender) -> None:
    """An empty batch writes nothing."""
    await store.put_products([])
    await store.add_interactions([])
    assert await catalogue(store) == {}
