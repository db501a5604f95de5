"""Folding makes texts equal that a search must not tell apart, and keeps others apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.product.folding import fold


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Crème Brûlée", "creme brulee"),
        ("STRASSE", "straße"),
        ("Łódź", "lodz"),
        ("Ærøskøbing", "aeroskobing"),
        ("Œuvre", "oeuvre"),
        ("Đorđe", "dorde"),
        ("İSTANBUL \N{LATIN SMALL LETTER DOTLESS I}ş\N{LATIN SMALL LETTER DOTLESS I}k", "istanbul isik"),
        ("Þór við Ísafjörð", "thor vid isafjord"),
        ("Tiếng Việt", "tieng viet"),
        ("Ёлка", "елка"),
        ("Άλφα ΣΊΣΥΦΟΣ", "αλφα σισυφος"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("أحمد", "احمد"),
        ("ﬁne ①", "fine 1"),
        ("Ｆｕｌｌ", "full"),  # noqa: RUF001 full-width letters, as typed on an East Asian keyboard
        ("don\N{RIGHT SINGLE QUOTATION MARK}t", "don't"),
        ("soft\N{SOFT HYPHEN}ware", "software"),
    ],
)
def test_equal(written: str, typed: str) -> None:
    """Accents, case, ligatures and typographic variants make no difference in any of these scripts."""
    assert fold(written) == fold(typed)


@pytest.mark.parametrize(("one", "other"), [("かき", "がき"), ("कि", "का"), ("กา", "ก่า"), ("pen", "pan"), ("東", "京")])
def test_different(one: str, other: str) -> None:
    """Marks that make another letter or syllable are not accents."""
    assert fold(one) != fold(other)


def test_composed_again() -> None:
    """Syllables stay whole, which is what the index breaks words by."""
    assert fold("한국어 ガラス") == "한국어 ガラス"


@given(st.text())
def test_folding_twice(text: str) -> None:
    """What is folded already does not change any more, whatever the text."""
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_forms(text: str) -> None:
    """It does not matter in which Unicode form or case a text came."""
    assert fold(text.casefold()) == fold(text)
