"""What a model is made from: the deeds of accounts with the products that there are, as arrays.

Five million deeds as Python objects would be gigabytes; here each is 21 bytes. Accounts and products are numbered: the
number of a product is its row in the model that is made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from services.recommender import weights
from services.recommender.domain import Hyperparameters, Kind
from services.recommender.model import Flags, Integers

_DAY: Final = 86_400.0

# (account id, product id, kind, quantity, time)
Row = tuple[int, str, str, int, datetime]


@dataclass(frozen=True, eq=False)
class Dataset:
    """E deeds of m accounts with n products.

    `account_ids` [m] ascend; deed i is one of account number `accounts[i]` with product number `products[i]` at
    `times[i]`, in seconds since 1970; a purchase of `quantities[i]` pieces where `purchases[i]`, else a view.
    """

    account_ids: Integers
    product_ids: tuple[str, ...]
    accounts: Integers
    products: Integers
    times: npt.NDArray[np.float64]
    purchases: Flags
    quantities: Integers

    def __len__(self) -> int:
        return len(self.accounts)

    @property
    def data_from(self) -> datetime:
        """The oldest deed; there has to be one."""
        return datetime.fromtimestamp(self.times.min(), UTC)

    @property
    def data_to(self) -> datetime:
        """The newest deed; there has to be one."""
        return datetime.fromtimestamp(self.times.max(), UTC)

    def where(self, chosen: Flags) -> "Dataset":
        """Answers the deeds for which `chosen` [E] holds; accounts and products keep their numbers."""
        return replace(
            self,
            accounts=self.accounts[chosen],
            products=self.products[chosen],
            times=self.times[chosen],
            purchases=self.purchases[chosen],
            quantities=self.quantities[chosen],
        )

    @cached_property
    def pairs(self) -> npt.NDArray[np.int64]:
        """The pair of account and product of each deed, as one number: account · n + product."""
        return self.accounts.astype(np.int64) * len(self.product_ids) + self.products


@dataclass(frozen=True, eq=False)
class Dealings:
    """What accounts are to products: values of weights.py [m, n], and which of them stand for a purchase.

    `bought` goes along with `values.data`.
    """

    values: Any
    bought: Flags


def dealings(data: Dataset, now: datetime, chosen: Hyperparameters) -> Dealings:
    """Answers the value of every pair of account and product with a deed, seen from `now`."""
    ages = np.maximum(0.0, now.timestamp() - data.times) / _DAY
    # As weights.raw, for all at once.
    bought = chosen.purchase_weight * (1.0 + np.log(np.maximum(1, data.quantities)))
    raw = np.where(data.purchases, bought, chosen.view_weight * data.quantities) * 0.5 ** (ages / chosen.half_life_days)
    frame = pd.DataFrame({"pair": data.pairs, "raw": raw, "bought": data.purchases})
    # Sorted by pair, which is the order of a CSR matrix.
    summed = frame.groupby("pair", sort=True).agg({"raw": "sum", "bought": "max"})
    rows, columns = np.divmod(summed.index.to_numpy(), max(1, len(data.product_ids)))
    values = weights.saturated(summed["raw"].to_numpy(np.float32), chosen)
    shape = (len(data.account_ids), len(data.product_ids))
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
    matrix = scipy.sparse.csr_matrix((values, columns.astype(np.int32), indptr.astype(np.int32)), shape=shape)
    return Dealings(matrix, summed["bought"].to_numpy(np.bool_))


class Gathering:
    """Makes a Dataset out of pages of rows; rows of products that are not among `product_ids` are left out."""

    def __init__(self, product_ids: Sequence[str]) -> None:
        self._product_ids = tuple(product_ids)
        self._numbers: Mapping[str, int] = {product_id: row for row, product_id in enumerate(self._product_ids)}
        self._pages: list[tuple[npt.NDArray[Any], ...]] = []

    def add(self, rows: Iterable[Row]) -> None:
        """Takes a page."""
        known = [(row, number) for row in rows if (number := self._numbers.get(row[1])) is not None]
        self._pages.append(
            (
                np.array([row[0] for row, _ in known], np.int32),
                np.array([number for _, number in known], np.int32),
                np.array([row[4].timestamp() for row, _ in known], np.float64),
                np.array([row[2] == Kind.PURCHASE.value for row, _ in known], np.bool_),
                np.array([row[3] for row, _ in known], np.int32),
            )
        )

    def dataset(self) -> Dataset:
        """Answers everything that was taken."""
        self.add(())
        accounts, products, times, purchases, quantities = map(np.concatenate, zip(*self._pages, strict=True))
        self._pages.clear()
        account_ids, numbers = np.unique(accounts, return_inverse=True)
        return Dataset(account_ids, self._product_ids, numbers.astype(np.int32), products, times, purchases, quantities)


def cold(values: Any) -> Flags:
    """Answers which products [n] nobody had dealt with, from the values of Dealings."""
    return np.asarray(values.getnnz(axis=0) == 0)


def mean_confidence(values: Any, chosen: Hyperparameters) -> float:
    """Answers the confidence that an account has in all its products together, the mean of those that have any."""
    active = int((values.getnnz(axis=1) > 0).sum())
    return chosen.alpha * float(values.data.sum(dtype=np.float64)) / active if active else 0.0
