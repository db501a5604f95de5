"""Folding in: the factors of whoever is not in the model, or is not any more what the model knew.

With the factors of all products held fixed, those of one account are the solution of one small linear system (Hu, Koren
and Volinsky 2008, equation 4): x = (YᵀY + Yᵀ(C - I)Y + λI)⁻¹ Yᵀ C p, where p is 1 for what the account dealt with and
C the confidence in that. YᵀY is kept with the model, so only the few rows of the account's own products are touched.
"""

import numpy as np
import numpy.typing as npt

from services.recommender.model import Floats, Model

Doubles = npt.NDArray[np.float64]


def fold_in(model: Model, factors: Floats, values: Floats, counted: npt.NDArray[np.bool_]) -> Floats:
    """Answers the factors [f] of an account that dealt with k products.

    `factors` [k, f] are theirs, `values` [k] those of weights.py, above 0, and `counted` [k] says which of the products
    are in the model's gram: those that are not add their whole outer product. Zeros are answered where nothing can be
    said: for no products, or for a model in which the system has no solution.
    """
    confidence = np.asarray(values, np.float64) * model.hyperparameters.alpha
    y = np.asarray(factors, np.float64)
    system = model.gram + (y.T * (confidence - counted)) @ y
    system[np.diag_indices_from(system)] += model.regularization
    return _solution(system, confidence @ y)


def _solution(system: Doubles, right: Doubles) -> Floats:
    try:
        solved = np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        return np.zeros(len(right), np.float32)
    return solved.astype(np.float32) if np.isfinite(solved).all() else np.zeros(len(right), np.float32)
