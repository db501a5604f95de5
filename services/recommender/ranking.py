"""The order of an answer: what fits the taste, then what was seen before, then what is popular, then what is new.

What fits is found at once, exactly, and without scoring what cannot fit (see ladder.py); the rest of a list is made
only as far as somebody pages.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

import numpy as np

from services.recommender.assortment import Assortment
from services.recommender.domain import Reason, Recommendation
from services.recommender.folding import fold_in
from services.recommender.model import Floats, Integers
from services.recommender.shelf import Shelf
from services.recommender.tastes import Taste

# Products that are recommended because they fit; after so many, what is popular says more.
MOST_FITTING: Final = 200
# Entries of a whole answer.
MOST_LISTED: Final = 1_000
# What scores less than this share of the best one does not fit, and neither does what scores less than the least.
_SHARE: Final = 0.05
_LEAST: Final = 1e-3


class Ranked:
    """One answer, best first, no product twice; to be paged through by one thread."""

    def __init__(self, version: int, entries: Iterator[Recommendation]) -> None:
        self.version = version
        self._entries = entries
        self._made: list[Recommendation] = []

    def page(self, shelf: Shelf, skip: int, take: int) -> tuple[Recommendation, ...]:
        """Answers `take` entries after the first `skip`, without those whose product has been deleted since."""
        alive: list[Recommendation] = []
        at = 0
        while len(alive) < skip + take:
            if at == len(self._made) and not self._make():
                break
            if self._made[at].product_id in shelf.alive:
                alive.append(self._made[at])
            at += 1
        return tuple(alive[skip:])

    def _make(self) -> bool:
        entry = next(self._entries, None) if len(self._made) < MOST_LISTED else None
        if entry is not None:
            self._made.append(entry)
        return entry is not None


def rank(shelf: Shelf, taste: Taste, because: Reason) -> Ranked:
    """Answers what to show to this taste; `because` is the reason of what the model finds near to it."""
    fitting: Iterable[Recommendation] = ()
    seen: Sequence[str] = taste.seen
    x = _factors(shelf.assortment, taste.values) if shelf.assortment else None
    if shelf.assortment and x is not None:
        seen = _by_score(shelf.assortment, x, taste.seen)
        fitting = _fitting(shelf.assortment, x, taste, because)
    entries = chain(
        fitting,
        (Recommendation(product_id, Reason.SEEN) for product_id in seen),
        (Recommendation(product_id, Reason.POPULAR) for product_id in shelf.popular),
        (Recommendation(product_id, Reason.NEW) for product_id in shelf.newest),
    )
    return Ranked(shelf.version, _distinct(shelf, taste, entries))


def _factors(assortment: Assortment, values: Mapping[str, float]) -> Floats | None:
    """Answers the factors of who dealt with these; None where the model knows nothing of them."""
    known = {assortment.row(product_id): value for product_id, value in values.items()}
    known.pop(None, None)
    if not known:
        return None
    rows = np.array(list(known), np.int32)
    confidence = np.fromiter(known.values(), np.float32, len(known))
    return fold_in(assortment.model, assortment.factors(rows), confidence, assortment.counted(rows))


def _fitting(assortment: Assortment, x: Floats, taste: Taste, because: Reason) -> Iterator[Recommendation]:
    """Answers the products not dealt with yet that score best; equal ones in their order, so that replicas agree."""
    hidden = _rows(assortment, {*taste.values, *taste.seen, *taste.hidden})
    rows, scores = assortment.best(x, hidden, MOST_FITTING, _LEAST, _SHARE)
    fit = scores >= max(_LEAST, _SHARE * float(scores.max(initial=0.0)))
    rows, scores = rows[fit], scores[fit]
    best: list[int] = rows[np.argsort(-scores, kind="stable")][:MOST_FITTING].tolist()
    return (
        Recommendation(assortment.product_id(row), Reason.SIMILAR if assortment.is_cold(row) else because)
        for row in best
    )


def _by_score(assortment: Assortment, x: Floats, product_ids: Sequence[str]) -> list[str]:
    """Answers them best first; those without a score last, in the order given."""
    known = [product_id for product_id in product_ids if assortment.row(product_id) is not None]
    scores = dict(zip(known, assortment.scores(x, _rows(assortment, known)).tolist(), strict=True))
    return sorted(product_ids, key=lambda product_id: -scores.get(product_id, -np.inf))


def _rows(assortment: Assortment, product_ids: Iterable[str]) -> Integers:
    """Answers the rows of those that have one, in their order."""
    return np.array([row for row in map(assortment.row, product_ids) if row is not None], np.int32)


def _distinct(shelf: Shelf, taste: Taste, entries: Iterator[Recommendation]) -> Iterator[Recommendation]:
    """Leaves out what is hidden, gone, or listed already."""
    listed = set(taste.hidden)
    for entry in entries:
        if entry.product_id not in listed and entry.product_id in shelf.alive:
            listed.add(entry.product_id)
            yield entry
