"""The made-up shop of the recommender's benchmark."""

import numpy as np

from tests.bench.shop import FINE_IN_BROAD, Shop

_SHOP = Shop(products=20_000, accounts=300, interactions=30_000)


def test_size() -> None:
    """All interactions are there, oldest first, of accounts and products that exist; the same at every run."""
    chunks, again = list(_SHOP.deeds()), list(_SHOP.deeds())
    assert sum(len(chunk.accounts) for chunk in chunks) == 30_000
    accounts, products, ages = (
        np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("accounts", "products", "ages")
    )
    assert (accounts.min(), accounts.max()) == (1, 300)
    assert products.min() >= 0
    assert products.max() < 20_000
    assert (np.diff(ages) < 0).all()
    assert np.array_equal(products, np.concatenate([chunk.products for chunk in again]))


def test_tastes() -> None:
    """An account's three favourite groups get more than half of what it does, and lie in two broad ones."""
    deeds = next(_SHOP.deeds())
    busiest = np.bincount(deeds.accounts).argmax()
    groups = deeds.products[deeds.accounts == busiest] % _SHOP.fine_groups
    favourites = np.bincount(groups).argsort()[-3:]
    assert np.isin(groups, favourites).mean() > 0.5
    assert len(set((favourites // FINE_IN_BROAD).tolist())) <= 2


def test_scaled() -> None:
    """A smaller shop has the same shape and is never too small for two broad groups."""
    assert Shop().scaled(0.01) == Shop(products=4_000, accounts=1_000, interactions=50_000)
    assert Shop().scaled(1.0) == Shop()
