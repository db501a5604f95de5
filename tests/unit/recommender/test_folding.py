import dataclasses

import numpy as np
import pytest
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from services.recommender.folding import fold_in
from tests.unit.recommender.shelves import PLAIN, model


def test_folding_in_is_what_implicit_does() -> None:
    """The factors of an account that was in the training are those that implicit itself finds for it."""
    random = np.random.default_rng(7)
    values = (random.random((60, 40)) * (random.random((60, 40)) < 0.2)).astype(np.float32)
    with threadpool_limits(1):
        als = AlternatingLeastSquares(factors=8, regularization=3.0, alpha=4.0, iterations=5, random_state=1)
        als.fit(csr_matrix(values), show_progress=False)
    factors = np.asarray(als.item_factors)
    products = {str(number): tuple(map(float, row)) for number, row in enumerate(factors)}
    made = dataclasses.replace(
        model(products), regularization=3.0, hyperparameters=dataclasses.replace(PLAIN, factors=8, alpha=4.0)
    )
    for account in range(60):
        rows = np.flatnonzero(values[account])
        if len(rows):
            ours = fold_in(made, factors[rows], values[account, rows], np.ones(len(rows), np.bool_))
            theirs = als.recalculate_user(account, csr_matrix(values[account]))
            np.testing.assert_allclose(ours, np.asarray(theirs).ravel(), rtol=2e-3, atol=1e-4)


def test_who_did_nothing_has_no_factors() -> None:
    """Without products the answer is zeros."""
    nothing = np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros(0, np.bool_)
    assert fold_in(model(), *nothing).tolist() == [0, 0]


def test_a_product_outside_of_the_gram_adds_all_of_itself() -> None:
    """One deed with a product that was not trained on: a confidence below 1 does not turn the system over."""
    y = np.array([[0.5, 0.0]], np.float32)
    made = dataclasses.replace(model(), gram=np.zeros((2, 2), np.float32))
    x = fold_in(made, y, np.array([0.01], np.float32), np.array([False]))
    assert x.tolist() == pytest.approx([0.04 * 0.5 / (0.04 * 0.25 + 0.5), 0], rel=1e-5)


@pytest.mark.parametrize("broken", [np.zeros((2, 2), np.float32), np.full((2, 2), np.nan, np.float32)])
def test_a_system_without_solution_says_nothing(broken: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    """A model whose numbers leave no solution answers zeros, and raises nothing."""
    made = dataclasses.replace(model(), gram=broken, regularization=0.0)
    y, value, counted = np.array([[1, 0]], np.float32), np.ones(1, np.float32), np.ones(1, np.bool_)
    assert fold_in(made, y, value, counted).tolist() == [0, 0]
