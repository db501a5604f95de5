"""A model's bytes are read whole or refused; nothing in them is run."""

import io
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.recommender.artefact import decode, encode, is_finite
from services.recommender.model import Model, UnreadableModelError
from services.recommender.training import fit
from tests.unit.recommender.shops import CHOSEN, dataset

MODEL = fit(dataset(), CHOSEN, threads=1)
CONTENT = encode(MODEL)
# Where the archive's list of what is in it begins.
DIRECTORY = CONTENT.index(b"PK\x01\x02")


def changed(**arrays: object) -> bytes:
    """The bytes of the model with other arrays in it; None leaves one out."""
    with np.load(io.BytesIO(CONTENT)) as archive:
        kept = {name: archive[name] for name in archive.files} | arrays
    written = io.BytesIO()
    np.savez(written, **{name: array for name, array in kept.items() if array is not None})
    return written.getvalue()


def head(**values: object) -> np.ndarray:
    with np.load(io.BytesIO(CONTENT)) as archive:
        kept = json.loads(archive["head"].tobytes()) | values
    return np.frombuffer(json.dumps(kept).encode(), np.uint8)


def test_there_and_back() -> None:
    """Every field comes back as it was."""
    back = decode(CONTENT)
    for name, value in vars(MODEL).items():
        found = getattr(back, name)
        assert np.array_equal(found, value) if isinstance(value, np.ndarray) else found == value, name


def test_an_empty_one() -> None:
    """A model of nothing is a model."""
    nothing = replace(
        MODEL,
        product_ids=(),
        item_factors=np.zeros((0, 8), np.float32),
        cold=np.zeros(0, np.bool_),
        account_ids=np.zeros(0, np.int32),
        history_indptr=np.zeros(1, np.int64),
        history_items=np.zeros(0, np.int32),
        history_values=np.zeros(0, np.float32),
        history_bought=np.zeros(0, np.bool_),
    )
    assert decode(encode(nothing)).product_ids == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        CONTENT[:-1],
        CONTENT[: len(CONTENT) // 2],
        pickle.dumps(MODEL.product_ids),
        changed(gram=None),
        changed(head=None),
        changed(head=head(form=2)),
        changed(head=np.frombuffer(b"[]", np.uint8)),
        changed(head=head(hyperparameters={"depth": 3})),
        changed(head=head(data_to="yesterday")),
        changed(head=head(data_to="2025-01-01T00:00:00")),
        changed(gram=MODEL.gram[1:]),
        changed(item_factors=MODEL.item_factors[1:]),
        changed(item_factors=MODEL.item_factors.astype(np.float64)),
        changed(item_factors=np.full_like(MODEL.item_factors, np.nan)),
        changed(history_items=MODEL.history_items + 1_000),
        changed(history_items=MODEL.history_items - 1_000),
        changed(history_indptr=MODEL.history_indptr[::-1].copy()),
        changed(account_ids=MODEL.account_ids[::-1].copy()),
        changed(product_ids=np.frombuffer("\n".join(["same"] * 24).encode(), np.uint8)),
        changed(product_ids=np.array([b"object"], object)),
    ],
)
def test_what_is_no_model(content: bytes) -> None:
    """One error for all of it, before anything is used."""
    with pytest.raises(UnreadableModelError):
        decode(content)


@given(st.binary(max_size=200), st.integers(0, len(CONTENT) - 1))
# In the archive's directory: another version of zip, patched data, a password.
@example(b"\x40", DIRECTORY + 6)
@example(b"\x20", DIRECTORY + 8)
@example(b"\x01", DIRECTORY + 8)
def test_any_bytes(noise: bytes, at: int) -> None:
    """Noise anywhere in it: it is refused, or it is a model whose numbers are all finite."""
    try:
        found = decode(CONTENT[:at] + noise + CONTENT[at + len(noise) :])
    except UnreadableModelError:
        return
    assert isinstance(found, Model)
    assert is_finite(found)
