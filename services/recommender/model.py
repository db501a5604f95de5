"""A trained model: arrays that the trainer writes and every serving process reads, and their form as bytes.

The bytes are NumPy's own archive without pickled objects: reading them runs no code. A model is never changed; what
replaces it is another one.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.recommender.domain import Hyperparameters

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


class UnreadableModelError(Exception):
    """The bytes are no whole model; the message says what is wrong with them."""


@dataclass(frozen=True, eq=False)
class Model:
    """One version; n products, m accounts, f factors.

    `product_ids` are the alive products at the time of training, in the order of the rows of `item_factors` [n, f].
    `cold` [n] marks those that nobody had dealt with: their factors come from their text. `gram` [f, f] is the sum of
    the outer products of the warm rows, and `regularization` the absolute one, both as ALS used them. The history of
    account `account_ids[i]` (ascending) [m] is rows `history_indptr[i]` to `history_indptr[i + 1]` of
    `history_items` (rows of `item_factors`), `history_values` (see weights.py) and `history_bought`.
    `data_to` is the newest interaction in it.
    """

    data_to: datetime
    hyperparameters: Hyperparameters
    product_ids: tuple[str, ...]
    item_factors: Floats
    cold: Flags
    gram: Floats
    regularization: float
    account_ids: Integers
    history_indptr: npt.NDArray[np.int64]
    history_items: Integers
    history_values: Floats
    history_bought: Flags

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each product."""
        return {product_id: row for row, product_id in enumerate(self.product_ids)}
