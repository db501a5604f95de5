"""The metrics, on lists that can be counted by hand."""

from math import log2

import numpy as np
import pytest

from services.recommender.measuring import Metrics, measure


def _rows(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(numbers, np.int32)


def test_by_hand() -> None:
    """Two of four right ones on the first and third place: each metric is what its definition comes to."""
    found = measure([_rows(5, 9, 7)], [_rows(7, 1, 5, 2)], 3, 10)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 4)
    assert found.ndcg == pytest.approx((1 + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4)))
    assert found.map == pytest.approx((1 + 2 / 3) / 4)
    assert found.coverage == pytest.approx(3 / 10)


def test_ideal_is_what_could_be_reached() -> None:
    """Who dealt with one product alone is told perfectly by a list that begins with it."""
    found = measure([_rows(4, 1, 2)], [_rows(4)], 3, 5)
    assert (found.ndcg, found.recall, found.map) == (1, 1, 1)
    assert found.precision == pytest.approx(1 / 3)


def test_means_and_coverage() -> None:
    """Accounts count alike, a short list has misses after its end, and coverage is of all lists."""
    found = measure([_rows(0, 1), _rows(0), _rows()], [_rows(0, 1), _rows(0), _rows(3)], 2, 4)
    assert found.precision == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.coverage == pytest.approx(2 / 4)


def test_only_the_first_k_count() -> None:
    """What comes after the k-th place is as if it were not there."""
    assert measure([_rows(9, 8, 1)], [_rows(1)], 2, 10) == Metrics(0, 0, 0, 0, 2 / 10)


def test_nobody() -> None:
    """Without accounts there is nothing, and no error."""
    assert measure([], [], 10, 10) == Metrics(0, 0, 0, 0, 0)
