"""The best products of an account without scoring all: the rows of a matrix, those of the longest factors first.

A score is at most the length of the product's factors times that of the account's (Cauchy and Schwarz). So the rows are
scored in blocks down the ladder, until no row below can reach what the k-th best has already: the answer is the same
as that of a full pass. Popular products have long factors and most products short ones, so that is a seventh of
100,000 rows, and what costs is to read them from memory.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.recommender.model import Flags, Floats, Integers

# Rows of the first block; each further one is as long as all before it.
_FIRST: Final = 2048
# The bound and the scores are rounded differently.
_SLACK: Final = 1.0001


@dataclass(frozen=True, eq=False)
class Ladder:
    """`rows` [n] are those of a model, `factors` [n, f] theirs and `lengths` [n] the lengths of those, descending."""

    rows: Integers
    factors: Floats
    lengths: Floats

    def best(self, x: Floats, servable: Flags, k: int, least: float, share: float) -> tuple[Integers, Floats]:
        """Answers rows, ascending, and their scores for an account of the factors x [f].

        They are those that are `servable` [n or more, by the model's rows], score at least `least` and at least
        `share` of the best score, and as much as the k-th best: more than k where several score the same.
        """
        parts: list[Floats] = []
        done, reach = 0, float(np.linalg.norm(x)) * _SLACK
        while done < len(self.rows):
            block = slice(done, max(_FIRST, 2 * done))
            scores = self.factors[block] @ x
            scores[~servable[self.rows[block]]] = -np.inf
            parts.append(scores)
            done += len(scores)
            if done < len(self.rows) and self.lengths[done] * reach < _bar(np.concatenate(parts), k, least, share):
                break
        scores = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        fitting = np.flatnonzero(scores >= _bar(scores, k, least, share))
        order = np.argsort(self.rows[fitting])
        return self.rows[fitting][order], scores[fitting][order]


def _bar(scores: Floats, k: int, least: float, share: float) -> float:
    """Answers what a row has to score to be among the best k, `least`, and `share` of the best."""
    bar = max(least, share * float(scores.max(initial=0.0)))
    if len(scores) > k:
        bar = max(bar, float(np.partition(scores, len(scores) - k)[len(scores) - k]))
    return bar


def ladder(factors: Floats) -> Ladder:
    """Answers the ladder of these factors [n, f]."""
    lengths = np.linalg.norm(factors, axis=1)
    rows = np.argsort(-lengths, kind="stable").astype(np.int32)
    return Ladder(rows, np.ascontiguousarray(factors[rows]), lengths[rows])
