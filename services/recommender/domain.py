"""What the recommender talks about. Times are UTC.

An interaction is something that an account or an unknown visitor did with a product. A model is made of many of them
and has a version, which grows; what is served always says which version it comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What was done with a product; the values are what the database keeps."""

    VIEW = "view"
    PURCHASE = "purchase"


class Reason(StrEnum):
    """Why a product is recommended; see protos/recommender.proto."""

    TASTE = "taste"
    VIEWED = "viewed"
    SIMILAR = "similar"
    SEEN = "seen"
    POPULAR = "popular"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Interaction:
    """Something done with a product; without `account_id` by visitors who were not signed in.

    `quantity` is how many were bought; for views how many there were, 1 where an account's is told.
    """

    event_id: str
    kind: Kind
    product_id: str
    account_id: int | None
    quantity: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Deed:
    """What one account did with one product, as far as serving needs it."""

    product_id: str
    kind: Kind
    quantity: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the catalogue has it; a newer version replaces an older one, never the other way round."""

    product_id: str
    name: str
    description: str
    price_minor: int
    currency: str
    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Gone:
    """A product that was deleted; `version` is above the last one that existed."""

    product_id: str
    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One product, and why."""

    product_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Recommended:
    """A page, best first; `model_version` is 0 while no model is there."""

    items: tuple[Recommendation, ...]
    model_version: int


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What a model is made with.

    `regularization` is relative: a share of the mean confidence of an account, so that one value fits shops of any
    size. `alpha` turns a value of weights.py into ALS's confidence. `seed` makes a training repeatable.
    """

    factors: int = 64
    regularization: float = 0.1
    alpha: float = 4.0
    iterations: int = 15
    view_weight: float = 1.0
    purchase_weight: float = 4.0
    half_life_days: float = 90.0
    saturation: float = 3.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What is kept of a model beside its numbers; `refusal` says why it never served, and is empty if it does."""

    version: int
    made_at: datetime
    data_from: datetime
    data_to: datetime
    interactions: int
    hyperparameters: Hyperparameters
    metrics: Mapping[str, float] = field(default_factory=dict)
    refusal: str = ""
