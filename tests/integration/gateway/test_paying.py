"""Claims about paying, through GraphQL and the sandbox's page, on real services and real datastores."""

import asyncio
from typing import Any

import httpx
import pytest

from local.platform import Platform
from tests.factories.gateway import PASSWORD, email
from tests.sandbox_page import press

REGISTER = "mutation($a: RegisterInput!) { register(account: $a) { token } }"
LOGIN = "mutation($a: LoginInput!) { login(account: $a) { token } }"
CREATE = "mutation($p: CreateProductInput!) { createProduct(product: $p) { id accountId } }"
BUY = "mutation($o: OrderInput!) { createOrder(order: $o) { id payments { id } } }"
CHECKOUT = "mutation($d: CheckoutInput) { createCheckoutSession(details: $d) { url } }"
PORTAL = "mutation($c: CustomerPortalSessionInput) { createCustomerPortalSession(credentials: $c) { url } }"
ORDER = """query($id: Int!) { order(id: $id) {
  id status totalPrice payments { id orderId provider status amount refunded refunding currency createdAt }
} }"""
REFUND = "mutation($r: RefundInput!) { refundPayment(refund: $r) { id amount refunded refunding } }"
MUG = {"name": "Mug", "description": "Holds tea.", "price": 19.99}
# Seconds in which what was pressed has reached the order, on a busy machine.
PATIENCE = 90.0


class Person:
    """Somebody signed in, with an HTTP client of the own."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http = http
        self._token = token
        self.account_id = 0

    async def ask(self, query: str, variables: object, **headers: str) -> dict[str, Any]:
        """The body of the answer."""
        headers = {"Authorization": f"Bearer {self._token}"} | headers
        response = await self._http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        assert response.status_code == 200
        body: dict[str, Any] = response.json()
        return body

    async def data(self, query: str, variables: object, **headers: str) -> Any:
        """The data of an answer without errors."""
        body = await self.ask(query, variables, **headers)
        assert "errors" not in body, body
        return body["data"]

    async def refusal(self, query: str, variables: object) -> str:
        """The code of the answer's only error."""
        (error,) = (await self.ask(query, variables))["errors"]
        return str(error["extensions"]["code"])

    async def buys(self) -> int:
        """An order of two mugs of the own, 39.98 in all; answers its id."""
        product = (await self.data(CREATE, {"p": MUG}))["createProduct"]
        self.account_id = product["accountId"]
        placed = (await self.data(BUY, {"o": {"products": [{"id": product["id"], "quantity": 2}]}}))["createOrder"]
        assert placed["payments"] == []
        return int(placed["id"])

    def checkout(self, order_id: int, **changes: object) -> dict[str, Any]:
        """The variables of a checkout of this order."""
        details = {"accountId": self.account_id, "orderId": order_id, "email": "ada@example.com", "name": "Ada"}
        details |= {"redirectUrl": "http://127.0.0.1:8080/thanks", "products": []}
        return {"d": details | changes}

    async def page(self, order_id: int) -> str:
        """The address of the order's checkout page."""
        return str((await self.data(CHECKOUT, self.checkout(order_id)))["createCheckoutSession"]["url"])

    async def sees(self, order_id: int, status: str) -> list[dict[str, Any]]:
        """The order's payments once it has the status."""
        shown: dict[str, Any] = {}
        try:
            async with asyncio.timeout(PATIENCE):
                while shown.get("status") != status:
                    shown = (await self.data(ORDER, {"id": order_id}))["order"]
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pytest.fail(f"The order did not become {status}: {shown}")
        payments: list[dict[str, Any]] = shown["payments"]
        return payments


@pytest.fixture
async def buyer(shop: httpx.AsyncClient) -> Person:
    """A new customer."""
    account = {"name": "Ada", "email": email(), "password": PASSWORD}
    return Person(shop, (await _ask(shop, REGISTER, account))["register"]["token"])


@pytest.fixture
async def administrator(shop: httpx.AsyncClient, platform: Platform) -> Person:
    """Gives money back."""
    account = {"email": platform.administrator_email, "password": platform.administrator_password}
    return Person(shop, (await _ask(shop, LOGIN, account))["login"]["token"])


async def _ask(shop: httpx.AsyncClient, query: str, account: dict[str, str]) -> Any:
    return (await shop.post("/graphql", json={"query": query, "variables": {"a": account}})).json()["data"]


async def test_an_order_is_paid_and_given_back(buyer: Person, administrator: Person) -> None:
    """Checkout, Pay, back at the redirect URL, PAID with one payment; refunded in two parts; nothing is paid twice."""
    order = await buyer.buys()
    page = await buyer.page(order)
    assert await buyer.page(order) == page
    back = httpx.URL(await press(page))
    assert (str(back.copy_with(query=None)), back.params["order_id"]) == ("http://127.0.0.1:8080/thanks", str(order))
    (payment,) = await buyer.sees(order, "PAID")
    assert (payment["orderId"], payment["provider"], payment["status"]) == (order, "sandbox", "SUCCEEDED")
    assert (payment["amount"], payment["currency"], payment["refunded"]) == (39.98, "USD", 0.0)
    assert await buyer.refusal(CHECKOUT, buyer.checkout(order)) == "CONFLICT"
    part = {"r": {"paymentId": payment["id"], "amount": 10.5, "reason": "A scratch."}}
    for _ in range(2):
        await administrator.data(REFUND, part, **{"Idempotency-Key": f"scratch of {order}"})
    (payment,) = await buyer.sees(order, "PARTIALLY_REFUNDED")
    assert (payment["status"], payment["refunded"], payment["refunding"]) == ("PARTIALLY_REFUNDED", 10.5, 0.0)
    await administrator.data(REFUND, {"r": {"paymentId": payment["id"]}})
    (payment,) = await administrator.sees(order, "REFUNDED")
    assert (payment["status"], payment["refunded"]) == ("REFUNDED", 39.98)
    assert await administrator.refusal(REFUND, part) == "CONFLICT"


async def test_a_declined_order_can_be_paid_again(buyer: Person) -> None:
    """Decline makes it PAYMENT_FAILED; a page for it is opened again, and then it is PAID; both attempts are shown."""
    order = await buyer.buys()
    await press(await buyer.page(order), "decline")
    (failed,) = await buyer.sees(order, "PAYMENT_FAILED")
    assert (failed["status"], failed["amount"]) == ("FAILED", 39.98)
    await press(await buyer.page(order))
    payments = await buyer.sees(order, "PAID")
    assert [payment["status"] for payment in payments] == ["FAILED", "SUCCEEDED"]


async def test_a_cancelled_order_is_not_paid_any_more(buyer: Person) -> None:
    """Cancel makes it CANCELLED, and no page is opened for it."""
    order = await buyer.buys()
    await press(await buyer.page(order), "cancel")
    await buyer.sees(order, "CANCELLED")
    assert await buyer.refusal(CHECKOUT, buyer.checkout(order)) == "CONFLICT"


async def test_a_portal_is_opened_for_the_caller(buyer: Person) -> None:
    """It is a page on our own address; nobody opens another's."""
    await buyer.buys()
    person = {"accountId": buyer.account_id, "email": "ada@example.com", "name": "Ada"}
    url = (await buyer.data(PORTAL, {"c": person}))["createCustomerPortalSession"]["url"]
    async with httpx.AsyncClient(timeout=30) as browser:
        page = await browser.get(url)
    assert (page.status_code, "Your payments" in page.text) == (200, True)
    assert await buyer.refusal(PORTAL, {"c": person | {"accountId": buyer.account_id + 1}}) == "FORBIDDEN"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirectUrl": "https://evil.example/thanks"}, "INVALID"),
        ({"redirectUrl": "http://127.0.0.1@evil.example/"}, "INVALID"),
        ({"redirectUrl": "javascript:alert(1)"}, "INVALID"),
        ({"redirectUrl": "http://127.0.0.1/" + "a" * 10_000}, "INVALID"),
        ({"redirectUrl": ""}, "INVALID"),
        ({"email": "not an address"}, "INVALID"),
        ({"email": "a\0b@example.com"}, "INVALID"),
        ({"name": "x" * 10_000}, "INVALID"),
        ({"name": "two\nlines"}, "INVALID"),
        ({"accountId": 2**31 - 1}, "FORBIDDEN"),
        ({"orderId": 2**31 - 1}, "NOT_FOUND"),
        ({"orderId": -1}, "NOT_FOUND"),
    ],
)
async def test_a_checkout_that_is_none_is_refused(buyer: Person, changes: dict[str, object], code: str) -> None:
    """Each with its code, and the order is as it was."""
    order = await buyer.buys()
    assert await buyer.refusal(CHECKOUT, buyer.checkout(order, **changes)) == code
    assert await buyer.sees(order, "PLACED") == []


async def test_orders_of_others_are_none_of_ones_business(buyer: Person, administrator: Person) -> None:
    """Neither page nor order nor payment; an administrator sees it, and pays for nobody either."""
    order = await administrator.buys()
    await buyer.buys()
    assert await buyer.refusal(CHECKOUT, buyer.checkout(order)) == "NOT_FOUND"
    assert await buyer.data(ORDER, {"id": order}) == {"order": None}
    mine = await buyer.buys()
    assert await administrator.sees(mine, "PLACED") == []
    assert await administrator.refusal(CHECKOUT, administrator.checkout(mine)) == "NOT_FOUND"
    await press(await buyer.page(mine))
    (payment,) = await buyer.sees(mine, "PAID")
    assert await buyer.refusal(REFUND, {"r": {"paymentId": payment["id"]}}) == "FORBIDDEN"
    for wrong, code in (("no such payment", "NOT_FOUND"), ("a\0b", "INVALID"), ("x" * 1000, "NOT_FOUND")):
        assert await administrator.refusal(REFUND, {"r": {"paymentId": wrong}}) == code
    for amount in (39.99, 0, -1, 0.001):
        code = "CONFLICT" if amount > 39 else "INVALID"
        assert await administrator.refusal(REFUND, {"r": {"paymentId": payment["id"], "amount": amount}}) == code
