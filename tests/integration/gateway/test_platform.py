"""Claims about the whole path: the contract's five operations through real services on real datastores."""

from typing import Any

import httpx
import pytest

from local.platform import Platform
from protos.gen.ecommerce.events.v1 import ProductRetrieved, ProductsRetrieved
from services import events
from tests.factories.gateway import PASSWORD, email
from tests.integration import kafka

REGISTER = "mutation($a: RegisterInput!) { register(account: $a) { token } }"
LOGIN = "mutation($a: LoginInput!) { login(account: $a) { token } }"
CREATE = "mutation($p: CreateProductInput!) { createProduct(product: $p) { id name price accountId version } }"
PRODUCTS = "query($p: PaginationInput, $id: String) { product(pagination: $p, id: $id) { id price } }"
ORDER = """mutation($o: OrderInput!) {
  createOrder(order: $o) { id createdAt status totalPrice products { id name price quantity } }
}"""
ACCOUNTS = "query($p: PaginationInput) { accounts(pagination: $p) { id email orders { id totalPrice } } }"
MUG = {"name": "Mug", "description": "Holds tea.", "price": 19.99}


async def _ask(http: httpx.AsyncClient, query: str, variables: object = None, **headers: str) -> dict[str, Any]:
    response = await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


@pytest.mark.parametrize("by", ["cookie", "header"])
async def test_the_five_operations(shop: httpx.AsyncClient, by: str) -> None:
    """Register, login, createProduct, product with pagination and createOrder work, signed in by cookie or header."""
    account = {"email": email(), "password": PASSWORD}
    await _ask(shop, REGISTER, {"a": account | {"name": "Ada"}})
    token = (await _ask(shop, LOGIN, {"a": account}))["data"]["login"]["token"]
    assert shop.cookies["token"] == token
    headers = {}
    if by == "header":
        shop.cookies.clear()
        headers = {"Authorization": f"Bearer {token}"}
    product = (await _ask(shop, CREATE, {"p": MUG}, **headers))["data"]["createProduct"]
    assert (product["name"], product["price"], product["version"]) == ("Mug", 19.99, 1)
    page = (await _ask(shop, PRODUCTS, {"p": {"skip": 0, "take": 100}}))["data"]["product"]
    assert {"id": product["id"], "price": 19.99} in page
    lines = {"o": {"products": [{"id": product["id"], "quantity": 3}]}}
    order = (await _ask(shop, ORDER, lines, **headers))["data"]["createOrder"]
    assert (order["totalPrice"], order["status"]) == (59.97, "PLACED")
    assert order["products"] == [{"id": product["id"], "name": "Mug", "price": 19.99, "quantity": 3}]
    mine = (await _ask(shop, ACCOUNTS, **headers))["data"]["accounts"]
    orders = [{"id": order["id"], "totalPrice": 59.97}]
    assert mine == [{"id": product["accountId"], "email": account["email"], "orders": orders}]


async def test_a_repeated_order_is_placed_once(shop: httpx.AsyncClient) -> None:
    """The Idempotency-Key header travels to the order service."""
    await _ask(shop, REGISTER, {"a": {"name": "Ada", "email": email(), "password": PASSWORD}})
    product = (await _ask(shop, CREATE, {"p": MUG}))["data"]["createProduct"]["id"]
    lines = {"o": {"products": [{"id": product, "quantity": 1}]}}
    placed = [(await _ask(shop, ORDER, lines, **{"Idempotency-Key": "once"}))["data"]["createOrder"] for _ in range(2)]
    assert placed[0] == placed[1]
    assert len((await _ask(shop, ACCOUNTS))["data"]["accounts"][0]["orders"]) == 1


async def test_bad_input_reaches_no_datastore(shop: httpx.AsyncClient) -> None:
    """Text that PostgreSQL cannot keep, prices that are none and unknown products are errors with codes."""
    await _ask(shop, REGISTER, {"a": {"name": "Ada", "email": email(), "password": PASSWORD}})
    wrong = [
        (CREATE, {"p": MUG | {"name": "a\0b"}}, "INVALID"),
        (CREATE, {"p": MUG | {"name": "x" * 10_000}}, "INVALID"),
        (CREATE, {"p": MUG | {"price": 19.999}}, "INVALID"),
        (CREATE, {"p": MUG | {"price": -1}}, "INVALID"),
        (ORDER, {"o": {"products": []}}, "INVALID"),
        (ORDER, {"o": {"products": [None]}}, "INVALID"),
        (ORDER, {"o": {"products": [{"id": "x", "quantity": 2**31 - 1}]}}, "INVALID"),
        (ORDER, {"o": {"products": [{"id": "x", "quantity": 1}]}}, "NOT_FOUND"),
        (REGISTER, {"a": {"name": "a\0b", "email": email(), "password": PASSWORD}}, "INVALID"),
        (REGISTER, {"a": {"name": "Ada", "email": "not one", "password": PASSWORD}}, "INVALID"),
        (REGISTER, {"a": {"name": "Ada", "email": email(), "password": "short"}}, "INVALID"),
        (PRODUCTS, {"p": {"skip": -1, "take": 1}}, "INVALID"),
    ]
    for query, variables, code in wrong:
        body = await _ask(shop, query, variables)
        assert [error["extensions"]["code"] for error in body["errors"]] == [code], (variables, body)
    for missing in ("\0", "", "x" * 100_000, "00000000-0000-0000-0000-000000000000"):
        assert await _ask(shop, PRODUCTS, {"id": missing}) == {"data": {"product": []}}
    assert (await _ask(shop, PRODUCTS, {"p": {"skip": 2**31 - 1, "take": 2**31 - 1}}))["data"] == {"product": []}


async def test_an_administrator_sees_everybody(shop: httpx.AsyncClient, platform: Platform) -> None:
    """The administrator of the settings pages through all accounts with their orders."""
    await _ask(shop, REGISTER, {"a": {"name": "Ada", "email": email(), "password": PASSWORD}})
    account = {"email": platform.administrator_email, "password": platform.administrator_password}
    await _ask(shop, LOGIN, {"a": account})
    seen = (await _ask(shop, ACCOUNTS, {"p": {"skip": 0, "take": 100}}))["data"]["accounts"]
    assert len(seen) >= 2
    assert platform.administrator_email in [one["email"] for one in seen]


async def test_a_view_reaches_kafka_with_its_viewer(shop: httpx.AsyncClient, platform: Platform) -> None:
    """Looking at a product is told on interaction_events: with the account when signed in, without for a visitor."""
    await _ask(shop, REGISTER, {"a": {"name": "Ada", "email": email(), "password": PASSWORD}})
    product = (await _ask(shop, CREATE, {"p": MUG}))["data"]["createProduct"]
    await _ask(shop, PRODUCTS, {"id": product["id"]})
    shop.cookies.clear()
    await _ask(shop, PRODUCTS, {"id": product["id"]})

    def views(records: list[Any]) -> list[tuple[events.Event, int | None, int]]:
        """The event, the viewer and the number of views, for each that tells of the product."""
        found: list[tuple[events.Event, int | None, int]] = []
        for event in map(events.from_record, records):
            match event.message:
                case ProductRetrieved(product_id=product_id, account_id=account_id):
                    told = [(product_id, account_id, 1)]
                case ProductsRetrieved(retrievals=retrievals):
                    told = [(each.product_id, None, each.quantity) for each in retrievals]
                case _:
                    told = []
            found += [(event, viewer, number) for seen, viewer, number in told if seen == product["id"]]
        return found

    bootstrap = platform.datastores.kafka.bootstrap_servers
    found = views(await kafka.read(bootstrap, "interaction_events", lambda records: len(views(records)) >= 2))
    assert {viewer: number for _, viewer, number in found} == {product["accountId"]: 1, None: 1}
    assert {event.key: viewer for event, viewer, _ in found if viewer} == {
        str(product["accountId"]): product["accountId"]
    }
    assert {event.source for event, _, _ in found} == {"/gateway"}
    assert all(event.traceparent for event, _, _ in found)


async def test_the_playground_is_there(shop: httpx.AsyncClient) -> None:
    """GraphiQL's page and the public keys are served by the running gateway."""
    page = await shop.get("/playground")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    keys = (await shop.get("/.well-known/jwks.json")).json()["keys"]
    assert keys
    assert {key["alg"] for key in keys} == {"ES256"}
