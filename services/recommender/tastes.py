"""What an account did, in the form that ranking needs, from wherever it is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np

from services.recommender import weights
from services.recommender.domain import Deed, Kind
from services.recommender.model import Model

# The newest deeds that say what fits: older ones of so busy an account say little, and all of them cost 10 ms.
MOST_WEIGHED: Final = 500


@dataclass(frozen=True, slots=True)
class Taste:
    """What to rank by: `values` of weights.py by product (empty without a model).

    `seen` are the products to be shown again after the new ones, newest deed first; `hidden` are never shown.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()


def of_deeds(deeds: Sequence[Deed], model: Model | None) -> Taste:
    """Answers the taste of an account that did this: what it viewed is shown again, what it bought is not."""
    bought = frozenset(deed.product_id for deed in deeds if deed.kind is Kind.PURCHASE)
    latest = sorted(deeds, key=lambda deed: deed.at, reverse=True)
    seen = tuple(dict.fromkeys(deed.product_id for deed in latest if deed.product_id not in bought))
    return Taste(_values(latest[:MOST_WEIGHED], model), seen, bought)


def of_session(product_ids: Sequence[str], now: datetime, model: Model | None) -> Taste:
    """Answers the taste of a session in which these were viewed just now; none of them is shown again."""
    deeds = [Deed(product_id, Kind.VIEW, 1, now) for product_id in dict.fromkeys(product_ids)]
    return Taste(_values(deeds, model), (), frozenset(product_ids))


def of_model(model: Model, account_id: int) -> Taste:
    """Answers the taste that the model was trained with; an empty one for an account that is not in it."""
    at = int(np.searchsorted(model.account_ids, account_id))
    if at == len(model.account_ids) or model.account_ids[at] != account_id:
        return Taste()
    span = slice(model.history_indptr[at], model.history_indptr[at + 1])
    ids = [model.product_ids[row] for row in model.history_items[span]]
    values = dict(zip(ids, map(float, model.history_values[span]), strict=True))
    bought = frozenset(product_id for product_id, was in zip(ids, model.history_bought[span], strict=True) if was)
    return Taste(values, tuple(product_id for product_id in ids if product_id not in bought), bought)


def _values(deeds: Sequence[Deed], model: Model | None) -> Mapping[str, float]:
    return weights.of_deeds(deeds, model.data_to, model.hyperparameters) if model else {}
