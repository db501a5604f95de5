"""Claims about GraphQL over HTTP: what is accepted, and the status and the words for what is not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.gateway.endpoint import Rules
from tests.unit.gateway.conftest import Shop, answer_of

TYPENAME = b'{"query": "{ __typename }"}'
JSON = {"Content-Type": "application/json"}


async def _post(shop: Shop, body: bytes, headers: dict[str, str] | None = None) -> Any:
    return answer_of(await shop.http.post("/graphql", content=body, headers=JSON if headers is None else headers))


@pytest.mark.parametrize(
    "body",
    [
        TYPENAME,
        b'  {"query": "{ __typename }", "variables": null, "operationName": null, "extensions": {"a": 1}}  ',
        b'{"query": "query A { __typename } query B { b: __typename }", "operationName": "A"}',
        b'{"query": "{ __typename }", "variables": {"unused": [1, {"a": "\\u0000"}]}, "unknown": 1}',
    ],
)
async def test_a_graphql_request_is_answered(shop: Shop, body: bytes) -> None:
    """query, operationName, variables and extensions are read; members of other names are ignored."""
    answer = await _post(shop, body)
    assert answer.response.status_code == 200
    assert answer.response.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.response.headers["cache-control"] == "no-store"
    assert answer.data == {"__typename": "Query"}
    assert "errors" not in answer.response.json()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is not JSON."),
        (b"query { __typename }", "The body is not JSON."),
        (b'{"query": "{ __typename }"', "The body is not JSON."),
        (b'{"query": "{ __typename }"} {}', "The body is not JSON."),
        (b'{"query": "\xff"}', "The body is not JSON."),
        (b'{"query": "\\ud800"}', "The body is not JSON."),
        (b'{"query": "{ a }", "variables": {"a": NaN}}', "The body is not JSON."),
        (b'{"query": "{ a }", "variables": {"a": ' + b"[" * 50_000 + b"}}", "The body is not JSON."),
        (b'{"query": "{ a }", "variables": {"a": ' + b"9" * 5_000 + b"}}", "The request is not a GraphQL request: "),
        (b'{"query": "{ a }", "variables": {"a": 1e400}}', "The request is not a GraphQL request: "),
        (b"null", "The request is not a GraphQL request: "),
        (b'"{ __typename }"', "The request is not a GraphQL request: "),
        (b"{}", "The request is not a GraphQL request: Object missing required field `query`."),
        (b'{"query": null}', "The request is not a GraphQL request: "),
        (b'{"query": 1}', "The request is not a GraphQL request: "),
        (b'{"query": "{ a }", "variables": "{}"}', "The request is not a GraphQL request: "),
        (b'{"query": "{ a }", "variables": []}', "The request is not a GraphQL request: "),
        (b'{"query": "{ a }", "operationName": 1}', "The request is not a GraphQL request: "),
        (b'{"query": "{ a }", "extensions": "x"}', "The request is not a GraphQL request: "),
        (b" [" + TYPENAME + b"]", "Send one operation a request: batches are not supported."),
    ],
)
async def test_what_is_no_graphql_request_is_named(shop: Shop, body: bytes, sentence: str) -> None:
    """Anything else than one JSON object with a query is 400 and INVALID, with the reason."""
    answer = await _post(shop, body)
    assert (answer.response.status_code, answer.codes) == (400, ["INVALID"])
    assert answer.message.startswith(sentence)
    assert "data" not in answer.response.json()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_read(shop: Shop, headers: dict[str, str]) -> None:
    """What a form of another site could send, and what is compressed or in another encoding, is refused unread."""
    answer = await _post(shop, TYPENAME, headers)
    assert (answer.response.status_code, answer.codes) == (400, ["INVALID"])


@pytest.mark.parametrize("content_type", ["Application/JSON", 'application/json; charset="UTF-8"'])
async def test_json_may_be_written_in_any_case(shop: Shop, content_type: str) -> None:
    """Media types and charsets are compared without regard to case."""
    assert (await _post(shop, TYPENAME, {"Content-Type": content_type})).data


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD"])
async def test_only_get_and_post_are_answered(shop: Shop, method: str) -> None:
    """Every other method is 405, and the answer says which there are."""
    response = await shop.http.request(method, "/graphql?query={__typename}")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert method == "HEAD" or answer_of(response).codes == ["INVALID"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("{ product { id }", None),
        ("", None),
        ("\0", None),
        ("{ nothing }", None),
        ("{ product { id nothing } }", None),
        ("{ product }", None),
        ("{ product(id: 3) { id } }", None),
        ("query($x: Int!) { product(id: $x) { id } }", None),
        ("mutation { product { id } }", None),
        ("subscription { product { id } }", None),
        ("{ ...F } fragment F on Query { ...F }", None),
        ("fragment F on Query { __typename }", None),
        ("type Query { a: Int }", None),
        ("query A { __typename } query B { __typename }", None),
        ("query A { __typename }", "B"),
        ("query A { __typename } query A { __typename }", "A"),
        ("{ product @defer { id } }", None),
        ('{ product(id: "\\uD800") { id } }', None),
        ("{ product(pagination: {skip: 1e3, take: 1}) { id } }", None),
        ("{ product(pagination: {skip: 99999999999, take: 1}) { id } }", None),
        ("{ product(pagination: {skip: " + "9" * 5_000 + ", take: 1}) { id } }", None),
        ("{ product @skip(if: " + "9" * 5_000 + ") { id } }", None),
    ],
)
async def test_a_query_that_cannot_run_is_invalid(shop: Shop, query: str, name: str | None) -> None:
    """Errors of syntax and validation are 200 without data, and each has the code INVALID."""
    response = await shop.http.post("/graphql", json={"query": query, "operationName": name})
    answer = answer_of(response)
    assert response.status_code == 200
    assert set(answer.codes) == {"INVALID"}
    assert "data" not in response.json()


@pytest.mark.parametrize(
    "variables",
    [
        None,
        {},
        {"p": None},
        {"p": {"skip": 0}},
        {"p": {"skip": "0", "take": 1}},
        {"p": {"skip": 0, "take": 1, "more": 1}},
        {"p": {"skip": 2**31, "take": 1}},
        {"p": []},
    ],
)
async def test_variables_that_do_not_fit_are_invalid(shop: Shop, variables: dict[str, Any] | None) -> None:
    """Missing, null, extra, ill-typed and too large variables are INVALID and nothing runs."""
    answer = await shop.ask("query($p: PaginationInput!) { product(pagination: $p) { id } }", variables)
    assert answer.response.status_code == 200
    assert set(answer.codes) == {"INVALID"}
    assert not shop.services.calls


async def test_a_body_above_the_limit_is_refused_by_its_length(small_shop: Shop) -> None:
    """A body that says it is too large is 413 before it is read."""
    answer = await _post(small_shop, b"x" * 2_001)
    assert (answer.response.status_code, answer.codes) == (413, ["INVALID"])
    assert answer.message == "The request is larger than 2000 bytes."


async def test_a_body_above_the_limit_is_refused_while_it_comes(small_shop: Shop) -> None:
    """A body that does not say its length is 413 as soon as it passes the limit; reading on is bounded."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1_000_000
            yield b" " * 1_000_000

    response = await small_shop.http.post("/graphql", content=endless(), headers=JSON)
    assert (response.status_code, answer_of(response).codes) == (413, ["INVALID"])
    assert response.headers["connection"] == "close"
    assert sent < 40_000_000


async def test_a_body_may_come_in_pieces(shop: Shop) -> None:
    """A body without a length, in many chunks, is read to its end."""

    async def pieces() -> AsyncIterator[bytes]:
        for n in range(len(TYPENAME)):
            yield TYPENAME[n : n + 1]

    response = await shop.http.post("/graphql", content=pieces(), headers=JSON)
    assert answer_of(response).data == {"__typename": "Query"}


async def test_a_request_that_takes_too_long_is_ended(small_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that never answers costs the client the time limit and no more: 503, UNAVAILABLE."""
    never = asyncio.Event()

    async def hang(*_: Any) -> Any:
        await never.wait()

    monkeypatch.setattr(small_shop.products, "page", hang)
    answer = await small_shop.ask("{ product { id } }")
    assert (answer.response.status_code, answer.codes) == (503, ["UNAVAILABLE"])
    assert answer.message == "The request took too long. Try again later."
    assert answer.response.headers["retry-after"] == "1"


async def test_a_slow_body_is_ended_too(small_shop: Shop) -> None:
    """The time limit covers the reading of the body."""
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    response = await small_shop.http.post("/graphql", content=slow(), headers=JSON)
    assert (response.status_code, answer_of(response).codes) == (503, ["UNAVAILABLE"])


async def test_requests_beyond_the_limit_are_told_to_come_back(
    small_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third request of two at the same time is 429 and RATE_LIMITED; the two are answered."""
    release, arrived = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(*_: Any) -> Any:
        arrived.release()
        await release.wait()
        return []

    monkeypatch.setattr(small_shop.products, "page", wait)
    two = [asyncio.create_task(small_shop.ask("{ product { id } }")) for _ in range(2)]
    await arrived.acquire()
    await arrived.acquire()
    third = await small_shop.ask("{ product { id } }")
    assert (third.response.status_code, third.codes) == (429, ["RATE_LIMITED"])
    release.set()
    assert [answer.data for answer in await asyncio.gather(*two)] == [{"product": []}] * 2
    assert (await small_shop.ask("{ __typename }")).data


async def test_a_leaving_gateway_closes_connections(shop: Shop) -> None:
    """Once it is told to stop, answers say so, and /readyz is 503 while /healthz stays 200."""
    assert "connection" not in (await shop.ask("{ __typename }")).response.headers
    shop.drain.started = True
    answer = await shop.ask("{ __typename }")
    assert (answer.data, answer.response.headers["connection"]) == ({"__typename": "Query"}, "close")
    ready = await shop.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "stopping")
    assert (await shop.http.get("/healthz")).status_code == 200


async def test_the_public_keys_are_served(shop: Shop) -> None:
    """/.well-known/jwks.json answers every accepted key and may be kept for minutes; without keys it is UNAVAILABLE."""
    response = await shop.http.get("/.well-known/jwks.json")
    assert response.json() == {"keys": [{**shop.services.key.public, "use": "sig", "alg": "ES256"}]}
    assert response.headers["cache-control"] == "public, max-age=300"
    empty = Shop()
    empty.services.failures["keys"] = Exception()
    refused = answer_of(await empty.http.get("/.well-known/jwks.json"))
    assert (refused.response.status_code, refused.codes) == (503, ["UNAVAILABLE"])


async def test_other_paths_answer_in_kind(shop: Shop) -> None:
    """An unknown path and a wrong method are JSON with a code, and carry the security headers."""
    missing = answer_of(await shop.http.get("/nothing"))
    assert (missing.response.status_code, missing.codes) == (404, ["NOT_FOUND"])
    assert missing.response.headers["x-content-type-options"] == "nosniff"
    assert answer_of(await shop.http.post("/healthz")).response.status_code == 405


async def test_other_origins_are_let_in_by_name_only() -> None:
    """By default no origin gets CORS headers; with one allowed, it gets them, with cookies, and no other does."""

    async def preflight(shop: Shop, origin: str) -> Any:
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        return await shop.http.options("/graphql", headers=headers)

    assert "access-control-allow-origin" not in (await preflight(Shop(), "https://a.example")).headers
    shop = Shop(cors_origins=["https://a.example"])
    allowed = await preflight(shop, "https://a.example")
    assert allowed.headers["access-control-allow-origin"] == "https://a.example"
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in (await preflight(shop, "https://b.example")).headers
    answer = await shop.ask("{ __typename }", headers={"Origin": "https://a.example"})
    assert answer.response.headers["access-control-allow-origin"] == "https://a.example"


async def test_metrics_count_by_operation_and_code(shop: Shop) -> None:
    """/metrics tells of requests by kind of operation and code, and of nothing that a client can make up."""
    await shop.ask("query Secret { accounts { id } }")
    text = (await shop.http.get("/metrics")).text
    assert 'gateway_requests_total{code="UNAUTHENTICATED",operation="query"}' in text
    assert 'gateway_request_seconds_count{operation="query"}' in text
    assert "Secret" not in text


async def test_introspection_can_be_switched_off() -> None:
    """Off, the schema is not told, by introspection or by suggestions; __typename still works."""
    on, off = Shop(), Shop(Rules(introspection=False))
    for query in ("{ __schema { types { name } } }", '{ __type(name: "Query") { name } }'):
        assert not (await on.ask(query)).errors
        assert set((await off.ask(query)).codes) == {"INVALID"}
    for query, variables in (
        ("{ prodct { id } }", None),
        ("{ product { nam } }", None),
        ("{ product(idd: 1) { id } }", None),
        ("query($p: PaginationInput!) { product(pagination: $p) { id } }", {"p": {"skp": 0, "take": 1}}),
    ):
        assert any("Did you mean" in error["message"] for error in (await on.ask(query, variables)).errors)
        assert not any("Did you mean" in error["message"] for error in (await off.ask(query, variables)).errors)
    assert (await off.ask("{ __typename }")).data
