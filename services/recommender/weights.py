"""How much an interaction says: by its kind, its number and its age. The trainer and serving count alike.

The values of one account's deeds with one product are added up and then saturate as a term's count does in BM25
(Robertson and Zaragoza 2009): (k + 1) · v / (k + v), so that a hundred views never drown one purchase of another thing.
"""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import numpy as np

from services.recommender.domain import Deed, Hyperparameters, Kind
from services.recommender.model import Floats

_DAY: Final = 86_400.0


def raw(deed: Deed, now: datetime, chosen: Hyperparameters) -> float:
    """Answers the value of one deed before saturation; `now` is the newest moment that counts, a later deed is new."""
    age = max(0.0, (now - deed.at).total_seconds() / _DAY)
    if deed.kind is Kind.PURCHASE:
        # Ten pieces of one product say a little more than one, not ten times as much.
        weight = chosen.purchase_weight * (1.0 + math.log(max(1, deed.quantity)))
    else:
        weight = chosen.view_weight * deed.quantity
    return float(weight * 0.5 ** (age / chosen.half_life_days))


def saturated(values: Floats, chosen: Hyperparameters) -> Floats:
    """Answers the values of pairs of account and product from their sums; those are 0 or more."""
    k = np.float32(chosen.saturation)
    return (k + 1) * values / (k + values)


def of_deeds(deeds: Iterable[Deed], now: datetime, chosen: Hyperparameters) -> dict[str, float]:
    """Answers the saturated value by product of one account's deeds."""
    sums: dict[str, float] = {}
    for deed in deeds:
        sums[deed.product_id] = sums.get(deed.product_id, 0.0) + raw(deed, now, chosen)
    if not sums:
        return {}
    values = saturated(np.fromiter(sums.values(), np.float32, len(sums)), chosen)
    return dict(zip(sums, map(float, values), strict=True))
