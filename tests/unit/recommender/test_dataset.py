"""Deeds as arrays: numbered, valued as serving values them, and cut in time."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommender import weights
from services.recommender.dataset import cold, dealings, mean_confidence
from services.recommender.domain import Deed, Hyperparameters, Kind
from tests.unit.recommender.shops import START, dataset

ROWS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["a", "b", "c", "not there"]),
        st.sampled_from([kind.value for kind in Kind]),
        st.integers(1, 20),
        st.integers(0, 400).map(lambda days: START + timedelta(days=days)),
    ),
    min_size=1,
)


@given(ROWS)
def test_the_trainer_values_as_serving_does(rows: list[tuple[int, str, str, int, object]]) -> None:
    """Every pair of account and product has the value that weights.of_deeds gives one account's deeds."""
    data = dataset(rows, ["a", "b", "c"])  # type: ignore[arg-type]  # the strategy's times are datetimes
    if not len(data):
        return
    chosen = Hyperparameters(half_life_days=30)
    found = dealings(data, data.data_to, chosen)
    for number, account_id in enumerate(data.account_ids.tolist()):
        own = [row for row in rows if row[0] == account_id and row[1] != "not there"]
        deeds = [Deed(row[1], Kind(row[2]), row[3], row[4]) for row in own]  # type: ignore[arg-type]  # as above
        wanted = weights.of_deeds(deeds, data.data_to, chosen)
        shown = found.values[number].toarray().ravel()
        assert shown == pytest.approx([wanted.get(name, 0.0) for name in ("a", "b", "c")], rel=1e-5)
        span = slice(found.values.indptr[number], found.values.indptr[number + 1])
        columns = found.values.indices[span]
        bought = {data.product_ids[column] for column in columns[found.bought[span]]}
        assert bought == {deed.product_id for deed in deeds if deed.kind is Kind.PURCHASE}


def test_pages_are_one_dataset() -> None:
    """In any number of pages; accounts are numbered in ascending order, products as they are given."""
    rows = [(9, "b", "view", 1, START), (3, "a", "purchase", 2, START), (9, "a", "view", 1, START + timedelta(days=1))]
    data = dataset(rows, ["a", "b"])
    assert data.account_ids.tolist() == [3, 9]
    assert data.accounts.tolist() == [1, 0, 1]
    assert data.products.tolist() == [1, 0, 0]
    assert (data.data_from, data.data_to) == (START, START + timedelta(days=1))
    assert data.purchases.tolist() == [False, True, False]


def test_a_part_keeps_its_numbers() -> None:
    """Accounts and products of a part have the numbers that they have in the whole."""
    data = dataset()
    part = data.where(data.accounts == 5)
    assert len(part) == 8
    assert part.account_ids is data.account_ids
    assert dealings(part, data.data_to, Hyperparameters()).values.shape == (40, 24)


def test_what_is_cold() -> None:
    """Products that nobody dealt with; the mean confidence is that of accounts which have any."""
    data = dataset([(1, "a", "view", 1, START), (2, "a", "view", 1, START)], ["a", "b"])
    values = dealings(data.where(np.array([True, False])), START, Hyperparameters()).values
    assert cold(values).tolist() == [False, True]
    assert mean_confidence(values, Hyperparameters(alpha=2)) == pytest.approx(2.0)
    nothing = dealings(data.where(np.array([False, False])), START, Hyperparameters()).values
    assert mean_confidence(nothing, Hyperparameters()) == 0.0
