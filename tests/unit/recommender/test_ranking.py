from collections.abc import Sequence

import numpy as np
import pytest

from services.recommender import tastes
from services.recommender.domain import Reason, Recommendation
from services.recommender.ranking import MOST_FITTING, MOST_LISTED, Ranked, rank
from services.recommender.shelf import Stock
from services.recommender.tastes import Taste
from tests.unit.recommender.shelves import NOW, PRODUCTS, Row, model, purchase, stock, view


def all_of(ranked: Ranked, holder: Stock) -> list[Recommendation]:
    return list(ranked.page(holder.shelf, 0, 100))


def listed(holder: Stock, taste: Taste, because: Reason = Reason.TASTE) -> list[tuple[str, Reason]]:
    return [(item.product_id, item.reason) for item in all_of(rank(holder.shelf, taste, because), holder)]


def test_what_fits_comes_first_then_seen_then_popular_then_new() -> None:
    """The order of an answer, each with its reason; equal ones in the order of the model, and none twice."""
    holder = stock(model(), alive=[*PRODUCTS, "unknown"], popular=["north-2", "east-2", "east-1"])
    taste = tastes.of_deeds([view("east-1"), purchase("east-3", 60)], holder.shelf.model)
    assert listed(holder, taste) == [
        ("east-2", Reason.TASTE),
        ("cold", Reason.SIMILAR),
        ("both", Reason.TASTE),
        ("east-1", Reason.SEEN),
        ("north-2", Reason.POPULAR),
        ("north-1", Reason.NEW),
        ("unknown", Reason.NEW),
    ]


def test_a_session_follows_what_was_viewed_in_it() -> None:
    """The session's products do not appear, what is near to them does; unknown ids are ignored."""
    holder = stock(model())
    taste = tastes.of_session(["north-1", "nonsense"], NOW, holder.shelf.model)
    answer = listed(holder, taste, Reason.VIEWED)
    assert answer[0] == ("north-2", Reason.VIEWED)
    assert {"north-1", "nonsense"}.isdisjoint(dict(answer))


def test_without_a_model_there_is_popular_and_new() -> None:
    """A shop without a model shows what was seen, is popular and is new."""
    holder = stock(alive=["newest", "popular", "old", "seen", "bought"], popular=["gone", "popular"])
    taste = tastes.of_deeds([view("seen"), purchase("bought")], None)
    assert listed(holder, taste) == [
        ("seen", Reason.SEEN),
        ("popular", Reason.POPULAR),
        ("newest", Reason.NEW),
        ("old", Reason.NEW),
    ]


def test_who_did_nothing_gets_what_is_popular() -> None:
    """Without deeds, and with deeds on products that no model knows, nothing is said to fit."""
    holder = stock(model(), alive=[*PRODUCTS, "unknown"], popular=["both"])
    for deeds in ([], [view("unknown")]):
        answer = listed(holder, tastes.of_deeds(deeds, holder.shelf.model))
        assert {reason for _, reason in answer} <= {Reason.POPULAR, Reason.NEW, Reason.SEEN}
        assert ("both", Reason.POPULAR) in answer


def test_what_is_bought_or_deleted_never_appears() -> None:
    """Neither among what fits nor anywhere else; a view of it changes nothing."""
    holder = stock(model(), popular=["east-1", "east-2"])
    holder.put_catalogue([Row("east-2", alive=False)])
    taste = tastes.of_deeds([view("east-1"), purchase("east-1", 9), view("east-3")], holder.shelf.model)
    assert {"east-1", "east-2"}.isdisjoint(dict(listed(holder, taste)))


def test_a_product_deleted_between_two_pages_is_not_shown() -> None:
    """The list that was ranked before leaves it out, and repeats nothing."""
    holder = stock(model())
    ranked = rank(holder.shelf, tastes.of_deeds([view("east-1")], holder.shelf.model), Reason.TASTE)
    first = ranked.page(holder.shelf, 0, 2)
    holder.put_catalogue([Row("both", alive=False)])
    second = ranked.page(holder.shelf, 2, 10)
    shown = [item.product_id for item in (*first, *second)]
    assert "both" not in shown
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize("take", [1, 3, 7])
def test_pages_are_cut_from_one_list(take: int) -> None:
    """Pages of any size, in any order, are together the whole list."""
    holder = stock(model())
    taste = tastes.of_deeds([view("east-1")], holder.shelf.model)
    whole = all_of(rank(holder.shelf, taste, Reason.TASTE), holder)
    ranked = rank(holder.shelf, taste, Reason.TASTE)
    pages = {skip: ranked.page(holder.shelf, skip, take) for skip in reversed(range(0, 9, take))}
    assert [item for skip in sorted(pages) for item in pages[skip]] == whole


def many(count: int, rng: np.random.Generator) -> tuple[Stock, Sequence[str]]:
    factors = rng.standard_normal((count, 2)).astype(np.float32)
    made = model({f"p{row:05}": tuple(map(float, vector)) for row, vector in enumerate(factors)})
    return stock(made, alive=made.product_ids), made.product_ids


def test_the_best_are_exactly_the_best() -> None:
    """Of many products those that score most are answered, in their order, compared with sorting all of them."""
    holder, ids = many(5_000, np.random.default_rng(5))
    taste = tastes.of_session(ids[:3], NOW, holder.shelf.model)
    ranked = rank(holder.shelf, taste, Reason.VIEWED)
    shown = [item.product_id for skip in (0, 100) for item in ranked.page(holder.shelf, skip, 100)]
    assert len(shown) == MOST_FITTING
    assortment = holder.shelf.assortment
    assert assortment is not None
    known = np.array([0, 1, 2], np.int32)
    # Scores are found anew through another way: least squares over the whole matrix.
    y = assortment.model.item_factors.astype(np.float64)
    confidence = np.ones(len(y))
    confidence[known] = 4.0 * np.array([taste.values[product_id] for product_id in ids[:3]])
    wanted = np.zeros(len(y))
    wanted[known] = 1
    x = np.linalg.solve((y.T * confidence) @ y + 0.5 * np.eye(2), (y.T * confidence) @ wanted)
    scores = y @ x
    scores[known] = -np.inf
    best = np.argsort(-scores)[:MOST_FITTING]
    np.testing.assert_allclose(scores[[ids.index(product_id) for product_id in shown]], scores[best], rtol=1e-4)


def test_equal_scores_are_answered_in_one_order() -> None:
    """More equal products than an answer takes are cut in the model's order, on every replica."""
    products = {f"p{row:03}": (1.0, 0.0) for row in range(MOST_FITTING + 100)}
    holder = stock(model(products), alive=list(products))
    ranked = rank(holder.shelf, tastes.of_session(["p000"], NOW, holder.shelf.model), Reason.VIEWED)
    shown = [item.product_id for skip in (0, 100) for item in ranked.page(holder.shelf, skip, 100)]
    assert shown == [f"p{row:03}" for row in range(1, MOST_FITTING + 1)]


def test_an_answer_ends() -> None:
    """No more entries are listed than are promised, however far somebody pages."""
    holder, _ = many(MOST_LISTED + 500, np.random.default_rng(1))
    ranked = rank(holder.shelf, Taste(), Reason.VIEWED)
    assert len(ranked.page(holder.shelf, MOST_LISTED - 50, 100)) == 50
    assert ranked.page(holder.shelf, 10**9, 100) == ()


def test_a_busy_shop_hides_what_was_bought_to_the_last() -> None:
    """Who bought the newest thousands is still shown others."""
    holder, ids = many(3_500, np.random.default_rng(2))
    taste = tastes.of_deeds([purchase(product_id) for product_id in ids[:2_000]], holder.shelf.model)
    ranked = rank(holder.shelf, taste, Reason.TASTE)
    shown = {item.product_id for skip in range(0, MOST_LISTED, 100) for item in ranked.page(holder.shelf, skip, 100)}
    assert len(shown) == MOST_LISTED
    assert shown.isdisjoint(ids[:2_000])
