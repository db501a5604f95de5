"""Claims about changing things: signing in, selling and buying."""

from datetime import datetime
from typing import Any

import pytest

from services.errors import UnavailableError
from tests.factories.gateway import PASSWORD, email
from tests.unit.gateway.conftest import Shop

REGISTER = "mutation($a: RegisterInput!) { register(account: $a) { token } }"
LOGIN = "mutation($a: LoginInput!) { login(account: $a) { token } }"
CREATE = """mutation($p: CreateProductInput!) {
  createProduct(product: $p) { id name description price accountId version }
}"""
UPDATE = "mutation($p: UpdateProductInput!) { updateProduct(product: $p) { name price version } }"
DELETE = "mutation($id: String!) { deleteProduct(id: $id) }"
ORDER = """mutation($o: OrderInput!) {
  createOrder(order: $o) { id createdAt status totalPrice products { id name description price quantity } }
}"""
MUG = {"name": "Mug", "description": "Holds tea.", "price": 19.99}


async def test_registering_signs_in_by_answer_and_cookie(shop: Shop) -> None:
    """Registering answers a working token and sets it as a cookie: HttpOnly, SameSite=Lax, Secure, of its lifetime."""
    account = {"name": "Ada", "email": email(), "password": PASSWORD}
    answer = await shop.ask(REGISTER, {"a": account})
    token = answer.data["register"]["token"]
    cookie = answer.response.headers["set-cookie"]
    value, *attributes = cookie.split("; ")
    assert value == f"token={token}"
    ages = [int(attribute.removeprefix("Max-Age=")) for attribute in attributes if attribute.startswith("Max-Age=")]
    assert 86_300 < ages[0] <= 86_400
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= set(attributes)
    assert (await shop.data("{ accounts { email } }", token=token))["accounts"] == [{"email": account["email"]}]


async def test_the_cookie_alone_signs_in(shop: Shop) -> None:
    """A client that keeps cookies is signed in after register, and out again after logout."""
    account = {"name": "Ada", "email": email(), "password": PASSWORD}
    await shop.data(REGISTER, {"a": account})
    assert (await shop.data("{ accounts { id } }"))["accounts"] == [{"id": 1}]
    assert (await shop.data("mutation { logout }"))["logout"] is True
    assert (await shop.ask("{ accounts { id } }")).codes == ["UNAUTHENTICATED"]


async def test_a_failed_sign_in_sets_no_cookie(shop: Shop) -> None:
    """A wrong password is UNAUTHENTICATED with a null result and no cookie."""
    answer = await shop.ask(LOGIN, {"a": {"email": email(), "password": PASSWORD}})
    assert (answer.codes, answer.data) == (["UNAUTHENTICATED"], {"login": None})
    assert "set-cookie" not in answer.response.headers


async def test_an_email_registers_once(shop: Shop) -> None:
    """A second registration of an e-mail is a CONFLICT."""
    account = {"name": "Ada", "email": email(), "password": PASSWORD}
    await shop.data(REGISTER, {"a": account})
    assert (await shop.ask(REGISTER, {"a": account | {"email": account["email"].upper()}})).codes == ["CONFLICT"]
    login = await shop.ask(LOGIN, {"a": {"email": account["email"], "password": PASSWORD}})
    assert login.data["login"]["token"]


async def test_a_product_belongs_to_its_maker(shop: Shop) -> None:
    """A new product is answered with its owner, its first version and exactly the price that went in."""
    token = await shop.customer()
    product = (await shop.data(CREATE, {"p": MUG}, token))["createProduct"]
    assert product == MUG | {"id": product["id"], "accountId": 1, "version": 1}


async def test_the_owner_changes_and_removes_a_product(shop: Shop) -> None:
    """An update raises the version; with an old version it is a CONFLICT; a deletion answers true, once."""
    token = await shop.customer()
    product = await shop.product(token)
    change = {"id": product, "name": "Cup", "description": "", "price": 5}
    updated = await shop.data(UPDATE, {"p": change | {"version": 1}}, token)
    assert updated["updateProduct"] == {"name": "Cup", "price": 5.0, "version": 2}
    assert (await shop.ask(UPDATE, {"p": change | {"version": 1}}, token)).codes == ["CONFLICT"]
    assert (await shop.data(UPDATE, {"p": change | {"version": None}}, token))["updateProduct"]["version"] == 3
    assert (await shop.data(DELETE, {"id": product}, token))["deleteProduct"] is True
    assert (await shop.ask(DELETE, {"id": product}, token)).codes == ["NOT_FOUND"]


async def test_nobody_else_does(shop: Shop) -> None:
    """Another account is FORBIDDEN to change or remove a product; a visitor is UNAUTHENTICATED."""
    product = await shop.product(await shop.customer())
    other = await shop.customer()
    change = MUG | {"id": product}
    assert (await shop.ask(UPDATE, {"p": change}, other)).codes == ["FORBIDDEN"]
    assert (await shop.ask(DELETE, {"id": product}, other)).codes == ["FORBIDDEN"]
    for query, variables in ((UPDATE, {"p": change}), (DELETE, {"id": product}), (CREATE, {"p": MUG})):
        assert (await shop.ask(query, variables)).codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("price", ["1e400", "-1.0", "19.999", "1e11"])
async def test_a_price_that_is_none_is_refused(shop: Shop, price: str) -> None:
    """A price written into the query that is infinite, negative, too fine or too high is INVALID; nothing is made."""
    token = await shop.customer()
    query = f'mutation {{ createProduct(product: {{name: "Mug", description: "", price: {price}}}) {{ id }} }}'
    answer = await shop.ask(query, token=token)
    assert answer.codes == ["INVALID"]
    assert answer.message.startswith("The price ")
    assert not shop.products.rows


async def test_a_price_may_be_a_whole_number(shop: Shop) -> None:
    """`price: 20` is as good as `price: 20.0`."""
    token = await shop.customer()
    query = 'mutation { createProduct(product: {name: "Mug", description: "", price: 20}) { price } }'
    assert (await shop.data(query, token=token))["createProduct"]["price"] == 20.0


async def test_an_order_is_answered_from_itself(shop: Shop) -> None:
    """An order answers names and prices of the moment of sale, the exact total, the status and the time."""
    token = await shop.customer()
    product = await shop.product(token)
    order = (await shop.data(ORDER, {"o": {"products": [{"id": product, "quantity": 3}]}}, token))["createOrder"]
    assert order["products"] == [MUG | {"id": product, "quantity": 3}]
    assert (order["totalPrice"], order["status"]) == (59.97, "PLACED")
    assert order["createdAt"].endswith("Z")
    assert datetime.fromisoformat(order["createdAt"]).tzinfo is not None


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "INVALID"),
        ([None], "INVALID"),
        ([{"id": "PRODUCT", "quantity": 1}, None], "INVALID"),
        ([{"id": "PRODUCT", "quantity": 0}], "INVALID"),
        ([{"id": "PRODUCT", "quantity": -1}], "INVALID"),
        ([{"id": "unknown", "quantity": 1}], "NOT_FOUND"),
    ],
)
async def test_an_order_that_is_none_is_refused(shop: Shop, lines: list[Any], code: str) -> None:
    """An empty order, a null line, a quantity below 1 and an unknown product are errors; nothing is placed."""
    token = await shop.customer()
    product = await shop.product(token)
    given = [line and line | {"id": line["id"].replace("PRODUCT", product)} for line in lines]
    answer = await shop.ask(ORDER, {"o": {"products": given}}, token)
    assert (answer.codes, answer.data) == ([code], {"createOrder": None})
    query = "{ accounts { orders { id } } }"
    assert (await shop.data(query, token=token))["accounts"] == [{"orders": []}]


async def test_a_repeated_order_is_answered_by_the_first(shop: Shop) -> None:
    """The header Idempotency-Key reaches the order service: the same key answers the same order."""
    token = await shop.customer()
    lines = {"o": {"products": [{"id": await shop.product(token), "quantity": 1}]}}
    ids = [
        (await shop.ask(ORDER, lines, token, {"Idempotency-Key": key})).data["createOrder"]["id"]
        for key in ("a", "a", "b")
    ]
    assert ids[0] == ids[1] != ids[2]


async def test_a_key_covers_one_order_of_a_request(shop: Shop) -> None:
    """A second createOrder under the same key is refused, instead of being answered by the first."""
    token = await shop.customer()
    lines = {"o": {"products": [{"id": await shop.product(token), "quantity": 1}]}}
    query = "mutation($o: OrderInput!) { a: createOrder(order: $o) { id } b: createOrder(order: $o) { id } }"
    answer = await shop.ask(query, lines, token, {"Idempotency-Key": "a"})
    assert (answer.codes, answer.data) == (["INVALID"], {"a": {"id": 1}, "b": None})
    assert (await shop.data(query, lines, token))["b"] == {"id": 3}


async def test_a_key_is_bounded(shop: Shop) -> None:
    """An Idempotency-Key of 256 characters is INVALID before anything runs."""
    answer = await shop.ask("mutation { logout }", headers={"Idempotency-Key": "k" * 256})
    assert (answer.response.status_code, answer.codes) == (400, ["INVALID"])
    assert "set-cookie" not in answer.response.headers


async def test_one_failed_mutation_leaves_the_others_alone(shop: Shop) -> None:
    """Mutations run in order, and each has its own result."""
    token = await shop.customer()
    shop.services.failures["orders"] = UnavailableError("OrderService does not answer now.")
    query = """mutation($o: OrderInput!, $p: CreateProductInput!) {
      createOrder(order: $o) { id } createProduct(product: $p) { name }
    }"""
    answer = await shop.ask(query, {"o": {"products": [{"id": "x", "quantity": 1}]}, "p": MUG}, token)
    assert answer.data == {"createOrder": None, "createProduct": {"name": "Mug"}}
    assert answer.codes == ["UNAVAILABLE"]
