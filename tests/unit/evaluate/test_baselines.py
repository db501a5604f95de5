"""What the service is measured against."""

import numpy as np
import pytest

from tests.evaluate import baselines
from tests.evaluate.baselines import ItemKnn, Popularity, top, values
from tests.unit.evaluate.specimens import ratings

_SOME = ratings(
    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 3), (2, 4), (2, 5), (3, 0), (3, 3), (3, 4), (4, 1)]
)


def test_popularity() -> None:
    """Most dealt with first, without what the account had; of equals the lowest number."""
    ranked = Popularity().rank(_SOME, np.array([4, 2], np.int32), 3)
    assert [line.tolist() for line in ranked] == [[0, 3, 4], [1, 2]]


def test_neighbours() -> None:
    """Each account is led to what those of its taste have and it has not."""
    # Even accounts have products 0 to 3, odd ones 4 to 7; the first two lack the last of theirs.
    taste = [
        (account, 4 * (account % 2) + number) for account in range(12) for number in range(3 if account < 2 else 4)
    ]
    for weighting in ("cosine", "TF-IDF", "BM25"):
        ranked = ItemKnn(weighting, neighbours=8).rank(ratings(taste), np.array([0, 1], np.int32), 5)
        assert [line.tolist() for line in ranked] == [[3], [7]], weighting


def test_values() -> None:
    """Without emphasis all are worth the same, with 1 in proportion to the weights."""
    weighted = ratings([(0, 0), (0, 1)], weights=[1, 3])
    assert values(weighted, 0).tolist() == [1, 1]
    assert values(weighted, 1).tolist() == [0.5, 1.5]


def test_best_of_more_scores_than_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts are ranked for in batches; the answer is in their order and has nothing that scores nothing."""
    monkeypatch.setattr(baselines, "_SCORES_AT_ONCE", 4)
    learned = ratings([(account, 0) for account in range(3)] + [(3, 1), (3, 2)])
    scores = np.array([[9, 1, 2], [9, 2, 1], [9, 0, -1], [3, 9, 9]], np.float32)
    ranked = top(lambda rows: scores[rows], learned, np.arange(4, dtype=np.int32), 2)
    assert [line.tolist() for line in ranked] == [[2, 1], [1, 2], [], [0]]
