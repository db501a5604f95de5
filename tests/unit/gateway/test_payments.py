"""Claims about paying: whose pages are opened and where, what an order shows of its payments, who gives money back."""

from typing import Any

import pytest

from services.errors import UnavailableError
from services.gateway.endpoint import Rules
from services.gateway.limits import Limits
from tests.unit.gateway.conftest import Shop

ORDER = "mutation($o: OrderInput!) { createOrder(order: $o) { id } }"
PORTAL = "mutation($c: CustomerPortalSessionInput) { createCustomerPortalSession(credentials: $c) { url } }"
CHECKOUT = "mutation($d: CheckoutInput) { createCheckoutSession(details: $d) { url } }"
REFUND = "mutation($r: RefundInput!) { refundPayment(refund: $r) { id status amount refunded refunding } }"
ONE = "query($id: Int!) { order(id: $id) { id status payments { id orderId provider status amount currency } } }"
ALL = "{ accounts { orders { id payments { id } } } }"
PERSON = {"email": "ada@example.com", "name": "Ada"}
CHECKOUT_DETAILS = PERSON | {"redirectUrl": "http://shop.example/thanks", "products": [], "orderId": 1}
PAGES = [(PORTAL, "c", PERSON), (CHECKOUT, "d", CHECKOUT_DETAILS)]


async def placed(shop: Shop, token: str) -> int:
    """A new order's id."""
    lines = {"products": [{"id": await shop.product(token), "quantity": 2}]}
    return int((await shop.data(ORDER, {"o": lines}, token))["createOrder"]["id"])


# Pages. ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("query", "name", "details"), PAGES)
async def test_a_page_is_opened_for_the_caller_only(shop: Shop, query: str, name: str, details: dict[str, Any]) -> None:
    """Sign-in, details and the caller's own account are asked for in this order, before the payment service is."""
    assert (await shop.ask(query, {name: details | {"accountId": 1}})).codes == ["UNAUTHENTICATED"]
    token = await shop.customer()
    assert (await shop.ask(query, {}, token)).codes == ["INVALID"]
    assert (await shop.ask(query, {name: None}, token)).codes == ["INVALID"]
    assert (await shop.ask(query, {name: details | {"accountId": 2}}, token)).codes == ["FORBIDDEN"]
    assert not [call for call in shop.services.calls if call.startswith("payments.")]


async def test_an_administrator_opens_no_page_for_another(shop: Shop) -> None:
    """The account is the caller's, whoever that is."""
    await shop.customer()
    token = await shop.token("administrator")
    assert (await shop.ask(PORTAL, {"c": PERSON | {"accountId": 1}}, token)).codes == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, "http://shop.example"),
        ({"X-Forwarded-Proto": "https"}, "https://shop.example"),
        ({"X-Forwarded-Proto": "HTTPS, http"}, "https://shop.example"),
        ({"X-Forwarded-Proto": "http, https"}, "http://shop.example"),
        ({"X-Forwarded-Proto": "javascript"}, "http://shop.example"),
        ({"Host": "Shop.Example:8080"}, "http://shop.example:8080"),
        ({"Host": "127.0.0.1:18080"}, "http://127.0.0.1:18080"),
        ({"Host": "[::1]:8080"}, "http://[::1]:8080"),
    ],
)
async def test_pages_are_where_the_client_reached_the_shop(shop: Shop, headers: dict[str, str], origin: str) -> None:
    """The payment service learns the host that was asked for, and whether the client speaks TLS with it."""
    token = await shop.customer()
    answer = await shop.ask(PORTAL, {"c": PERSON | {"accountId": 1}}, token, headers)
    assert answer.data == {"createCustomerPortalSession": {"url": f"{origin}/portal/1"}}
    (buyer,) = shop.payments.buyers
    assert (buyer.email, buyer.name, buyer.origin) == ("ada@example.com", "Ada", origin)


@pytest.mark.parametrize("host", ["", "shop.example/evil", "a@shop.example", "shop.example:port", "-", "a" * 300, "é"])
async def test_a_host_that_is_none_is_refused(shop: Shop, host: str) -> None:
    """It would become part of a link, so no page is opened for it."""
    token = await shop.customer()
    answer = await shop.ask(PORTAL, {"c": PERSON | {"accountId": 1}}, token, {"Host": host.encode()})
    assert answer.codes == ["INVALID"]
    assert "host header" in answer.message.lower()
    assert not shop.payments.buyers


async def test_an_orders_page_is_opened_by_its_owner(shop: Shop) -> None:
    """The URL is the payment service's; what it refuses is refused with its code, and leaves a null."""
    token, other = await shop.customer(), await shop.customer()
    order = await placed(shop, token)
    details = CHECKOUT_DETAILS | {"accountId": 1, "orderId": order}
    data = await shop.data(CHECKOUT, {"d": details}, token)
    assert data == {"createCheckoutSession": {"url": "http://shop.example/checkout/1"}}
    assert (await shop.ask(CHECKOUT, {"d": details | {"accountId": 2}}, other)).codes == ["NOT_FOUND"]
    elsewhere = await shop.ask(CHECKOUT, {"d": details | {"redirectUrl": "https://evil.example"}}, token)
    assert (elsewhere.codes, elsewhere.data) == (["INVALID"], {"createCheckoutSession": None})
    await shop.payments.pay(order)
    assert (await shop.ask(CHECKOUT, {"d": details}, token)).codes == ["CONFLICT"]


async def test_what_a_client_says_of_products_counts_for_nothing(shop: Shop) -> None:
    """`products` may hold anything, nulls included: the amount is the order's."""
    token = await shop.customer()
    lines = [None, {"id": "no such product", "quantity": -5}]
    details = {"accountId": 1, "orderId": await placed(shop, token), "products": lines}
    assert not (await shop.ask(CHECKOUT, {"d": CHECKOUT_DETAILS | details}, token)).errors


# Orders and their payments. -------------------------------------------------------------------------------------------


async def test_an_order_shows_its_payments(shop: Shop) -> None:
    """`order(id:)` answers status and payments: none before, the one that was made after."""
    token = await shop.customer()
    order = await placed(shop, token)
    before = (await shop.data(ONE, {"id": order}, token))["order"]
    assert before == {"id": order, "status": "PLACED", "payments": []}
    payment = await shop.payments.pay(order)
    after = (await shop.data(ONE, {"id": order}, token))["order"]
    assert (after["status"], after["payments"]) == (
        "PAID",
        [
            {
                "id": payment.id,
                "orderId": order,
                "provider": "sandbox",
                "status": "SUCCEEDED",
                "amount": 39.98,
                "currency": "USD",
            }
        ],
    )


async def test_an_order_is_its_owners(shop: Shop) -> None:
    """Another's order and one that does not exist are both null; administrators see any; visitors have to sign in."""
    token, other, administrator = await shop.customer(), await shop.customer(), await shop.token("administrator")
    order = await placed(shop, token)
    await shop.payments.pay(order)
    assert await shop.data(ONE, {"id": order}, other) == {"order": None}
    assert await shop.data(ONE, {"id": 12345}, token) == {"order": None}
    assert len((await shop.data(ONE, {"id": order}, administrator))["order"]["payments"]) == 1
    assert (await shop.ask(ONE, {"id": order})).codes == ["UNAUTHENTICATED"]


async def test_payments_of_a_page_are_one_call(shop: Shop) -> None:
    """The payments of a hundred orders are asked for at once, and not at all where nobody asks."""
    token = await shop.customer()
    orders = [await placed(shop, token) for _ in range(100)]
    paid = [await shop.payments.pay(order) for order in orders]
    shop.services.calls.clear()
    (account,) = (await shop.data(ALL, token=token))["accounts"]
    shown = {order["id"]: order["payments"] for order in account["orders"]}
    assert shown == {payment.order_id: [{"id": payment.id}] for payment in paid}
    assert shop.services.calls == ["accounts.get", "orders.of_accounts", "payments.of_orders"]
    shop.services.calls.clear()
    await shop.data("{ accounts { orders { id } } }", token=token)
    assert shop.services.calls == ["accounts.get", "orders.of_accounts"]


async def test_without_the_payment_service_only_payments_are_missing(shop: Shop) -> None:
    """Orders are answered whole, each with null for its payments, and the reason is told with its path."""
    token = await shop.customer()
    order = await placed(shop, token)
    shop.services.failures["payments"] = UnavailableError("PaymentService does not answer now.")
    answer = await shop.ask(ALL, token=token)
    assert answer.data == {"accounts": [{"orders": [{"id": order, "payments": None}]}]}
    assert answer.codes == ["UNAVAILABLE"]
    assert answer.errors[0]["path"] == ["accounts", 0, "orders", 0, "payments"]


async def test_payments_count_as_objects_of_the_answer() -> None:
    """An order, its line and five payments are more than a limit of six."""
    shop = Shop(Rules(Limits(objects=6)))
    token = await shop.customer()
    order = await placed(shop, token)
    for _ in range(5):
        await shop.payments.pay(order)
    answer = await shop.ask(ONE, {"id": order}, token)
    assert answer.codes == ["INVALID"]
    assert answer.data["order"]["payments"] is None
    await shop.http.aclose()


# Refunds. -------------------------------------------------------------------------------------------------------------


async def test_an_administrator_gives_money_back(shop: Shop) -> None:
    """A part, exactly; then, with no amount, all that is left; then there is a conflict."""
    token, administrator = await shop.customer(), await shop.token("administrator")
    payment = await shop.payments.pay(await placed(shop, token))
    wanted = {"paymentId": payment.id, "amount": 0.29, "reason": "A scratch."}
    answered = (await shop.data(REFUND, {"r": wanted}, administrator))["refundPayment"]
    assert (answered["id"], answered["amount"], answered["refunding"]) == (payment.id, 39.98, 0.29)
    rest = {"paymentId": payment.id}
    assert (await shop.data(REFUND, {"r": rest}, administrator))["refundPayment"]["refunding"] == 39.98
    assert (await shop.ask(REFUND, {"r": rest}, administrator)).codes == ["CONFLICT"]


async def test_nobody_else_gives_money_back(shop: Shop) -> None:
    """Not even who paid; and an unknown payment is NOT_FOUND."""
    token, administrator = await shop.customer(), await shop.token("administrator")
    payment = await shop.payments.pay(await placed(shop, token))
    assert (await shop.ask(REFUND, {"r": {"paymentId": payment.id}})).codes == ["UNAUTHENTICATED"]
    assert (await shop.ask(REFUND, {"r": {"paymentId": payment.id}}, token)).codes == ["FORBIDDEN"]
    assert (await shop.ask(REFUND, {"r": {"paymentId": "none"}}, administrator)).codes == ["NOT_FOUND"]


@pytest.mark.parametrize("amount", [-0.01, 0.001, 1e300])
async def test_an_amount_that_is_none_is_refused(shop: Shop, amount: float) -> None:
    """Negative, too fine and too high amounts are INVALID, and the payment service is not asked."""
    token = await shop.token("administrator")
    answer = await shop.ask(REFUND, {"r": {"paymentId": "any", "amount": amount}}, token)
    assert answer.codes == ["INVALID"]
    assert answer.message.startswith("The amount ")
    assert shop.services.counts["payments.refund"] == 0


async def test_a_repeated_refund_gives_back_no_more(shop: Shop) -> None:
    """The header Idempotency-Key reaches the payment service."""
    administrator = await shop.token("administrator")
    payment = await shop.payments.pay(await placed(shop, administrator))
    part = {"r": {"paymentId": payment.id, "amount": 10}}
    for _ in range(2):
        answer = await shop.ask(REFUND, part, administrator, {"Idempotency-Key": "a-key"})
        assert answer.data["refundPayment"]["refunding"] == 10.0
