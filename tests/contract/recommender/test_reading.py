"""What serving reads: histories, the catalogue by pages and by changes, popular and placed products."""

from datetime import UTC, datetime

from services.recommender.domain import Kind
from services.recommender.store import PostgresRecommender
from services.recommender.store_reading import MOST_VIEWS, PLACEMENTS
from tests.factories.recommender import draft, gone, product, purchase, view

EVER = datetime(2000, 1, 1, tzinfo=UTC)


async def test_a_history_is_the_accounts_own(store: PostgresRecommender) -> None:
    """Nobody else's, and no unknown visitor's."""
    await store.add_interactions([view("e1"), view("e2", "mug", 8), view("e3", "mug", None)])
    assert [deed.product_id for deed in await store.history(7)] == ["lamp"]
    assert await store.history(9) == []


async def test_of_a_long_history_the_newest(store: PostgresRecommender) -> None:
    """Views are bounded, and no number of them pushes a purchase out."""
    views = [view(f"v{number}", f"p{number}", days=number / 1000) for number in range(MOST_VIEWS + 20)]
    await store.add_interactions([*views, purchase("old", "bought", days=300)])
    history = await store.history(7)
    assert {deed.product_id for deed in history if deed.kind is Kind.VIEW} == {f"p{n}" for n in range(MOST_VIEWS)}
    assert [deed.product_id for deed in history if deed.kind is Kind.PURCHASE] == ["bought"]


async def test_the_catalogue_by_pages(store: PostgresRecommender) -> None:
    """Every product is on exactly one page."""
    await store.put_products([product(f"p{number}") for number in range(7)])
    pages, after = [], ""
    while page := await store.catalogue(None, after, 3):
        pages.append([row.product_id for row in page])
        after = page[-1].product_id
    assert pages == [["p0", "p1", "p2"], ["p3", "p4", "p5"], ["p6"]]


async def test_the_catalogues_changes(store: PostgresRecommender) -> None:
    """After the last row that was seen come those which were written later, in that order, deletions among them."""
    await store.put_products([product("a"), product("b")])
    seen = await store.catalogue(EVER, "", 10)
    await store.put_products([gone("a")])
    await store.put_products([product("c")])
    changes = await store.catalogue(seen[-1].changed_at, seen[-1].product_id, 10)
    assert [(row.product_id, row.alive) for row in changes] == [("a", False), ("c", True)]
    assert await store.catalogue(changes[-1].changed_at, changes[-1].product_id, 10) == []


async def test_placed_products(store: PostgresRecommender) -> None:
    """By pages in the order of ids; a second place replaces the first; other models' are not among them."""
    first, second = await store.save_model(draft(), b"1", 5), await store.save_model(draft(), b"2", 5)
    await store.save_placements(first, [(f"p{number:05}", b"1234") for number in range(PLACEMENTS + 1)])
    await store.save_placements(second, [("p1", b"1234")])
    await store.save_placements(second, [("p1", b"5678")])
    page = await store.placements(first, "")
    assert len(page) == PLACEMENTS
    assert await store.placements(first, page[-1][0]) == [(f"p{PLACEMENTS:05}", b"1234")]
    assert await store.placements(second, "") == [("p1", b"5678")]
    assert await store.placements(second, "p1") == []


async def test_a_place_in_a_model_that_is_gone(store: PostgresRecommender) -> None:
    """It is nowhere, and no error: the model was replaced in the meantime."""
    await store.save_placements(99, [("p1", b"1234")])
    assert await store.placements(99, "") == []
