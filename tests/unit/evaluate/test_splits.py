"""The two parts of a split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.errors import EvaluationError
from tests.evaluate.splits import split
from tests.unit.evaluate.specimens import ratings


def _pairs(part: object) -> set[tuple[int, int]]:
    return set(zip(part.accounts.tolist(), part.products.tolist(), strict=True))  # type: ignore[attr-defined]


@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=8).filter(lambda counts: max(counts) > 1),
    seed=st.integers(0, 99),
)
def test_shares(counts: list[int], seed: int) -> None:
    """Nothing is lost or doubled, and each account gives three quarters of its own, rounded, and never all."""
    whole = ratings([(account, product) for account, count in enumerate(counts) for product in range(count)])
    learned, asked = split(whole, 0.75, seed)
    assert _pairs(learned) | _pairs(asked) == _pairs(whole)
    assert len(learned) + len(asked) == len(whole)
    expected = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 5, 8: 6, 9: 7, 10: 8, 11: 8, 12: 9}
    assert np.bincount(learned.accounts).tolist() == [expected[count] for count in counts]


def test_repeatable() -> None:
    """The same seed draws the same, another one does not."""
    whole = ratings([(account, product) for account in range(5) for product in range(8)])
    assert _pairs(split(whole, 0.75, 1)[1]) == _pairs(split(whole, 0.75, 1)[1])
    assert _pairs(split(whole, 0.75, 1)[1]) != _pairs(split(whole, 0.75, 2)[1])


def test_in_time() -> None:
    """In time, the earlier ones are learned from, whatever the seed."""
    pairs = [(0, product) for product in range(8)]
    whole = ratings(pairs, times=[8, 7, 6, 5, 4, 3, 2, 1])
    for seed in range(3):
        assert _pairs(split(whole, 0.75, seed, in_time=True)[1]) == {(0, 0), (0, 1)}


def test_times_are_needed_for_a_split_in_time() -> None:
    """Without a column of times there is no split in time."""
    with pytest.raises(EvaluationError, match="column time"):
        split(ratings([(0, 0), (0, 1)]), 0.5, 0, in_time=True)


def test_nobody_to_ask() -> None:
    """Where every account has dealt with one product alone, there is nobody to be asked."""
    with pytest.raises(EvaluationError, match="2 are needed"):
        split(ratings([(0, 0), (1, 1)]), 0.75, 0)
