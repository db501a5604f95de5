"""Making a model: implicit-feedback ALS (Hu, Koren and Volinsky 2008) of the library `implicit`.

Regularization is a share of what an account has at stake, so that one setting fits shops of any size: the same absolute
one that is right for a hundred deeds an account would press those of a small shop to nothing.
"""

from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from services.recommender.dataset import Dataset, cold, dealings, mean_confidence
from services.recommender.domain import Hyperparameters
from services.recommender.model import Floats, Model


def fit(data: Dataset, chosen: Hyperparameters, threads: int) -> Model:
    """Answers a model of the data, in which there has to be a deed; the same one for the same data, seed and threads.

    Products that nobody dealt with have factors of 0 in it; text.py gives them a place.
    """
    known = dealings(data, data.data_to, chosen)
    regularization = chosen.regularization * mean_confidence(known.values, chosen)
    factors = _item_factors(known.values, chosen, regularization, threads)
    return Model(
        data_to=data.data_to,
        hyperparameters=chosen,
        product_ids=data.product_ids,
        item_factors=factors,
        cold=cold(known.values),
        gram=factors.T @ factors,
        regularization=regularization,
        account_ids=data.account_ids,
        history_indptr=known.values.indptr.astype(np.int64),
        history_items=known.values.indices,
        history_values=known.values.data,
        history_bought=known.bought,
    )


def _item_factors(values: Any, chosen: Hyperparameters, regularization: float, threads: int) -> Floats:
    # The library's threads and those of linear algebra beneath each of them would fight for the same processors.
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(
            factors=chosen.factors,
            regularization=regularization,
            alpha=chosen.alpha,
            iterations=chosen.iterations,
            num_threads=threads,
            random_state=chosen.seed,
        )
        als.fit(values, show_progress=False)
    factors: Floats = als.item_factors
    # What nobody dealt with is left where it began by no iteration, but exactly nowhere is better than nearly.
    factors[cold(values)] = 0.0
    return factors
