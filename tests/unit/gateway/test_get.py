"""Claims about GET: queries alone, as whoever the request itself names, and every mistake with a sentence."""

import pytest

from services.gateway.endpoint import Rules
from services.gateway.limits import Limits
from tests.unit.gateway.conftest import Shop, answer_of


async def test_a_query_is_answered(shop: Shop) -> None:
    """`query`, `operationName`, `variables` and `extensions` are read; other parameters are ignored."""
    parameters = {
        "query": "query A { __typename } query B($s: Boolean!) { b: __typename @skip(if: $s) }",
        "operationName": "B",
        "variables": '{"s": false}',
        "extensions": '{"a": [1]}',
        "utm_source": "letter",
    }
    answer = answer_of(await shop.http.get("/graphql", params=parameters))
    assert (answer.data, answer.errors) == ({"b": "Query"}, [])
    assert answer.response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The request is not a GraphQL request: Object missing required field `query`."),
        ("?variables={}", "The request is not a GraphQL request: Object missing required field `query`."),
        ("?query={__typename}&query={__typename}", "The query string gives a parameter twice."),
        ("?query={__typename}&variables={", "The parameter variables is not JSON."),
        ("?query={__typename}&extensions=x", "The parameter extensions is not JSON."),
        ("?query={__typename}&variables=" + "[" * 50_000, "The parameter variables is not JSON."),
        ("?query={__typename}&variables=[1]", "The request is not a GraphQL request: "),
        ("?query=%ff", "The query string cannot be read."),
        ("?query={__typename}" + "&a=1" * 20, "The query string cannot be read."),
    ],
)
async def test_what_is_no_graphql_request_is_named(shop: Shop, text: str, sentence: str) -> None:
    """Anything else is 400 and INVALID, with the reason."""
    answer = answer_of(await shop.http.get(f"/graphql{text}"))
    assert (answer.response.status_code, answer.codes) == (400, ["INVALID"])
    assert answer.message.startswith(sentence)


async def test_a_long_query_string_is_refused() -> None:
    """The bound on a request holds for its query string."""
    shop = Shop(Rules(Limits(body=100)))
    answer = answer_of(await shop.http.get("/graphql", params={"query": "{ __typename }" + " " * 200}))
    assert (answer.response.status_code, answer.codes) == (413, ["INVALID"])
    await shop.http.aclose()


async def test_nothing_is_written_by_get(shop: Shop) -> None:
    """A mutation is 405 whoever sends it, and nothing runs: no link and no image of another page writes."""
    token = await shop.customer()
    query = 'mutation { createProduct(product: {name: "Mug", description: "", price: 1}) { id } }'
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"token={token}"}):
        answer = answer_of(await shop.http.get("/graphql", params={"query": query}, headers=headers))
        assert (answer.response.status_code, answer.codes) == (405, ["INVALID"])
        assert answer.response.headers["allow"] == "POST"
    both = "query A { __typename } mutation B { logout }"
    parameters = {"query": both, "operationName": "B"}
    assert (await shop.http.get("/graphql", params=parameters)).status_code == 405
    assert not shop.products.rows


async def test_a_cookie_does_not_sign_a_get_in(shop: Shop) -> None:
    """A link of another page sends its visitors' cookies along: only a token in the header acts for its owner."""
    token = await shop.customer()
    parameters = {"query": "{ accounts { id } }"}
    by_cookie = await shop.http.get("/graphql", params=parameters, headers={"Cookie": f"token={token}"})
    assert answer_of(by_cookie).codes == ["UNAUTHENTICATED"]
    by_header = await shop.http.get("/graphql", params=parameters, headers={"Authorization": f"Bearer {token}"})
    assert answer_of(by_header).data == {"accounts": [{"id": 1}]}
