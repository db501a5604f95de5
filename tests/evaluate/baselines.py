"""What the service's model has to beat: what is popular, and the neighbours of what an account has dealt with.

Every system ranks for accounts by what it has learned, and never answers what an account had already.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight, normalize, tfidf_weight

from services.recommender.model import Floats, Integers
from tests.evaluate.ratings import Ratings

# Each is given and answers a matrix of products and accounts; the numbers of BM25 are those of the library's own model.
_WEIGHTINGS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "cosine": normalize,
    "TF-IDF": lambda matrix: normalize(tfidf_weight(matrix)),
    "BM25": lambda matrix: bm25_weight(matrix, K1=1.2, B=0.75),
}
# Scores held at once: 80 MB.
_SCORES_AT_ONCE: Final = 10_000_000


@dataclass(frozen=True)
class Popularity:
    """Ranks by how many accounts have dealt with a product, alike for everybody."""

    def rank(self, learned: Ratings, accounts: Integers, k: int) -> list[Integers]:
        """Answers the best k products, or as many as there are, of each of the accounts."""
        counts = np.bincount(learned.products, minlength=learned.product_count).astype(np.float32)
        return top(lambda rows: np.tile(counts, (len(rows), 1)), learned, accounts, k)

    def __str__(self) -> str:
        return "popularity"


@dataclass(frozen=True)
class ItemKnn:
    """Item-to-item neighbours of `implicit` by one of its weightings.

    A product scores by its likeness to what the account has; the `neighbours` nearest of each product are kept.
    `emphasis` is that of `values`.
    """

    weighting: str = "cosine"
    neighbours: int = 100
    emphasis: float = 0.0

    def rank(self, learned: Ratings, accounts: Integers, k: int) -> list[Integers]:
        """Answers the best k products, or as many as score, of each of the accounts."""
        matrix = as_matrix(learned, values(learned, self.emphasis))
        model = ItemItemRecommender(K=self.neighbours, num_threads=1)
        model.fit(_WEIGHTINGS[self.weighting](matrix.T.astype(np.float64)).T.tocsr(), show_progress=False)
        return top(lambda rows: (matrix[rows] @ model.similarity).toarray(), learned, accounts, k)

    def __str__(self) -> str:
        return f"item-kNN: {self.weighting}, {self.neighbours} neighbours, emphasis {self.emphasis:g}"


def values(ratings: Ratings, emphasis: float) -> Floats:
    """Answers what each pair is worth: its weight against the mean one, to the power of `emphasis`.

    With 0 it counts only that there was an interaction, with 1 a weight of twice as much counts twice as much.
    """
    relative: Floats = ratings.weights / ratings.weights.mean()
    return relative ** np.float32(emphasis)


def as_matrix(ratings: Ratings, of: Floats) -> Any:
    """Answers the pairs' values as a CSR matrix of accounts and products."""
    shape = ratings.account_count, ratings.product_count
    return scipy.sparse.csr_matrix((of, (ratings.accounts, ratings.products)), shape=shape)


def top(score: Callable[[Integers], Any], learned: Ratings, accounts: Integers, k: int) -> list[Integers]:
    """Answers the k products of the highest scores above 0 for each account, without those that it had.

    `score` is given some of the accounts and answers an array [accounts, products]. Equal scores: lowest number first.
    """
    had = as_matrix(learned, np.ones(len(learned), np.float32))
    ranked: list[Integers] = []
    for rows in _batches(accounts, learned.product_count):
        scores = np.where(had[rows].toarray() > 0, 0, score(rows))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
        ranked += [best[line[best] > 0] for best, line in zip(order, scores, strict=True)]
    return ranked


def _batches(accounts: Integers, products: int) -> Iterator[Integers]:
    size = max(1, _SCORES_AT_ONCE // max(1, products))
    for start in range(0, len(accounts), size):
        yield accounts[start : start + size]
