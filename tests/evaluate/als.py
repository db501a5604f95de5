"""The service's own model and ranking, given a data set instead of a shop.

A pair of the data becomes one purchase of a product, since what was bought is never shown again, and what it weighs
becomes its age: the service lets a deed's value halve with time, so a weight of a quarter of the heaviest is a purchase
two half-lives ago. Everything from there on is the service's code: values, training, folding in and ranking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.recommender import tastes
from services.recommender.assortment import assorted
from services.recommender.dataset import Dataset
from services.recommender.domain import Hyperparameters, Reason
from services.recommender.model import Integers, Model
from services.recommender.ranking import rank
from services.recommender.shelf import Shelf
from services.recommender.training import fit
from tests.evaluate.ratings import Ratings

_DAY: Final = 86_400.0
_HALF_LIFE_DAYS: Final = 90.0
# Any moment will do: ages count from the newest deed.
_NEWEST: Final = 1_767_225_600.0
# More would gain little on data of this size, and lose much on a busy machine.
_THREADS: Final = 1
_USUAL: Final = Hyperparameters()


@dataclass(frozen=True)
class Als:
    """The service with these of its hyperparameters, trained with weights that are 1 on average."""

    regularization: float = _USUAL.regularization
    alpha: float = _USUAL.alpha
    saturation: float = _USUAL.saturation
    factors: int = _USUAL.factors
    seed: int = 0

    def rank(self, learned: Ratings, accounts: Integers, k: int) -> list[Integers]:
        """Answers the best k products of each of the accounts, what is popular where nothing fits."""
        model = self._model(learned)
        counts = np.bincount(learned.products, minlength=learned.product_count)
        shelf = _shelf(model, [str(number) for number in np.argsort(-counts, kind="stable")])
        return [_ranked(shelf, model, int(account), k) for account in accounts]

    def _model(self, learned: Ratings) -> Model:
        worth = learned.weights / learned.weights.mean()
        heaviest = float(worth.max())
        chosen = Hyperparameters(
            factors=self.factors,
            regularization=self.regularization,
            alpha=self.alpha,
            saturation=self.saturation,
            purchase_weight=heaviest,
            half_life_days=_HALF_LIFE_DAYS,
            seed=self.seed,
        )
        data = Dataset(
            account_ids=np.arange(learned.account_count, dtype=np.int32),
            product_ids=tuple(map(str, range(learned.product_count))),
            accounts=learned.accounts,
            products=learned.products,
            times=_NEWEST - _DAY * _HALF_LIFE_DAYS * np.log2(heaviest / worth.astype(np.float64)),
            purchases=np.ones(len(learned), np.bool_),
            quantities=np.ones(len(learned), np.int32),
        )
        return fit(data, chosen, _THREADS)

    def __str__(self) -> str:
        return (
            f"ALS: {self.factors} factors, regularization {self.regularization:g}, alpha {self.alpha:g}, "
            f"saturation {self.saturation:g}"
        )


def _shelf(model: Model, popular: Sequence[str]) -> Shelf:
    alive = {product_id: (0.0, product_id) for product_id in model.product_ids}
    return Shelf(alive, assorted(1, model, alive), tuple(popular))


def _ranked(shelf: Shelf, model: Model, account: int, k: int) -> Integers:
    """Answers the service's first page for an account that the model knows."""
    page = rank(shelf, tastes.of_model(model, account), Reason.TASTE).page(shelf, 0, k)
    return np.array([int(entry.product_id) for entry in page], np.int32)
