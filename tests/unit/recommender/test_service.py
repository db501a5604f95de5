from collections.abc import Iterator
from contextlib import closing

import pytest

from services.errors import ForbiddenError, InvalidError, UnauthenticatedError
from services.recommender import measures
from services.recommender.domain import Reason, Recommended
from services.recommender.histories import Histories
from services.recommender.service import KEPT_SECONDS, MOST_KEPT, Page, RecommenderService
from services.recommender.workers import Workers
from services.tokens import Identity
from tests.unit.recommender.shelves import NOW, PRODUCTS, Row, model, purchase, stock, view
from tests.unit.recommender.stores import ScriptedStore

ALL = Page(0, 100)


def customer(account_id: int) -> Identity:
    return Identity(account_id, "customer", "a-token")


class Shop:
    """A service over a stock, with everything around it at hand."""

    def __init__(self, workers: Workers) -> None:
        self.now = 100.0
        self.store = ScriptedStore()
        self.stock = stock(model(histories={9: [("north-1", 4.0, True)]}), popular=["both"])
        histories = Histories(self.store, lambda: self.now)
        self.service = RecommenderService(self.stock, histories, workers, lambda: NOW, lambda: self.now)

    async def for_account(self, account_id: int, page: Page = ALL) -> Recommended:
        return await self.service.for_account(customer(account_id), account_id, page)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with closing(Workers()) as workers:
        yield Shop(workers)


def ids(answer: Recommended) -> list[str]:
    return [item.product_id for item in answer.items]


async def test_recommendations_follow_the_account() -> None:
    """Two accounts of two tastes are shown each its own, from one and the same model."""
    with closing(Workers()) as workers:
        shop = Shop(workers)
        shop.store.deeds = {1: [view("east-1")], 2: [purchase("north-1")]}
        east, north = await shop.for_account(1), await shop.for_account(2)
    assert (ids(east)[0], ids(north)[0]) == ("east-2", "north-2")
    assert east.items[0].reason is Reason.TASTE
    assert east.model_version == north.model_version == 1


async def test_a_deed_changes_the_next_answer(shop: Shop) -> None:
    """What is bought disappears at once, also from a list that was ranked a moment ago."""
    shop.store.deeds = {1: [view("east-1")]}
    assert "east-2" in ids(await shop.for_account(1))
    shop.store.deeds[1].append(purchase("east-2"))
    assert "east-2" not in ids(await shop.for_account(1))


async def test_who_may_ask(shop: Shop) -> None:
    """An account asks for itself, an administrator for anyone; others are told what to do."""
    with pytest.raises(UnauthenticatedError):
        await shop.service.for_account(None, 1, ALL)
    with pytest.raises(ForbiddenError):
        await shop.service.for_account(customer(2), 1, ALL)
    with pytest.raises(ForbiddenError):
        await shop.service.for_account(Identity(0, "service", "a-token", "order"), 1, ALL)
    assert await shop.service.for_account(Identity(5, "administrator", "a-token"), 1, ALL)
    assert shop.store.asked == [1]


@pytest.mark.parametrize("page", [Page(-1, 10), Page(0, 0), Page(0, 101), Page(0, -5)])
async def test_a_page_that_cannot_be_is_refused(shop: Shop, page: Page) -> None:
    """Both verbs refuse it before anything is read."""
    with pytest.raises(InvalidError):
        await shop.for_account(1, page)
    with pytest.raises(InvalidError):
        await shop.service.for_viewed([], page)
    assert not shop.store.asked


async def test_a_session_is_bounded(shop: Shop) -> None:
    """A hundred products are taken, each of them once; more, and ids that cannot be ids, are refused."""
    await shop.service.for_viewed([f"p{number}" for number in range(100)] * 2, ALL)
    with pytest.raises(InvalidError):
        await shop.service.for_viewed([f"p{number}" for number in range(101)], ALL)
    with pytest.raises(InvalidError):
        await shop.service.for_viewed(["x" * 65], ALL)


async def test_a_session_is_answered_whatever_its_order(shop: Shop) -> None:
    """Nobody signs in for it; without products, what is popular comes first."""
    one = await shop.service.for_viewed(["east-1", "both"], ALL)
    other = await shop.service.for_viewed(["both", "east-1", "both"], ALL)
    assert one == other
    assert one.items[0].reason is Reason.VIEWED
    empty = await shop.service.for_viewed([], ALL)
    assert (empty.items[0].product_id, empty.items[0].reason) == ("both", Reason.POPULAR)


async def test_pages_are_cut_from_one_list(shop: Shop) -> None:
    """A product that becomes popular in between is not on two pages; after some seconds it is where it belongs."""
    shop.store.deeds = {1: []}
    shop.stock.put_popular(["east-1", "east-2"])
    first = await shop.for_account(1, Page(0, 2))
    shop.stock.put_popular(["north-1", "east-1", "east-2"])
    second = await shop.for_account(1, Page(2, 2))
    assert set(ids(first)).isdisjoint(ids(second))
    shop.now += KEPT_SECONDS
    assert ids(await shop.for_account(1, Page(0, 1))) == ["north-1"]


async def test_a_new_model_is_asked_at_once(shop: Shop) -> None:
    """A list of the model before is not paged on."""
    assert (await shop.for_account(1)).model_version == 1
    shop.stock.put_model(2, model())
    assert (await shop.for_account(1)).model_version == 2


async def test_without_a_model_the_version_is_0(shop: Shop) -> None:
    """What is popular and new is answered, and counted as a fallback."""
    shop.stock.shelf = stock(None, alive=["a", "b"], popular=["b"]).shelf
    before = measures.fallbacks.labels("no_model")._value.get()
    answer = await shop.for_account(1)
    assert (ids(answer), answer.model_version) == (["b", "a"], 0)
    assert measures.fallbacks.labels("no_model")._value.get() == before + 1


async def test_answers_go_on_while_the_database_is_away(shop: Shop) -> None:
    """A known account from memory, one of the training from the model, anyone else with what is popular."""
    shop.store.deeds = {1: [view("east-1")]}
    known = await shop.for_account(1)
    shop.store.away = True
    assert await shop.for_account(1) == known
    trained = await shop.for_account(9)
    assert ids(trained)[0] == "north-2"
    assert "north-1" not in ids(trained)
    assert (await shop.for_account(8)).items[0].reason is Reason.POPULAR


async def test_a_deleted_product_leaves_lists_that_are_kept(shop: Shop) -> None:
    """The page after the deletion is without it, although the list is the same."""
    assert "east-1" in ids(await shop.for_account(1))
    shop.stock.put_catalogue([Row("east-1", alive=False)])
    assert set(ids(await shop.for_account(1))) == set(PRODUCTS) - {"east-1"}


async def test_kept_lists_are_bounded(shop: Shop) -> None:
    """However many ask, only so many lists are kept, and old ones go with the models that they hold on to."""
    for number in range(MOST_KEPT + 20):
        await shop.service.for_viewed([f"p{number}"], Page(0, 1))
    assert len(shop.service._kept._lists) == MOST_KEPT
    shop.now += KEPT_SECONDS
    await shop.service.for_viewed([], Page(0, 1))
    assert len(shop.service._kept._lists) == 1


async def test_what_is_recommended_is_counted_by_reason(shop: Shop) -> None:
    """Each product of a page is one."""
    counter = measures.recommended.labels("popular")
    before = counter._value.get()
    await shop.service.for_viewed([], Page(0, 1))
    assert counter._value.get() == before + 1
