"""A model of a shop with two clear tastes knows them apart."""

import numpy as np
import pytest

from services.recommender.domain import Hyperparameters
from services.recommender.folding import fold_in
from services.recommender.model import Model
from services.recommender.training import fit
from tests.unit.recommender.shops import CHOSEN, START, dataset, deeds, products

NAMES = [*products(), "nobody's"]


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(dataset(names=NAMES), CHOSEN, threads=1)


def test_tastes_are_told_apart(model: Model) -> None:
    """Whoever viewed camping gear is offered more of it before anything of the kitchen."""
    factors = model.item_factors[[model.rows[f"camping-{number:02}"] for number in range(3)]]
    taste = fold_in(model, factors, np.ones(3, np.float32), np.ones(3, np.bool_))
    order = [model.product_ids[row] for row in np.argsort(-(model.item_factors @ taste))]
    assert all(name.startswith("camping") for name in order[:12])


def test_it_is_repeatable(model: Model) -> None:
    """The same data, seed and threads make the same model."""
    again = fit(dataset(names=NAMES), CHOSEN, threads=1)
    assert np.array_equal(again.item_factors, model.item_factors)


def test_what_nobody_dealt_with_is_nowhere(model: Model) -> None:
    """Its factors are 0 and it is marked as cold, alone."""
    assert model.item_factors[-1].tolist() == [0.0] * 8
    assert model.cold.tolist() == [False] * 24 + [True]


def test_histories_are_kept(model: Model) -> None:
    """Each account's own products, with values, for the time when the database is away."""
    span = slice(model.history_indptr[0], model.history_indptr[1])
    own = {row[1] for row in deeds() if row[0] == 1}
    assert {model.product_ids[row] for row in model.history_items[span]} == own
    assert not model.history_bought.any()


def test_one_deed_is_enough() -> None:
    """The smallest shop there is has a model, with finite numbers."""
    model = fit(dataset([(1, "a", "view", 1, START)], ["a", "b"]), Hyperparameters(factors=4), threads=1)
    assert np.isfinite(model.item_factors).all()
    assert model.regularization > 0
