"""A model as bytes: NumPy's archive of arrays, without pickled objects, so that reading one runs no code.

What is read is checked as a whole: shapes that fit together, rows that exist, numbers that are finite. A model that is
half right never serves.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.recommender.domain import Hyperparameters
from services.recommender.model import Model, UnreadableModelError

# Grows when the arrays' meaning changes; another one is not read.
_FORM: Final = 1
# Between ids in one string: no id has a line break in it.
_BREAK: Final = "\n"
_ARRAYS: Final[Mapping[str, type[np.generic]]] = {
    "item_factors": np.float32,
    "cold": np.bool_,
    "gram": np.float32,
    "account_ids": np.int32,
    "history_indptr": np.int64,
    "history_items": np.int32,
    "history_values": np.float32,
    "history_bought": np.bool_,
}

Arrays = Mapping[str, npt.NDArray[Any]]


def encode(model: Model) -> bytes:
    """Answers the model's bytes."""
    head = {
        "form": _FORM,
        "data_to": model.data_to.isoformat(),
        "hyperparameters": asdict(model.hyperparameters),
        "regularization": model.regularization,
    }
    texts = {"head": json.dumps(head), "product_ids": _BREAK.join(model.product_ids)}
    arrays = {name: np.ascontiguousarray(getattr(model, name), kind) for name, kind in _ARRAYS.items()}
    for name, text in texts.items():
        arrays[name] = np.frombuffer(text.encode(), np.uint8)
    written = io.BytesIO()
    np.savez(written, allow_pickle=False, **arrays)
    return written.getvalue()


def decode(content: bytes) -> Model:
    """Answers the model; raises UnreadableModelError for anything but the whole bytes of one."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in (*_ARRAYS, "head", "product_ids")}
        return _checked(_model(arrays))
    except Exception as error:  # noqa: BLE001 what a damaged archive raises is the business of three libraries
        raise UnreadableModelError(f"{type(error).__name__}: {error}") from None


def _model(arrays: Arrays) -> Model:
    head = json.loads(arrays["head"].tobytes())
    if head["form"] != _FORM:
        raise ValueError(f"Its form is {head['form']}, and {_FORM} is read.")
    for name, kind in _ARRAYS.items():
        if arrays[name].dtype != kind:
            raise ValueError(f"{name} is of {arrays[name].dtype}.")
    ids = arrays["product_ids"].tobytes().decode()
    return Model(
        data_to=datetime.fromisoformat(head["data_to"]),
        hyperparameters=Hyperparameters(**head["hyperparameters"]),
        product_ids=tuple(ids.split(_BREAK)) if ids else (),
        regularization=float(head["regularization"]),
        **{name: arrays[name] for name in _ARRAYS},
    )


def _checked(model: Model) -> Model:
    n, m, f = len(model.product_ids), len(model.account_ids), model.hyperparameters.factors
    dealings = len(model.history_items)
    shapes = {
        "item_factors": (n, f),
        "cold": (n,),
        "gram": (f, f),
        "account_ids": (m,),
        "history_indptr": (m + 1,),
        "history_items": (dealings,),
        "history_values": (dealings,),
        "history_bought": (dealings,),
    }
    for name, shape in shapes.items():
        if getattr(model, name).shape != shape:
            raise ValueError(f"{name} has the shape {getattr(model, name).shape}, not {shape}.")
    if not _is_in_order(model, dealings):
        raise ValueError("Its accounts' histories lead nowhere.")
    if not is_finite(model):
        raise ValueError("Not all of its numbers are finite.")
    if len(model.rows) != n or model.data_to.tzinfo is None:
        raise ValueError("A product is in it twice, or its time has no zone.")
    return model


def is_finite(model: Model) -> bool:
    """Answers whether every number of a model is one."""
    numbers = (model.item_factors, model.gram, model.history_values, np.float64(model.regularization))
    return all(bool(np.isfinite(each).all()) for each in numbers)


def _is_in_order(model: Model, dealings: int) -> bool:
    indptr, items = model.history_indptr, model.history_items
    return bool(
        indptr[0] == 0
        and indptr[-1] == dealings
        and (np.diff(indptr) >= 0).all()
        and (np.diff(model.account_ids) > 0).all()
        and (not dealings or (items.min() >= 0 and items.max() < len(model.product_ids)))
    )
