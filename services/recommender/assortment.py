"""What a model can score: its own products and those placed after its training, as one range of rows.

The annex is kept beside the model's arrays instead of in them, because a new product a minute would otherwise copy all
of them a minute. Nothing here is ever changed: what is new is another assortment around the same arrays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.recommender.ladder import Ladder, ladder
from services.recommender.model import Flags, Floats, Integers, Model

# Products placed after the training that are scored; the next training takes them over.
MOST_PLACED: Final = 10_000


@dataclass(frozen=True, eq=False)
class Assortment:
    """A model of n products and an annex of a; rows are the model's and then the annex's.

    `servable` [n + a] marks the rows whose product is alive. `placed_rows` has the rows of `placed_ids`.
    """

    version: int
    model: Model
    ladder: Ladder
    placed_ids: tuple[str, ...]
    placed_rows: Mapping[str, int]
    placed_factors: Floats
    servable: Flags

    def row(self, product_id: str) -> int | None:
        """Answers the row of a product; None for one that cannot be scored."""
        row = self.model.rows.get(product_id)
        return self.placed_rows.get(product_id) if row is None else row

    def product_id(self, row: int) -> str:
        """Answers whose row it is."""
        known = len(self.model.product_ids)
        return self.model.product_ids[row] if row < known else self.placed_ids[row - known]

    def is_cold(self, row: int) -> bool:
        """Answers whether the row comes from the product's text alone."""
        return row >= len(self.model.product_ids) or bool(self.model.cold[row])

    def counted(self, rows: Integers) -> Flags:
        """Answers which of the rows are in the model's gram: the warm ones."""
        return np.array([not self.is_cold(row) for row in rows], np.bool_)

    def factors(self, rows: Integers) -> Floats:
        """Answers the factors of these rows [len(rows), f]."""
        known = len(self.model.product_ids)
        own = rows < known
        chosen = np.empty((len(rows), self.model.item_factors.shape[1]), np.float32)
        chosen[own] = self.model.item_factors[rows[own]]
        chosen[~own] = self.placed_factors[rows[~own] - known]
        return chosen

    def scores(self, x: Floats, rows: Integers) -> Floats:
        """Answers how well these rows fit an account of the factors x [f]."""
        return self.factors(rows) @ x

    def best(self, x: Floats, hidden: Integers, k: int, least: float, share: float) -> tuple[Integers, Floats]:
        """Answers rows, ascending, and their scores for an account of the factors x [f].

        Among them are the best k of those that are servable and not hidden, as far as they score at least `least` and
        at least `share` of the best score; others may be.
        """
        open_rows = self.servable.copy()
        open_rows[hidden] = False
        rows, scores = self.ladder.best(x, open_rows, k, least, share)
        known = len(self.model.product_ids)
        placed = np.flatnonzero(open_rows[known:]).astype(np.int32)
        return np.concatenate([rows, placed + known]), np.concatenate([scores, self.placed_factors[placed] @ x])

    def with_placed(self, placed: Iterable[tuple[str, Floats]], alive: Mapping[str, object]) -> "Assortment":
        """Answers one whose annex is this; vectors that do not fit, and products that the model has, are left out."""
        kept = dict(pair for pair in placed if self._fits(*pair))
        ids = tuple(kept)[:MOST_PLACED]
        if ids == self.placed_ids:
            return self
        known, factors = self.model.item_factors.shape
        return replace(
            self,
            placed_ids=ids,
            placed_rows={product_id: known + at for at, product_id in enumerate(ids)},
            placed_factors=np.array([kept[product_id] for product_id in ids], np.float32).reshape(len(ids), factors),
            servable=np.concatenate([self.servable[:known], flags(ids, alive)]),
        )

    def with_changed(self, changed: Iterable[tuple[str, bool]]) -> "Assortment":
        """Answers one in which these products are alive or not."""
        servable = self.servable.copy()
        for product_id, alive in changed:
            row = self.row(product_id)
            if row is not None:
                servable[row] = alive
        return replace(self, servable=servable)

    def _fits(self, product_id: str, vector: Floats) -> bool:
        right = vector.shape == self.model.item_factors.shape[1:] and bool(np.isfinite(vector).all())
        return right and product_id not in self.model.rows


def assorted(version: int, model: Model, alive: Mapping[str, object]) -> Assortment:
    """Answers the assortment of a model with an empty annex; `alive` has the products that are."""
    none = np.zeros((0, model.item_factors.shape[1]), np.float32)
    return Assortment(version, model, ladder(model.item_factors), (), {}, none, flags(model.product_ids, alive))


def flags(product_ids: Sequence[str], alive: Mapping[str, object]) -> Flags:
    """Answers which of the products are alive."""
    return np.fromiter((product_id in alive for product_id in product_ids), np.bool_, len(product_ids))
