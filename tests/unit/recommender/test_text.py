"""Products that nobody has dealt with are placed by their words."""

import numpy as np
import pytest

from services.recommender.model import Model
from services.recommender.text import DAMPING, placed
from services.recommender.training import fit
from tests.unit.recommender.shops import CHOSEN, dataset, product, products

WORDS = {"camping": "tent with pegs for camping", "kitchen": "steel pan for the kitchen"}
NAMES = [*products(), "new-tent", "new-pan", "stranger"]
TEXTS = [
    *(product(name, WORDS[name.partition("-")[0]], f"Number {name[-2:]}") for name in products()),
    product("new-tent", "A tent", "Goes with any camping"),
    product("new-pan", "PAN", "for a Kitchén"),
    product("stranger", "zzyzx", ""),
]


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(dataset(names=NAMES), CHOSEN, threads=1)


def nearest(model: Model, vector: np.ndarray) -> str:
    warm = np.flatnonzero(~model.cold)
    row = int(warm[np.argmax(model.item_factors[warm] @ vector)])
    return model.product_ids[row].partition("-")[0]


def test_new_products_are_among_their_like(model: Model) -> None:
    """By the words of their texts, whatever their case and accents."""
    found, _ = placed(model, TEXTS)
    assert nearest(model, found.item_factors[24]) == "camping"
    assert nearest(model, found.item_factors[25]) == "kitchen"
    assert np.array_equal(found.item_factors[:24], model.item_factors[:24])
    assert found.cold.tolist() == model.cold.tolist()


def test_a_stranger_is_nowhere(model: Model) -> None:
    """Without a word in common there is nothing to go by."""
    found, places = placed(model, TEXTS)
    assert not found.item_factors[26].any()
    assert not places.of([product("later", "qwfpgj")]).any()


def test_what_comes_later_is_placed_alike(model: Model) -> None:
    """With the same text at the same place, and a little nearer to nothing than its neighbours."""
    found, places = placed(model, TEXTS)
    later = places.of([product("later", "A tent", "Goes with any camping"), product("other", "PAN", "for a Kitchén")])
    assert later == pytest.approx(found.item_factors[24:26], abs=1e-6)
    camping = np.linalg.norm(model.item_factors[:12], axis=1)
    assert np.linalg.norm(later[0]) <= DAMPING * camping.max() * 1.001


@pytest.mark.parametrize("text", ["", "!!! ... ???", "\U0001f3d5"])
def test_texts_without_words(model: Model, text: str) -> None:
    """A shop of products without words places nothing, and fails at nothing."""
    found, places = placed(model, [product(name, " " + text, text) for name in NAMES])
    assert not found.item_factors[24:].any()
    assert places.of([product("later", "A tent")]).shape == (1, 8)
    assert places.of([]).shape == (0, 8)
