"""What is a valid product, and what may be asked for."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidError
from services.product import rules
from tests.factories.product import product_id


@pytest.mark.parametrize("name", ["Kettle", "  Kettle\n", "Чайник", "やかん", "🫖", "غلاية", "x" * 200, "a\u200db"])
def test_names(name: str) -> None:
    """Names of up to 200 characters in every script are kept, without the white space around them."""
    assert rules.clean_name(name) == name.strip()


@pytest.mark.parametrize(
    "name", ["", "   ", "\u200b\u200d", "x" * 201, "x" * 100_000, "a\x00b", "a\nb", "a\x7f", "a\u2028b", "\ud800"]
)
def test_bad_names(name: str) -> None:
    """Empty, invisible, too long or unprintable names are refused."""
    with pytest.raises(InvalidError):
        rules.clean_name(name)


def test_composed() -> None:
    """Equal-looking texts are equal once kept."""
    assert rules.clean_name("Cafe\u0301") == "Café"
    assert rules.clean_description("Cafe\u0301") == "Café"
    # Composed, this is as long as a name may be.
    assert len(rules.clean_name("e\u0301" * 200)) == 200


def test_descriptions() -> None:
    """Descriptions may be empty, have lines and tabs, and 10,000 characters; line ends become one kind."""
    assert not rules.clean_description("")
    assert rules.clean_description("one\r\ntwo\rthree\n\tfour") == "one\ntwo\nthree\n\tfour"
    assert rules.clean_description("x" * 10_000) == "x" * 10_000


@pytest.mark.parametrize("description", ["x" * 10_001, "x" * 1_000_000, "a\x00", "\x1b[31m", "\udfff", "a\x85b"])
def test_bad_descriptions(description: str) -> None:
    """Too long descriptions, control characters and halves of surrogate pairs are refused."""
    with pytest.raises(InvalidError):
        rules.clean_description(description)


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text(text: str) -> None:
    """Whatever a name is, it is refused clearly or kept in a form that PostgreSQL takes and that is valid itself."""
    try:
        name = rules.clean_name(text)
    except InvalidError:
        return
    assert 0 < len(name) <= 200
    assert "\x00" not in name.encode().decode()
    assert unicodedata.is_normalized("NFC", name)
    assert rules.clean_name(name) == name


@pytest.mark.parametrize("price", [0, 1, 1999, 10**12])
def test_prices(price: int) -> None:
    """Prices from nothing to 10^12 minor units are fine."""
    assert rules.check_price(price, "USD", "USD") == price


@pytest.mark.parametrize(
    ("price", "currency"), [(-1, "USD"), (10**12 + 1, "USD"), (2**63 - 1, "USD"), (1, "EUR"), (1, "")]
)
def test_bad_prices(price: int, currency: str) -> None:
    """Negative and absurd prices, and those in another currency than the shop's, are refused."""
    with pytest.raises(InvalidError):
        rules.check_price(price, currency, "USD")


def test_pages() -> None:
    """A page has at most 100; skip and take are never negative."""
    assert rules.check_page(5, 1_000_000) == (5, 100)
    for skip, take in ((-1, 1), (1, -1), (-(2**31), -(2**31))):
        with pytest.raises(InvalidError):
            rules.check_page(skip, take)


def test_search_pages() -> None:
    """A search goes down to its 10,000th result and no deeper."""
    assert rules.check_search_page(9_900, 100) == (9_900, 100)
    with pytest.raises(InvalidError):
        rules.check_search_page(9_901, 100)


def test_ids() -> None:
    """Each id counts once, what cannot be a product's id is left out, and more than a thousand are refused."""
    odd = ["", "x", "\x00", product_id(1).upper(), product_id(1) + "\n", "../..", "é" * 36, "{" + product_id(1) + "}"]
    assert rules.check_ids([product_id(2), *odd, product_id(1), product_id(2)]) == [product_id(2), product_id(1)]
    assert len(rules.check_ids([product_id(number) for number in range(1000)])) == 1000
    with pytest.raises(InvalidError):
        rules.check_ids(["x"] * 1001)


def test_answers() -> None:
    """An answer that would not fit one message is refused; the largest page fits."""
    rules.check_answer(["😀" * 10_000] * 100)
    rules.check_answer([""] * 1000)
    with pytest.raises(InvalidError):
        rules.check_answer(["😀" * 10_000] * 110)


@pytest.mark.parametrize(("query", "words"), [(" a  b ", "a  b"), ("a\x00b", "a b"), ("\ud83d", ""), ("\x00", "")])
def test_queries(query: str, words: str) -> None:
    """What cannot be printed separates words."""
    assert rules.clean_query(query) == words


def test_long_queries() -> None:
    """Queries of more than 256 characters are refused."""
    assert rules.clean_query("x" * 256) == "x" * 256
    with pytest.raises(InvalidError):
        rules.clean_query("x" * 257)
