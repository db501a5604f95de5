"""How good lists are for those who asked: by what they dealt with afterwards.

What counts is whether an account dealt with a product, not how much. The definitions are those of Microsoft's
recommenders library, so that figures can be put beside published ones: nDCG's ideal is a list that begins with
as many right products as there are and as fit, and average precision is over all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Means over the accounts, all from 0 to 1; coverage is the share of the catalogue that is on some list."""

    precision: float
    recall: float
    ndcg: float
    map: float
    coverage: float


def measure(ranked: Sequence[Rows], truth: Sequence[Rows], k: int, catalogue: int) -> Metrics:
    """Answers how well the first k of each list tell the account's truth; `catalogue` is the number of all products.

    `ranked[i]` is best first and without doubles, and may be shorter than k; `truth[i]` is not empty and without
    doubles. All are 0 where there is no account.
    """
    if not truth:
        return Metrics(0.0, 0.0, 0.0, 0.0, 0.0)
    hits, relevant = _hits(ranked, truth, k)
    shown = np.concatenate([best[:k] for best in ranked])
    return Metrics(
        precision=float(hits.mean()),
        recall=float((hits.sum(1) / relevant).mean()),
        ndcg=float(_ndcg(hits, relevant).mean()),
        map=float(_average_precision(hits, relevant).mean()),
        coverage=len(np.unique(shown)) / catalogue if catalogue else 0.0,
    )


def ndcgs(ranked: Sequence[Rows], truth: Sequence[Rows], k: int) -> npt.NDArray[np.float64]:
    """Answers the nDCG of each account's list, of which `measure` answers the mean."""
    return _ndcg(*_hits(ranked, truth, k))


def _hits(
    ranked: Sequence[Rows], truth: Sequence[Rows], k: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Answers which of the first k are right, and how many would be."""
    hits = np.zeros((len(truth), k))
    for row, (best, right) in enumerate(zip(ranked, truth, strict=True)):
        hits[row, : min(k, len(best))] = np.isin(best[:k], right)
    return hits, np.fromiter(map(len, truth), np.int64, len(truth))


def _ndcg(hits: npt.NDArray[np.float64], relevant: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    k = hits.shape[1]
    gains = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gains)[np.minimum(relevant, k) - 1]
    return np.asarray((hits @ gains) / ideal)


def _average_precision(hits: npt.NDArray[np.float64], relevant: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    precision_at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precision_at * hits).sum(1) / relevant)
