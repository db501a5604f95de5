import random
from dataclasses import replace
from datetime import timedelta

import numpy as np

from services.recommender.shelf import NEWEST, Stock
from tests.unit.recommender.shelves import NOW, Row, model, stock

VECTOR = np.array([0.5, 0.5], np.float32)


def test_the_newest_product_comes_first() -> None:
    """Alive products are in the order of their ages, whatever order they were read in."""
    rows = [Row(f"p{age:03}", added_at=NOW - timedelta(seconds=age)) for age in range(300)]
    shuffled = random.Random(3).sample(rows, len(rows))
    one_by_one, at_once = Stock(), Stock()
    at_once.put_catalogue(shuffled)
    for row in shuffled:
        one_by_one.put_catalogue([row])
    assert at_once.shelf.newest == one_by_one.shelf.newest == tuple(row.product_id for row in rows)


def test_no_more_of_the_newest_are_kept_than_are_needed() -> None:
    """The newest are bounded however large the catalogue is."""
    holder = Stock()
    holder.put_catalogue(Row(f"p{age}", added_at=NOW - timedelta(seconds=age)) for age in range(NEWEST + 10))
    assert len(holder.shelf.newest) == NEWEST
    assert len(holder.shelf.alive) == NEWEST + 10


def test_a_deleted_product_is_gone_everywhere() -> None:
    """It is neither alive nor new nor servable; the shelf from before keeps its numbers and knows that, too."""
    holder = stock(model())
    before = holder.shelf
    holder.put_catalogue([Row("east-2", alive=False)])
    assert "east-2" not in holder.shelf.alive
    assert "east-2" not in before.alive
    assert "east-2" not in holder.shelf.newest
    assert holder.shelf.assortment is not None
    assert before.assortment is not None
    assert not holder.shelf.assortment.servable[1]
    assert before.assortment.servable.all()


def test_a_product_that_comes_back_is_servable_again() -> None:
    """A deletion is not for ever: what is alive again can be recommended again."""
    holder = stock(model())
    holder.put_catalogue([Row("east-2", alive=False)])
    holder.put_catalogue([Row("east-2")])
    assert holder.shelf.assortment is not None
    assert holder.shelf.assortment.servable.all()
    assert "east-2" in holder.shelf.newest


def test_what_is_said_twice_changes_nothing() -> None:
    """Rows that are known make no new shelf."""
    holder = stock(model())
    before = holder.shelf
    holder.put_catalogue([Row("unknown", alive=False), Row("east-1", added_at=NOW)])
    assert holder.shelf is before


def test_of_two_words_on_one_product_the_last_counts() -> None:
    """A batch that adds and deletes a product leaves nothing of it, also not where ages are sorted."""
    holder = stock()
    added = [Row(f"p{number}") for number in range(100)]
    holder.put_catalogue([*added, *(replace(row, alive=False) for row in added)])
    holder.put_catalogue([Row("q"), Row("q", alive=False)])
    assert holder.shelf.newest == stock().shelf.newest


def test_a_model_meets_the_catalogue_as_it_is() -> None:
    """A product of the model that was deleted before the model came is not servable."""
    holder = stock(alive=["east-1", "cold"])
    holder.put_model(3, model())
    assert holder.shelf.version == 3
    assert holder.shelf.assortment is not None
    assert holder.shelf.assortment.servable.tolist() == [True, False, False, False, False, False, True]


def test_placed_products_are_scored_beside_the_models_own() -> None:
    """A placed product has a row, factors, and a score; it is cold and not in the gram."""
    holder = stock(model(), alive=["east-1", "placed"])
    holder.put_placed([("placed", VECTOR)])
    shelf = holder.shelf.assortment
    assert shelf is not None
    row = shelf.row("placed")
    assert row == 7
    assert shelf.product_id(row) == "placed"
    assert shelf.is_cold(row)
    rows = np.array([0, row], np.int32)
    assert shelf.factors(rows).tolist() == [[1, 0], [0.5, 0.5]]
    assert shelf.counted(rows).tolist() == [True, False]
    x = np.array([1, 1], np.float32)
    assert shelf.scores(x, rows).tolist() == [1, 1]
    # The other rows are not alive.
    best, scores = shelf.best(x, np.zeros(0, np.int32), 5, 0.1, 0.1)
    assert (best.tolist(), scores.tolist()) == ([0, row], [1, 1])
    assert shelf.best(x, np.array([row], np.int32), 5, 0.1, 0.1)[0].tolist() == [0]


def test_what_cannot_be_placed_is_left_out() -> None:
    """Vectors of another model's size or without finite numbers, and products that the model has, are not taken."""
    holder = stock(model(), alive=["east-1"])
    bad = np.array([np.nan, 0], np.float32)
    holder.put_placed([("short", VECTOR[:1]), ("broken", bad), ("east-1", VECTOR), ("good", VECTOR)])
    assert holder.shelf.assortment is not None
    assert holder.shelf.assortment.placed_ids == ("good",)


def test_another_model_begins_with_an_empty_annex() -> None:
    """What was placed for one model is nothing to the next."""
    holder = stock(model())
    holder.put_placed([("placed", VECTOR)])
    holder.put_model(2, model())
    assert holder.shelf.assortment is not None
    assert holder.shelf.assortment.row("placed") is None


def test_without_a_model_nothing_is_placed() -> None:
    """Placements that outrun their model are ignored."""
    holder = stock()
    holder.put_placed([("placed", VECTOR)])
    assert holder.shelf.assortment is None
    assert holder.shelf.version == 0
