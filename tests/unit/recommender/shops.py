"""Made-up shops: accounts that each have one of two tastes, and deeds with products of it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from services.recommender.dataset import Dataset, Gathering, Row
from services.recommender.domain import Hyperparameters, Product

START = datetime(2025, 1, 1, tzinfo=UTC)
TASTES = ("camping", "kitchen")
CHOSEN = Hyperparameters(factors=8, iterations=10)


def products(count: int = 12) -> list[str]:
    """So many of each taste."""
    return [f"{taste}-{number:02}" for taste in TASTES for number in range(count)]


def deeds(accounts: int = 40, each: int = 8, count: int = 12, noise: float = 0.0, seed: int = 1) -> Iterator[Row]:
    """Each account views `each` different products of its taste, one after the other in time, all accounts in turn.

    `noise` is the share of views of anything.
    """
    rng = np.random.default_rng(seed)
    names = products(count)
    own = [rng.permutation([name for name in names if name.startswith(TASTES[a % 2])]) for a in range(accounts)]
    for turn in range(each):
        for account in range(accounts):
            name = str(rng.choice(names)) if rng.random() < noise else str(own[account][turn])
            yield account + 1, name, "view", 1, START + timedelta(minutes=turn * accounts + account)


def dataset(rows: Sequence[Row] | None = None, names: Sequence[str] | None = None) -> Dataset:
    gathering = Gathering(products() if names is None else names)
    gathering.add(list(deeds()) if rows is None else rows)
    return gathering.dataset()


def product(product_id: str, name: str = "", description: str = "") -> Product:
    return Product(product_id, name or product_id, description, 1999, "USD", 1, START)
