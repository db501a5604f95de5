"""Claims about the gateway as a process: what it sends to whom, whom it believes, and what it says when others fail."""

import asyncio
import base64
import json
import time
from typing import Any

import httpx
import pytest

from protos.gen.ecommerce.payment import v1 as payment_v1
from services.tokens import TokenPolicy
from tests.factories.gateway import SigningKey
from tests.integration.gateway.stage import Stage

ACCOUNTS = "query($p: PaginationInput) { accounts(pagination: $p) { id orders { id totalPrice } } }"
PAYMENTS = "query($p: PaginationInput) { accounts(pagination: $p) { orders { payments { id amount refunded } } } }"
CHECKOUT = "mutation($d: CheckoutInput) { createCheckoutSession(details: $d) { url } }"
PRODUCT = "query($id: String) { product(id: $id) { id price } }"
TOLD = """query($v: [String!], $p: PaginationInput) {
  recommendations(viewedProductsIds: $v, pagination: $p) { modelVersion items { reason product { id } } }
}"""


async def _ask(
    http: httpx.AsyncClient, query: str, variables: dict[str, Any] | None = None, token: str | None = None
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    response = await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    body: dict[str, Any] = response.json()
    return body


def _codes(body: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in body.get("errors", [])]


@pytest.mark.parametrize("accounts", [1, 100])
async def test_a_page_with_orders_is_two_calls(stage: Stage, http: httpx.AsyncClient, accounts: int) -> None:
    """Accounts with their orders cost one call to each service, for 1 account and for 100."""
    token = stage.script.key.token(1, "administrator")
    body = await _ask(http, ACCOUNTS, {"p": {"skip": 0, "take": accounts}}, token)
    assert body["data"]["accounts"] == [
        {"id": n, "orders": [{"id": n, "totalPrice": 19.99}]} for n in range(1, accounts + 1)
    ]
    del stage.script.calls["GetPublicKeys"]
    assert stage.script.calls == {"GetAccounts": 1, "GetOrdersForAccounts": 1}
    assert stage.script.callers == {1}


@pytest.mark.parametrize("accounts", [1, 100])
async def test_a_page_with_payments_is_three_calls(stage: Stage, http: httpx.AsyncClient, accounts: int) -> None:
    """Accounts with their orders and payments cost one call to each service, for 1 account and for 100."""
    token = stage.script.key.token(1, "administrator")
    body = await _ask(http, PAYMENTS, {"p": {"skip": 0, "take": accounts}}, token)
    assert body["data"]["accounts"] == [
        {"orders": [{"payments": [{"id": f"payment-{n}", "amount": 19.99, "refunded": 0.0}]}]}
        for n in range(1, accounts + 1)
    ]
    del stage.script.calls["GetPublicKeys"]
    assert stage.script.calls == {"GetAccounts": 1, "GetOrdersForAccounts": 1, "GetPaymentsForOrders": 1}
    assert stage.script.callers == {1}


@pytest.mark.parametrize("take", [3, 100])
@pytest.mark.parametrize(
    ("viewed", "method", "reason", "caller"),
    [
        (None, "GetRecommendations", "TASTE", 5),
        (["mug", "mug", ""], "GetRecommendationsBasedOnViewed", "VIEWED", None),
    ],
)
async def test_a_page_of_recommendations_is_two_calls(  # noqa: PLR0917 the cases' parts
    stage: Stage,
    http: httpx.AsyncClient,
    take: int,
    viewed: list[str] | None,
    method: str,
    reason: str,
    caller: int | None,
) -> None:
    """As the caller, or as nobody by what was viewed; one call to the recommender and one to the product service."""
    page = {"v": viewed, "p": {"skip": 0, "take": take}}
    told = (await _ask(http, TOLD, page, stage.script.key.token(5)))["data"]["recommendations"]
    wanted = [f"product-{n}" for n in range(take) if n != 1]
    assert told["items"] == [{"reason": reason, "product": {"id": each}} for each in wanted]
    # The scripted recommender answers whom, or how many products, it was told to go by.
    assert told["modelVersion"] == (caller or 1)
    del stage.script.calls["GetPublicKeys"]
    assert stage.script.calls == {method: 1, "GetProducts": 1}
    assert stage.script.callers == {caller}


async def test_a_slow_recommender_holds_nobody_up(http: httpx.AsyncClient) -> None:
    """Its field is given up within its own two seconds, long before the request is; what is beside it is answered."""
    query = '{ recommendations(viewedProductsIds: ["slow"]) { modelVersion } product(id: "mug") { id } }'
    started = time.monotonic()
    body = await _ask(http, query)
    assert time.monotonic() - started < 8
    assert body["data"] == {"recommendations": None, "product": [{"id": "mug"}]}
    assert _codes(body) == ["UNAVAILABLE"]


async def test_a_checkout_reaches_payment_as_its_caller(stage: Stage, http: httpx.AsyncClient) -> None:
    """The order, the person, the redirect URL and the address that the client used arrive; the amount is nobody's."""
    details = {
        "accountId": 7,
        "email": "ada@example.com",
        "name": "Ada",
        "redirectUrl": "https://shop.example/thanks",
        "products": [{"id": "mug", "quantity": 1}],
        "orderId": 7,
    }
    body = await _ask(http, CHECKOUT, {"d": details}, stage.script.key.token(7))
    assert body == {"data": {"createCheckoutSession": {"url": f"{stage.url}/checkout/7"}}}
    (asked,) = stage.script.pages
    assert asked == payment_v1.CreateCheckoutSessionRequest(
        order_id=7,
        email="ada@example.com",
        name="Ada",
        redirect_url="https://shop.example/thanks",
        origin=stage.url,
    )
    assert stage.script.callers == {7}


def _unsigned(account_id: int, key_id: str) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"sub": str(account_id), "role": "administrator", "exp": int(time.time()) + 60}
    return f"{part({'alg': 'none', 'kid': key_id})}.{part(claims)}."


async def test_only_true_tokens_are_believed(stage: Stage, http: httpx.AsyncClient) -> None:
    """Forged, unsigned, foreign and expired tokens are UNAUTHENTICATED, reach no service, and read the catalogue."""
    key = stage.script.key
    bad = {
        SigningKey(key.id).token(1): "The token is not valid.",
        key.token(1)[:-6] + "AAAAAA": "The token is not valid.",
        _unsigned(1, key.id): "The token is not valid.",
        key.token(1, policy=TokenPolicy(audience="elsewhere")): "The token is not valid.",
        "nonsense": "The token is not valid.",
        key.expired_token(1): "The token has expired: sign in again.",
    }
    for token, reason in bad.items():
        body = await _ask(http, ACCOUNTS, token=token)
        assert (_codes(body), body["errors"][0]["message"]) == (["UNAUTHENTICATED"], reason)
        assert (await _ask(http, PRODUCT, {"id": "mug"}, token))["data"]["product"] == [{"id": "mug", "price": 19.99}]
    assert not stage.script.calls["GetAccount"]
    assert (await _ask(http, ACCOUNTS, token=key.token(5)))["data"]["accounts"][0]["id"] == 5
    assert stage.script.callers == {5}


async def test_a_cookie_is_as_good_as_a_header(stage: Stage, http: httpx.AsyncClient) -> None:
    """The token in the cookie signs in; the header goes before it."""
    cookie = {"Cookie": f"token={stage.script.key.token(7)}"}
    response = await http.post("/graphql", json={"query": ACCOUNTS}, headers=cookie)
    assert response.json()["data"]["accounts"][0]["id"] == 7
    both = cookie | {"Authorization": f"Bearer {stage.script.key.token(8)}"}
    response = await http.post("/graphql", json={"query": ACCOUNTS}, headers=both)
    assert response.json()["data"]["accounts"][0]["id"] == 8


async def test_kafka_being_away_is_nobodys_business(http: httpx.AsyncClient) -> None:
    """Hundreds of views with Kafka away are answered without an error, and quickly."""
    started = time.monotonic()
    bodies = await asyncio.gather(*(_ask(http, PRODUCT, {"id": f"mug-{n}"}) for n in range(300)))
    assert not [body for body in bodies if "errors" in body]
    assert time.monotonic() - started < 20
    metrics = (await http.get("/metrics")).text
    assert "gateway_interactions_waiting" in metrics


async def test_a_missing_product_is_an_empty_list(http: httpx.AsyncClient) -> None:
    """NOT_FOUND of the service is no error of the query."""
    assert await _ask(http, PRODUCT, {"id": "missing"}) == {"data": {"product": []}}


async def test_what_a_service_does_not_do_is_our_fault(http: httpx.AsyncClient) -> None:
    """A method that the service lacks is INTERNAL without detail."""
    body = await _ask(http, 'mutation { login(account: {email: "a@example.com", password: "secret words"}) { token } }')
    assert (_codes(body), body["errors"][0]["message"]) == (["INTERNAL"], "Internal error.")
    assert len(body["errors"][0]["extensions"]["id"]) == 32


async def test_a_huge_body_gets_its_answer(http: httpx.AsyncClient) -> None:
    """Whoever sends 20 MB reads 413 and not a broken connection; the next request is answered."""
    response = await http.post("/graphql", content=b" " * 20_000_000, headers={"Content-Type": "application/json"})
    assert (response.status_code, _codes(response.json())) == (413, ["INVALID"])
    assert (await _ask(http, "{ __typename }")) == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /playground HTTP/1.1\r\nHost: \x00\r\n\r\n",
        b"POST /%ff%00/../graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_broken_http_is_turned_away(stage: Stage, http: httpx.AsyncClient, raw: bytes) -> None:
    """What is not HTTP is answered with a client's error or closed, and the gateway goes on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.gateway.port)
    writer.write(raw)
    writer.write_eof()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    assert not answer or b" 500 " not in answer.splitlines()[0]
    assert (await http.get("/healthz")).status_code == 200
