from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidError, NotFoundError
from services.order.basket import MAX_KEY, MAX_LINES, MAX_QUANTITY, MAX_TOTAL_MINOR, identify, merge, price
from services.order.domain import Item, Product
from tests.factories.order import items, product

NAMES = st.sampled_from(["a", "b", "c", "d"])
BASKETS = st.lists(st.builds(Item, NAMES, st.integers(1, MAX_QUANTITY // 20)), min_size=1, max_size=20)


@given(BASKETS)
def test_merging_keeps_every_piece_and_the_order_of_first_appearance(basket: list[Item]) -> None:
    """Merged, a basket has each product once, as often as before in sum, in the order of first mention."""
    merged = merge(basket)
    assert [item.product_id for item in merged] == list(dict.fromkeys(item.product_id for item in basket))
    for item in merged:
        assert item.quantity == sum(one.quantity for one in basket if one.product_id == item.product_id)
    assert merge(merged) == merged


@pytest.mark.parametrize("quantity", [0, -1, -(2**31)])
def test_a_quantity_below_one_is_refused(quantity: int) -> None:
    """Also where another line of the same product would make up for it."""
    with pytest.raises(InvalidError, match="at least 1"):
        merge([Item("a", 5), Item("a", quantity)])


def test_an_empty_order_is_refused() -> None:
    """There is nothing to sell."""
    with pytest.raises(InvalidError, match="at least one product"):
        merge([])


def test_quantities_are_limited_after_merging() -> None:
    """The limit cannot be got round by saying the same product twice; the limit itself is allowed."""
    assert merge([Item("a", MAX_QUANTITY - 1), Item("a", 1)]) == (Item("a", MAX_QUANTITY),)
    with pytest.raises(InvalidError, match="at most 10,000 pieces"):
        merge([Item("a", MAX_QUANTITY), Item("a", 1)])
    with pytest.raises(InvalidError, match="at most 10,000 pieces"):
        merge([Item("a", 2**31 - 1)])


def test_lines_are_limited_after_merging() -> None:
    """A hundred different products are allowed however often each is mentioned; one more is not."""
    full = [Item(f"p{n}", 1) for n in range(MAX_LINES)]
    assert len(merge(full * 3)) == MAX_LINES
    with pytest.raises(InvalidError, match="at most 100 different products"):
        merge([*full, Item("one-more", 1)])


def test_a_product_must_be_named() -> None:
    """An item without an id, which is what a null line becomes, is refused."""
    with pytest.raises(InvalidError, match="named by its id"):
        merge([Item("", 1)])


@pytest.mark.parametrize("product_id", ["a\0b", "x\n", "y" * 256, "\u202etrick"])
def test_an_id_no_product_can_have_is_an_unknown_product(product_id: str) -> None:
    """It is told so at once, and nothing unprintable or endless is echoed."""
    with pytest.raises(NotFoundError) as refusal:
        merge([Item(product_id, 1)])
    assert refusal.value.message.startswith("There is no product ")
    assert refusal.value.message.isprintable()
    assert len(refusal.value.message) < 100


def test_an_unknown_product_is_named() -> None:
    """The error says which product there is not."""
    with pytest.raises(NotFoundError, match=r"^There is no product b\.$"):
        price(7, items(a=1, b=1), {"a": product("a")})


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, MAX_QUANTITY)), min_size=1, max_size=MAX_LINES))
def test_totals_are_exact(lines: list[tuple[int, int]]) -> None:
    """A total is the sum that exact arithmetic gives, to the last minor unit, or it is refused for its size."""
    basket = [Item(f"p{n}", quantity) for n, (_, quantity) in enumerate(lines)]
    products = {f"p{n}": product(f"p{n}", minor) for n, (minor, _) in enumerate(lines)}
    exact = sum((Fraction(minor, 100) * quantity for minor, quantity in lines), Fraction())
    if exact * 100 > MAX_TOTAL_MINOR:
        with pytest.raises(InvalidError, match="can be at most"):
            price(7, basket, products)
        return
    draft = price(7, basket, products)
    assert Fraction(draft.total_minor, 100) == exact
    # A GraphQL Float shows the same amount: the nearest double's shortest form has the very same digits.
    assert Decimal(str(draft.total_minor / 100)) * 100 == draft.total_minor


def test_the_largest_total_is_allowed_and_the_next_is_not() -> None:
    """The bound is how many digits of an amount a double keeps for certain."""
    assert price(7, items(a=1), {"a": product("a", MAX_TOTAL_MINOR)}).total_minor == MAX_TOTAL_MINOR
    with pytest.raises(InvalidError, match="can be at most"):
        price(7, items(a=1, b=1), {"a": product("a", MAX_TOTAL_MINOR), "b": product("b", 1)})


def test_lines_are_frozen_in_the_order_of_the_basket() -> None:
    """Each line has the product's name, description and price, whatever the order of the catalogue's answer."""
    draft = price(7, items(b=2, a=3), {"a": product("a", 5), "b": product("b", 7)})
    assert [(line.product_id, line.name, line.price_minor, line.quantity) for line in draft.lines] == [
        ("b", "Name of b", 7, 2),
        ("a", "Name of a", 5, 3),
    ]
    assert (draft.account_id, draft.currency, draft.total_minor) == (7, "USD", 29)


def test_currencies_are_not_mixed() -> None:
    """A sum over two currencies means nothing; the error names both."""
    mixed: dict[str, Product] = {"a": product("a", currency="USD"), "b": product("b", currency="EUR")}
    with pytest.raises(InvalidError, match="not EUR and USD"):
        price(7, items(a=1, b=1), mixed)


def test_no_key_is_no_key() -> None:
    """An empty key makes a request that can be repeated into a second order."""
    assert identify("", items(a=1)) is None


@pytest.mark.parametrize("key", ["k" * MAX_KEY, "ключ 鍵", "0e6f7d0a-3c1e"])
def test_printable_keys_are_taken(key: str) -> None:
    """Any script is fine, up to the limit."""
    made = identify(key, items(a=1))
    assert made is not None
    assert made.value == key


@pytest.mark.parametrize("key", ["k" * (MAX_KEY + 1), "a\0b", "line\nbreak", "\x7f"])
def test_other_keys_are_refused(key: str) -> None:
    """Too long, or with control characters."""
    with pytest.raises(InvalidError, match="idempotency key"):
        identify(key, items(a=1))


@given(BASKETS, BASKETS)
def test_fingerprints_tell_purchases_apart(first: list[Item], second: list[Item]) -> None:
    """Two requests have one fingerprint exactly when they ask for the same pieces of the same products."""
    one, other = identify("k", merge(first)), identify("k", merge(second))
    same = set(merge(first)) == set(merge(second))
    assert (one == other) is same
