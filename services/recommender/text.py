"""A place in the model for products that nobody has dealt with: by their words.

Names and descriptions are weighed by TF-IDF: the words of both, a name's twice, and pairs of words of names. (Pairs of
a hundred thousand descriptions would be millions, which hardly two products share.) A product without a history is put
where the products most like it are: the mean of their factors, weighed by the likeness, and a little nearer to nothing
than they are, for a guess ranks below what is known.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer, strip_accents_unicode

from services.recommender.domain import Product
from services.recommender.model import Floats, Model

NEIGHBOURS: Final = 10
DAMPING: Final = 0.8
# Words that more products have tell little, and would make every product a neighbour of every other.
MOST_SHARED: Final = 2_000
MOST_WORDS: Final = 200_000
# Characters of a description: what a product is, is said first.
LONGEST: Final = 1_000
# One letter and one digit are words, too: sizes are.
_WORD: Final = re.compile(r"\w+")
# Products whose likeness to all others is worked out at once.
_BATCH: Final = 256


class Places:
    """Finds places in a model by the text of the products in it."""

    def __init__(self, model: Model, products: Sequence[Product]) -> None:
        """`products` are those of the model, in the order of its rows."""
        self._factors = model.item_factors[~model.cold]
        self._words = TfidfVectorizer(
            analyzer=_terms,
            sublinear_tf=True,
            max_df=1.0 if len(products) <= MOST_SHARED else MOST_SHARED,
            max_features=MOST_WORDS,
            dtype=np.float32,
        )
        try:
            known = self._words.fit_transform(products)
        except ValueError:
            # No product has a word that is not everybody's.
            self._known: Any = None
        else:
            self._known = known[~model.cold].T.tocsr()

    def of(self, products: Sequence[Product]) -> Floats:
        """Answers the factors [k, f] of k products; zeros for one that is like none."""
        found = np.zeros((len(products), self._factors.shape[1]), np.float32)
        if self._known is not None and len(self._factors):
            for begin in range(0, len(products), _BATCH):
                batch = self._words.transform(products[begin : begin + _BATCH])
                likeness = (batch @ self._known).tocsr()
                for row in range(likeness.shape[0]):
                    span = slice(likeness.indptr[row], likeness.indptr[row + 1])
                    found[begin + row] = self._mean(likeness.indices[span], likeness.data[span])
        return found

    def _mean(self, neighbours: npt.NDArray[np.int32], likeness: Floats) -> Floats:
        if not len(neighbours):
            return np.zeros(self._factors.shape[1], np.float32)
        # By row where several are alike, so that the same text always finds the same place.
        nearest = np.lexsort((neighbours, -likeness))[:NEIGHBOURS]
        weights = likeness[nearest] / likeness[nearest].sum()
        mean: Floats = DAMPING * (weights @ self._factors[neighbours[nearest]])
        return mean


def placed(model: Model, products: Sequence[Product]) -> tuple[Model, Places]:
    """Answers the model with a place for each of its cold products, and what places those that come after.

    `products` are those of the model, in the order of its rows.
    """
    places = Places(model, products)
    cold = np.flatnonzero(model.cold).tolist()
    factors = model.item_factors.copy()
    factors[cold] = places.of([products[row] for row in cold])
    return replace(model, item_factors=factors), places


def _terms(product: Product) -> list[str]:
    name = _words(product.name)
    pairs = [f"{first} {second}" for first, second in pairwise(name)]
    return 2 * (name + pairs) + _words(product.description[:LONGEST])


def _words(text: str) -> list[str]:
    return _WORD.findall(strip_accents_unicode(text.lower()))
