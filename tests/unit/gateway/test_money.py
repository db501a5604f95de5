"""Claims about money at the edge: a Float in is the same Float out, and what is no amount is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidError
from services.gateway.money import MAX_MINOR_UNITS, Currency

USD = Currency()
YEN = Currency("JPY", 0)


def test_the_original_bug_stays_fixed() -> None:
    """19.99 is 1999 cents, not 1998."""
    assert USD.to_money(19.99).minor_units == 1999
    assert USD.to_float(USD.to_money(19.99)) == 19.99


@given(st.integers(0, MAX_MINOR_UNITS))
def test_every_amount_comes_out_as_it_went_in(minor: int) -> None:
    """Each amount of the currency survives the way in and out exactly, also as the text that a client sees."""
    written = f"{minor // 100}.{minor % 100:02}"
    money = USD.to_money(float(written))
    assert money.minor_units == minor
    assert money.currency == "USD"
    assert f"{USD.to_float(money):.2f}" == written


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_float_is_rounded_in_silence(amount: float) -> None:
    """A Float is either exactly an amount of the currency or refused ; nothing else happens."""
    try:
        money = USD.to_money(amount)
    except InvalidError:
        return
    assert USD.to_float(money) == amount
    assert 0 <= money.minor_units <= MAX_MINOR_UNITS


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        (float("nan"), "The price is not a number."),
        (float("inf"), "The price is not a number."),
        (float("-inf"), "The price is not a number."),
        (-0.01, "The price is negative."),
        (19.999, "The price has more than 2 decimals."),
        (1e-300, "The price has more than 2 decimals."),
        (0.1 + 0.2, "The price has more than 2 decimals."),
        (10_000_000_000.01, "The price is above 10000000000."),
        (1e300, "The price is above 10000000000."),
    ],
)
def test_what_is_no_amount_is_named(amount: float, sentence: str) -> None:
    """The refusal says what is wrong with the price."""
    with pytest.raises(InvalidError) as error:
        USD.to_money(amount)
    assert error.value.message == sentence


def test_whole_numbers_and_zeros_are_amounts() -> None:
    """0, -0.0, 20 and the largest amount are exact."""
    assert [USD.to_money(amount).minor_units for amount in (0.0, -0.0, 20.0, 1e10)] == [0, 0, 2000, 10**12]


def test_a_currency_without_decimals_has_none() -> None:
    """Yen are counted whole."""
    assert YEN.to_money(1500.0).minor_units == 1500
    assert YEN.to_float(YEN.to_money(1500.0)) == 1500.0
    with pytest.raises(InvalidError, match="more than 0 decimals"):
        YEN.to_money(0.5)


def test_an_absent_amount_reads_as_zero() -> None:
    """A message without a price is a price of nothing, as protobuf reads absent numbers."""
    assert USD.to_float(None) == 0.0
