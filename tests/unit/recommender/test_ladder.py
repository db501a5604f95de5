"""The ladder finds what scoring every row finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommender import ladder as module
from services.recommender.ladder import ladder
from services.recommender.model import Flags, Floats

LEAST, SHARE = 1e-3, 0.05


def plain(factors: Floats, x: Floats, servable: Flags, k: int) -> list[int]:
    """The best rows by a full pass and a full sort; equal ones in their order."""
    scores = np.where(servable, factors @ x, -np.inf)
    bar = max(LEAST, SHARE * float(scores.max(initial=0.0)))
    order = np.argsort(-scores, kind="stable")[:k]
    return [int(row) for row in order if scores[row] >= bar]


def climbed(factors: Floats, x: Floats, servable: Flags, k: int) -> list[int]:
    """The best rows by the ladder."""
    rows, scores = ladder(factors).best(x, servable, k, LEAST, SHARE)
    bar = max(LEAST, SHARE * float(scores.max(initial=0.0)))
    assert (np.diff(rows) > 0).all()
    order = np.argsort(-scores, kind="stable")[:k]
    return [int(rows[at]) for at in order if scores[at] >= bar]


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few rows are several blocks."""
    monkeypatch.setattr(module, "_FIRST", 4)


@pytest.mark.usefixtures("short_blocks")
class TestSmall:
    """Whole numbers, so that both ways score exactly alike and equal scores are many."""

    @given(
        rows=st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.booleans()), max_size=60),
        account=st.tuples(st.integers(-2, 2), st.integers(-2, 2)),
        k=st.integers(1, 12),
    )
    def test_same_as_a_full_pass(self, rows: list[tuple[int, int, bool]], account: tuple[int, int], k: int) -> None:
        """Also with equal scores and lengths, rows that do not serve, and accounts of whom nothing is known."""
        factors = np.array([row[:2] for row in rows], np.float32).reshape(len(rows), 2)
        servable = np.array([row[2] for row in rows], np.bool_)
        x = np.array(account, np.float32)
        assert climbed(factors, x, servable, k) == plain(factors, x, servable, k)

    def test_stops_early(self) -> None:
        """Rows that cannot be among the best are not read: here they would be found by their nonsense."""
        factors = np.array([[9, 0]] * 4 + [[1, 0]] * 30, np.float32)
        made = ladder(factors)
        made.factors[8:] = np.nan
        rows, _ = made.best(np.array([1, 0], np.float32), np.ones(34, np.bool_), 3, LEAST, SHARE)
        assert rows.tolist() == [0, 1, 2, 3]

    def test_goes_on_where_the_longest_do_not_serve(self) -> None:
        """Deleted products and those that an account had stand in nobody's way."""
        factors = np.array([[9, 0]] * 20 + [[1, 0]], np.float32)
        servable = np.array([False] * 20 + [True])
        assert climbed(factors, np.array([1, 0], np.float32), servable, 5) == [20]


def test_same_as_a_full_pass_on_a_large_model() -> None:
    """Popular products have longer factors; the best 200 of 30,000 are the same, whatever is read of the rest."""
    dice = np.random.default_rng(1)
    factors = (dice.normal(size=(30_000, 16)) * dice.pareto(2, (30_000, 1))).astype(np.float32)
    servable = dice.random(30_000) < 0.95
    for _ in range(20):
        x = dice.normal(size=16).astype(np.float32)
        assert set(climbed(factors, x, servable, 200)) == set(plain(factors, x, servable, 200))
