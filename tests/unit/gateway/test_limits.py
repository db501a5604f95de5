"""Claims about limits: each is on, named when it is passed, and cheap to enforce."""

import time

import pytest
from graphql import get_introspection_query, parse

from protos.gen.ecommerce.order.v1 import OrderItem
from services.errors import InvalidError
from services.gateway.limits import Limits, check_document, check_variables
from tests.unit.gateway.conftest import Shop


def _refusal(query: str, limits: Limits | None = None) -> str:
    with pytest.raises(InvalidError) as error:
        check_document(parse(query), limits or Limits())
    return error.value.message


def _bomb(fragments: int) -> str:
    """Each fragment uses the next one twice: 2^fragments fields from a few lines."""
    parts = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(fragments)]
    return f"{{ ...F0 }} {' '.join(parts)} fragment F{fragments} on Query {{ __typename }}"


def _fragments(number: int) -> str:
    return "".join(f"fragment F{n} on Query{{x}}" for n in range(number))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("{ accounts { orders { products { id } } } }", "nests its fields 4 deep; the limit is 3"),
        ("{ a: __typename b: __typename c: __typename }", "has 3 aliases; the limit is 2"),
        ("{ __typename product { id } accounts { id } x y }", "has 5 fields at its root; the limit is 4"),
        (
            "{ product { a b c d e f g h i j k l m n o p q r s t } }",
            "asks for 21 fields; the limit is 20",
        ),
        ("{ product(viewedProductsIds: [1, 2, 3, 4, 5, 6]) { id } }", "A list has 6 items; the limit is 5."),
        ("query($v: [Int] = [1, 2, 3, 4, 5, 6]) { x }", "A list has 6 items; the limit is 5."),
        ("{ x(a: {b: [[1, 2, 3, 4, 5, 6]]}) }", "A list has 6 items; the limit is 5."),
    ],
)
def test_each_limit_is_named(query: str, sentence: str) -> None:
    """A query that passes a limit is refused with what it has and what it may have."""
    limits = Limits(depth=3, aliases=2, root_fields=4, fields=20, list_items=5)
    assert sentence in _refusal(query, limits)


@pytest.mark.parametrize(
    "query",
    [
        "{ accounts { ...A } } fragment A on Account { orders { ...O } } fragment O on Order { products { id } }",
        "{ accounts { ... on Account { orders { ... { products { id } } } } } }",
    ],
)
def test_fragments_hide_no_depth(query: str) -> None:
    """Fields count where a fragment puts them."""
    assert "4 deep" in _refusal(query, Limits(depth=3))


def test_fragments_hide_no_aliases() -> None:
    """A fragment's aliases count as often as it is used."""
    query = "{ a { ...F } b { ...F } c { ...F } } fragment F on X { x: id y: id }"
    assert "6 aliases" in _refusal(query, Limits(aliases=5))


@pytest.mark.parametrize("fragments", [10, 60, 300])
def test_fragments_that_double_are_measured_in_no_time(fragments: int) -> None:
    """A document that expands to 2^n fields is refused in time linear in its text."""
    query = _bomb(fragments)
    started = time.process_time()
    message = _refusal(query)
    assert time.process_time() - started < 1
    assert "the limit is" in message or message == "The query nests too deeply."
    assert len(message) < 100


@pytest.mark.parametrize(
    "query", ["{ ...A } fragment A on Query { ...A }", "{ ...A } fragment A on Q { ...B } fragment B on Q { ...A }"]
)
def test_fragments_in_a_circle_end(query: str) -> None:
    """A cycle is measured once; validation is what refuses it."""
    check_document(parse(query), Limits())


def test_introspection_has_a_depth_of_its_own() -> None:
    """The introspection query of tools passes, and a deeper one does not."""
    check_document(parse(get_introspection_query()), Limits())
    deeper = "{ __schema { types { " + "ofType { " * 18 + "name" + " }" * 18 + " } } }"
    assert "nests introspection 21 deep" in _refusal(deeper)


def test_lists_in_variables_are_bounded_at_any_depth() -> None:
    """A list of too many items anywhere in the variables is refused; depth does not matter."""
    check_variables({"a": [1] * 1_000}, Limits())
    with pytest.raises(InvalidError, match="A list has 1001 items; the limit is 1000"):
        check_variables({"a": {"b": [{"c": [1] * 1_001}]}}, Limits())


async def test_tokens_are_bounded(small_shop: Shop) -> None:
    """Tokens beyond the limit are INVALID, and so are comments."""
    answer = await small_shop.ask("{" + "a " * 200 + "}")
    assert answer.codes == ["INVALID"]
    assert "more than 100 tokens" in answer.message
    assert "more than 100 comments" in (await small_shop.ask("#\n" * 200 + "{ __typename }")).message


async def test_a_wide_variable_is_refused_by_the_address(small_shop: Shop) -> None:
    """The limit on lists holds for variables of a request."""
    answer = await small_shop.ask("query($v: [String]) { product(viewedProductsIds: $v) { id } }", {"v": ["a"] * 6})
    assert answer.codes == ["INVALID"]
    assert answer.message == "A list has 6 items; the limit is 5."


async def test_the_list_of_errors_is_bounded(shop: Shop) -> None:
    """Hundreds of unknown fields, and as many wrong variables, are told in a few kilobytes."""
    unknown = await shop.ask("{ product { " + " ".join(f"field{n}" for n in range(450)) + " } }")
    lines = [{"id": 1, "quantity": "x"} for _ in range(900)]
    wrong = await shop.ask("mutation($o: OrderInput!) { createOrder(order: $o) { id } }", {"o": {"products": lines}})
    for answer in (unknown, wrong):
        assert set(answer.codes) == {"INVALID"}
        assert 1 < len(answer.errors) <= 22
        assert len(answer.response.content) < 20_000


async def test_an_error_quotes_no_more_than_a_few_words(shop: Shop) -> None:
    """A value of a hundred thousand characters does not come back in the message about it."""
    answer = await shop.ask("query($p: PaginationInput!) { product(pagination: $p) { id } }", {"p": "x" * 100_000})
    assert answer.codes == ["INVALID"]
    assert len(answer.response.content) < 2_000


async def test_an_answer_is_bounded_however_it_is_put_together(small_shop: Shop) -> None:
    """Orders and lines are counted over all pages and aliases of a request; beyond the limit it is INVALID."""
    token = await small_shop.customer()
    product = await small_shop.product(token)
    for _ in range(2):
        await small_shop.orders.place(token, [OrderItem(product_id=product, quantity=1)], "")
    once = await small_shop.data("{ accounts { orders { id } } }", token=token)
    assert len(once["accounts"][0]["orders"]) == 2
    twice = await small_shop.ask("{ accounts { a: orders { id } b: orders { id } } }", token=token)
    assert (twice.codes, twice.message) == (
        ["INVALID"],
        "The answer would be too large: ask for fewer orders at once.",
    )


@pytest.mark.parametrize(
    "query",
    [
        "{" + "product{id}" * 490 + "}",
        "{product{" + "id " * 1_900 + "}}",
        "{product" + "(id:1)" + "@a" * 900 + "{id}}",
        "query(" + "".join(f"$v{n}:Int," for n in range(480)) + "){__typename}",
        "".join(f"query Q{n}{{__typename}}" for n in range(380)),
        "{"
        + "".join(f"...F{n} " for n in range(200))
        + "}"
        + "".join(f"fragment F{n} on Query{{x}}" for n in range(200)),
        "{ " + "...on Query{" * 190 + "__typename" + "}" * 190 + "}",
        "{product(id:" + "[" * 190 + "]" * 190 + "){id}}",
        "{" + "a" * 200_000 + "}",
        "#" * 200_000 + "\n{__typename}",
        _bomb(250),
    ],
)
async def test_the_worst_documents_are_answered_at_once(shop: Shop, query: str) -> None:
    """Documents as nasty as the limits allow take well under a second and never fail by a fault of ours."""
    started = time.process_time()
    answer = await shop.ask(query)
    assert time.process_time() - started < 2
    assert answer.response.status_code in (200, 400)
    assert "INTERNAL" not in answer.codes
