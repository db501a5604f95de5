"""Claims about keys: what means the same has one key, what does not never shares one, and memory is bounded."""

from typing import Any

import pytest

from services.gateway.catalogue_keys import MAX_REQUEST, REQUEST_BYTES, OperationKey, Recalled
from services.gateway.documents import Documents
from services.gateway.limits import Limits
from services.gateway.schema import SCHEMA

QUERY = "query($id: String, $p: PaginationInput) { product(id: $id, pagination: $p) { id } }"


def _key(query: str, name: str | None = None) -> OperationKey | None:
    return Documents(SCHEMA._schema, Limits(), introspection=True).operation(query, name).key


def _of(query: str, variables: dict[str, Any] | None = None, name: str | None = None) -> bytes:
    key = _key(query, name)
    assert key
    return key.of(variables)


@pytest.mark.parametrize(
    "query",
    [
        "{ product { id } }",
        "{ __typename product { __typename } other: product { id } }",
        "query A($s: Boolean!) { ... on Query { product @skip(if: $s) { id } } }",
        "{ ...A } fragment A on Query { ...B ...B } fragment B on Query { product { id } }",
        "query A { product { id } } mutation B { logout }",
    ],
)
def test_reads_of_the_catalogue_have_keys(query: str) -> None:
    """A query of `product` and nothing else has one, however it is put."""
    assert _key(query, "A" if "query A" in query else None)


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename }",
        "{ __schema { types { name } } product { id } }",
        '{ __type(name: "Product") { name } product { id } }',
        "{ product { id } accounts { id } }",
        "{ product { id } recommendations { modelVersion } }",
        "{ product { id } ...A } fragment A on Query { ... { order(id: 1) { id } } }",
        "mutation { logout }",
    ],
)
def test_nothing_else_has_a_key(query: str) -> None:
    """What shows more than the catalogue, or writes, is never looked for in the cache."""
    assert _key(query) is None


def test_writing_makes_no_difference() -> None:
    """Spaces, commas, comments and the order of variables' members do not change the key."""
    written = "query ( $id:String\n$p: PaginationInput, ) {product( id:$id pagination:$p ){ id # the id\n}}"
    assert _of(QUERY, {"p": {"skip": 0, "take": 1}, "id": "1"}) == _of(
        written, {"id": "1", "p": {"take": 1, "skip": 0}}
    )
    assert _of(QUERY, {"unused": 1}) == _of(QUERY, {}) == _of(QUERY)


def test_meaning_makes_a_difference() -> None:
    """Other variables, fields, aliases, literals or operations have other keys; null is not absence."""
    two = "query A { product { id } } query B { product { name } }"
    keys = [
        _of(QUERY),
        _of(QUERY, {"id": None}),
        _of(QUERY, {"id": "1"}),
        _of(QUERY, {"id": 1}),
        _of(QUERY, {"p": "1"}),
        _of("{ product { id } }"),
        _of("{ product { id name } }"),
        _of("{ product { name id } }"),
        _of("{ a: product { id } }"),
        _of('{ product(query: "a b") { id } }'),
        _of('{ product(query: "a  b") { id } }'),
        _of(two, name="A"),
        _of(two, name="B"),
    ]
    assert len(set(keys)) == len(keys)


def test_remembered_requests_are_bounded() -> None:
    """The requests not used for longest are forgotten first, and very long ones are not remembered."""
    recalled = Recalled(2 * (REQUEST_BYTES + 1))
    for request in (b"a", b"b"):
        recalled.put(request, b"key of " + request)
    assert recalled.get(b"a") == b"key of a"
    recalled.put(b"c", b"key of c")
    assert [request for request in (b"a", b"b", b"c") if recalled.get(request)] == [b"a", b"c"]
    large = Recalled(1_000_000)
    large.put(b"x" * (MAX_REQUEST + 1), b"key")
    assert not len(large)
