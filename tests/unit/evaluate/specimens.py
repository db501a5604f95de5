"""Small ratings for tests."""

from collections.abc import Sequence

import numpy as np

from tests.evaluate.ratings import Ratings


def ratings(
    pairs: Sequence[tuple[int, int]], weights: Sequence[float] | None = None, times: Sequence[float] | None = None
) -> Ratings:
    """Answers them, of as many accounts and products as the pairs name."""
    accounts, products = (np.array(numbers, np.int32) for numbers in zip(*pairs, strict=True))
    worth = np.array(weights if weights is not None else [1.0] * len(pairs), np.float32)
    moments = None if times is None else np.array(times, np.float64)
    return Ratings(accounts, products, worth, moments, int(accounts.max()) + 1, int(products.max()) + 1)
