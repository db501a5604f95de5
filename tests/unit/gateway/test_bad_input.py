"""Claims about anything at all: whatever comes, the answer is JSON, every error has a code, and none is our fault."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.schema import SCHEMA
from tests.unit.gateway.conftest import Shop, answer_of

CODES = {"UNAUTHENTICATED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "INVALID", "UNAVAILABLE"}
JSON = {"Content-Type": "application/json"}
OPERATIONS = (
    "query($p: PaginationInput, $id: Int) { accounts(pagination: $p, id: $id) { id orders { id } } }",
    """query($p: PaginationInput, $q: String, $id: String, $v: [String], $b: Boolean) {
      product(pagination: $p, query: $q, id: $id, viewedProductsIds: $v, byAccountId: $b) { id } }""",
    """query($p: PaginationInput, $v: [String!]) {
      recommendations(pagination: $p, viewedProductsIds: $v) { modelVersion items { reason product { id } } } }""",
    "mutation($p: RegisterInput!) { register(account: $p) { token } }",
    "mutation($p: LoginInput!) { login(account: $p) { token } }",
    "mutation($p: CreateProductInput!) { createProduct(product: $p) { id } }",
    "mutation($p: UpdateProductInput!) { updateProduct(product: $p) { id } }",
    "mutation($id: String!) { deleteProduct(id: $id) }",
    "mutation($p: OrderInput!) { createOrder(order: $p) { id } }",
    "mutation($p: CustomerPortalSessionInput) { createCustomerPortalSession(credentials: $p) { url } }",
    "mutation($p: CheckoutInput) { createCheckoutSession(details: $p) { url } }",
)
# What people and attackers put where a word is expected.
WORDS = (
    "",
    "\0",
    "\x1b[2J",
    "\u202e",
    "ﷺ",
    "'; DROP TABLE products; --",
    "<script>",
    "9" * 400,
    "ﬁ",
    "👩‍👩‍👧",
    "a" * 5_000,
)
NAMES = sorted({name for kind in SCHEMA._schema.type_map.values() for name in getattr(kind, "fields", ())})

texts = st.sampled_from(WORDS) | st.text(max_size=50).filter(lambda text: text.isascii() or _encodes(text))
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=6),
    max_leaves=12,
)
PIECES = (
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "!",
    "$",
    "@",
    "...",
    "on",
    "fragment",
    "query",
    "mutation",
    '"',
    '"""',
    "#\n",
)
scraps = st.lists(
    st.sampled_from((*PIECES, *NAMES, "__schema", "__type", "null", "true", "1", "-1", "1e999")), max_size=40
)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(response: Any) -> None:
    assert response.status_code in (200, 400, 413)
    for error in answer_of(response).errors:
        assert error["message"]
        assert error["extensions"]["code"] in CODES, error
        assert "Traceback" not in error["message"]


SHOP = Shop()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
async def test_any_bytes(body: bytes) -> None:
    """Bytes that are no request are refused as such."""
    _check(await SHOP.http.post("/graphql", content=body, headers=JSON))


@settings(max_examples=300, deadline=None)
@given(values)
async def test_any_json(body: Any) -> None:
    """JSON that is no request is refused as such."""
    _check(await SHOP.http.post("/graphql", content=json.dumps(body).encode(), headers=JSON))


@settings(max_examples=500, deadline=None)
@given(scraps)
async def test_any_query(pieces: list[str]) -> None:
    """Scraps of GraphQL in any order never fail by a fault of ours."""
    _check(await SHOP.http.post("/graphql", json={"query": " ".join(pieces)}))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(OPERATIONS), st.dictionaries(st.sampled_from(("p", "id", "q", "v", "b")), values, max_size=5))
async def test_any_variables(query: str, variables: dict[str, Any]) -> None:
    """Every operation with any variables answers, with codes for its errors."""
    token = SHOP.services.key.token(1)
    for headers in ({}, {"Authorization": f"Bearer {token}"}):
        _check(await SHOP.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers))


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(("Authorization", "Cookie", "Idempotency-Key", "Content-Length", "traceparent", "Origin")),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
        max_size=4,
    )
)
async def test_any_headers(headers: dict[str, str]) -> None:
    """Headers of any text never fail by a fault of ours."""
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    encoded.append((b"Content-Type", b"application/json"))
    body = b'{"query": "{ accounts { id } }"}'
    _check(await SHOP.http.post("/graphql", content=body, headers=encoded))
