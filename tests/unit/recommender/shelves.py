"""Small models and shelves, with numbers that can be followed by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from services.recommender.domain import Deed, Hyperparameters, Kind, ModelRecord
from services.recommender.model import Model
from services.recommender.shelf import Stock

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
# Values then are their weights, nearly: nothing ages and nothing saturates.
PLAIN = Hyperparameters(factors=2, alpha=4.0, half_life_days=1e9, saturation=1e9)
# Two clear tastes: east and north. "both" is liked by either, "cold" is known by its text.
PRODUCTS: Mapping[str, tuple[float, float]] = {
    "east-1": (1.0, 0.0),
    "east-2": (0.9, 0.0),
    "east-3": (0.8, 0.0),
    "north-1": (0.0, 1.0),
    "north-2": (0.0, 0.9),
    "both": (0.3, 0.3),
    "cold": (0.5, 0.0),
}


@dataclass(frozen=True)
class Row:
    """A row of the catalogue."""

    product_id: str
    alive: bool = True
    added_at: datetime = NOW
    changed_at: datetime = NOW


def model(
    products: Mapping[str, tuple[float, ...]] = PRODUCTS,
    histories: Mapping[int, Sequence[tuple[str, float, bool]]] | None = None,
) -> Model:
    """A model of these factors; `histories` are (product, value, bought) by account."""
    factors = np.array(list(products.values()), np.float32)
    cold = np.array([product_id.startswith("cold") for product_id in products], np.bool_)
    warm = factors[~cold]
    ids = list(products)
    accounts = sorted(histories or {})
    deeds = [deed for account in accounts for deed in (histories or {})[account]]
    counts = [len((histories or {})[account]) for account in accounts]
    return Model(
        data_to=NOW,
        hyperparameters=PLAIN,
        product_ids=tuple(ids),
        item_factors=factors,
        cold=cold,
        gram=warm.T @ warm,
        regularization=0.5,
        account_ids=np.array(accounts, np.int32),
        history_indptr=np.cumsum([0, *counts]).astype(np.int64),
        history_items=np.array([ids.index(product_id) for product_id, _, _ in deeds], np.int32),
        history_values=np.array([value for _, value, _ in deeds], np.float32),
        history_bought=np.array([bought for _, _, bought in deeds], np.bool_),
    )


def record(version: int = 1, **metrics: float) -> ModelRecord:
    return ModelRecord(version, NOW, NOW - timedelta(days=1), NOW, 100, PLAIN, metrics)


def view(product_id: str, seconds: float = 0) -> Deed:
    """A view so many seconds ago."""
    return Deed(product_id, Kind.VIEW, 1, NOW - timedelta(seconds=seconds))


def purchase(product_id: str, seconds: float = 0) -> Deed:
    """A purchase of one piece so many seconds ago."""
    return Deed(product_id, Kind.PURCHASE, 1, NOW - timedelta(seconds=seconds))


def stock(made: Model | None = None, alive: Sequence[str] = tuple(PRODUCTS), popular: Sequence[str] = ()) -> Stock:
    """A stock in which the first of `alive` is the newest; its model has version 1."""
    holder = Stock()
    holder.put_catalogue(Row(product_id, added_at=NOW - timedelta(minutes=i)) for i, product_id in enumerate(alive))
    holder.put_popular(popular)
    if made is not None:
        holder.put_model(1, made)
    return holder
