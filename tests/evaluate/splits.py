"""Two parts of the pairs, one to learn from and one to be asked about, by account.

Each account gives the same share of its own pairs, so that nobody is asked about who is not known at all: those drawn
at random (a random split stratified by account) or the last in time.
"""

import numpy as np

from tests.evaluate.errors import EvaluationError
from tests.evaluate.ratings import Ratings


def split(ratings: Ratings, share: float, seed: int, *, in_time: bool = False) -> tuple[Ratings, Ratings]:
    """Answers the part to learn from and the rest.

    Of n pairs of an account the first part is `share` · n, rounded, but at least 1 and, where there are more, at most
    n - 1. With `in_time` the earlier pairs are learned from, and what has the same time is drawn. Raises
    EvaluationError where the second part is empty, or where times are wanted and there are none.
    """
    drawn = np.random.default_rng(seed).random(len(ratings))
    keys = (drawn, ratings.accounts) if not in_time else (drawn, _times(ratings), ratings.accounts)
    order = np.lexsort(keys)
    counts = np.bincount(ratings.accounts, minlength=ratings.account_count)
    starts = np.cumsum(counts) - counts
    accounts = ratings.accounts[order]
    first = np.maximum(1, np.minimum(counts - 1, np.floor(share * counts + 0.5)))
    learned = np.zeros(len(ratings), bool)
    learned[order] = np.arange(len(ratings)) - starts[accounts] < first[accounts]
    if learned.all():
        raise EvaluationError("No account has dealt with enough products to be asked about one: 2 are needed.")
    return ratings.where(learned), ratings.where(~learned)


def _times(ratings: Ratings) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if ratings.times is None:
        raise EvaluationError("A split in time needs a column time.")
    return ratings.times
