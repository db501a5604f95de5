"""A provider outside of the platform that is slow, fails, talks nonsense, or was asked by a process that then died."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.payment import v1 as payment_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.errors import UnavailableError
from tests.integration.order.conftest import Person
from tests.integration.payment.till import PATIENCE, Till
from tests.providers.dodo import DodoServer

SESSIONS = "SELECT string_agg(status, ' ' ORDER BY created_at) FROM checkout_sessions WHERE order_id = :o"
REFUNDS = (
    "SELECT r.reason, r.status, r.amount_minor FROM refunds r JOIN payments p ON p.id = r.payment_id"
    " WHERE p.order_id = :o ORDER BY r.created_at"
)


@pytest.fixture(scope="module")
async def dodo() -> AsyncIterator[DodoServer]:
    """Dodo's API on loopback."""
    async with DodoServer().started() as server:
        yield server


@pytest.fixture(scope="module")
def settings(dodo: DodoServer) -> dict[str, str]:
    """Payment uses it; sessions are asked about after five seconds."""
    return {**dodo.environment, "RECONCILE_AFTER": "5"}


@pytest.fixture(autouse=True)
async def _behaving(dodo: DodoServer) -> AsyncIterator[None]:
    """Whatever a test makes of it, it behaves afterwards."""
    yield
    dodo.leash.loosen()


@pytest.fixture
async def order_id(till: Till, buyer: Person, product: product_v1.Product) -> int:
    """An order of two pieces, 39.98."""
    return (await till.place(buyer, {product.id: 2})).id


async def ask(till: Till, buyer: Person, order_id: int) -> str:
    """Asks for a page once."""
    request = payment_v1.CreateCheckoutSessionRequest(
        order_id=order_id, email="buyer@example.com", name="Buyer", redirect_url="http://127.0.0.1/back"
    )
    with rpc.acting_as(buyer.token):
        return (await till.payments.create_checkout_session(request)).url


async def told(till: Till, dodo: DodoServer, kind: str, data: dict[str, Any]) -> httpx.Response:
    """Delivers a webhook."""
    headers, body = dodo.delivery(kind, data)
    port = till.platform.environment("payment")["HTTP_PORT"]
    return await till.http.post(f"http://127.0.0.1:{port}/webhook/payment", content=body, headers=headers)


def checkouts(dodo: DodoServer, order_id: int) -> list[str]:
    """The pages that the provider has for an order, in the order of their making."""
    return [name for name, one in dodo.checkouts.items() if one["metadata"]["order_id"] == str(order_id)]


async def paid(till: Till, dodo: DodoServer, buyer: Person, order_id: int, **how: Any) -> dict[str, Any]:
    """Opens a page, pays on it, and lets the shop be told; answers the provider's payment."""
    await till.checkout(buyer, order_id)
    payment = dodo.pay(checkouts(dodo, order_id)[-1], **how)
    assert (await told(till, dodo, "payment.succeeded", payment)).json() == {"outcome": "applied"}
    return payment


async def given_back(dodo: DodoServer, payment: dict[str, Any]) -> list[int]:
    """Waits until the provider gave money of a payment back; answers all the amounts."""
    async with asyncio.timeout(PATIENCE):
        while not payment["refunds"]:  # noqa: ASYNC110 another process's doing
            await asyncio.sleep(0.05)
    return [refund["amount"] for refund in dodo.refunds.values() if refund["payment_id"] == payment["payment_id"]]


async def test_killed_while_the_provider_opens_a_page(
    till: Till, dodo: DodoServer, buyer: Person, administrator: Person, order_id: int
) -> None:
    """One session, one address that anybody has, one charge of the order's total."""
    dodo.leash.hold("/checkouts")
    lost = asyncio.create_task(ask(till, buyer, order_id))
    async with asyncio.timeout(PATIENCE):
        await dodo.leash.held.wait()
    lost.cancel()
    await till.killed()
    assert len(checkouts(dodo, order_id)) == 1
    dodo.leash.loosen()
    await till.started()
    assert await till.checkout(buyer, order_id) == await till.checkout(buyer, order_id)
    assert (await till.sql(SESSIONS, o=order_id))[0][0] == "open"
    keys = {
        each.idempotency_key for each in dodo.asked if each.path == "/checkouts" and str(order_id) in str(each.body)
    }
    assert len(keys) == 1
    payment = await paid(till, dodo, buyer, order_id)
    assert payment["total_amount"] == 3998
    await till.becomes(administrator, "PAID", order_id)
    assert payment["refunds"] == []


async def test_killed_while_the_provider_gives_money_back(
    till: Till, dodo: DodoServer, buyer: Person, administrator: Person, order_id: int
) -> None:
    """It is asked again after the start, and gives it back once."""
    payment = await paid(till, dodo, buyer, order_id)
    await till.becomes(administrator, "PAID", order_id)
    (shown,) = await till.shown_payments(buyer, order_id)
    dodo.leash.hold("/refunds")
    with rpc.acting_as(administrator.token):
        await till.payments.refund_payment(payment_v1.RefundPaymentRequest(payment_id=shown.id))
    async with asyncio.timeout(PATIENCE):
        await dodo.leash.held.wait()
    await till.killed()
    await till.leases_end()
    dodo.leash.loosen()
    await till.started()
    await till.becomes(administrator, "REFUNDED", order_id)
    assert await given_back(dodo, payment) == [3998]
    assert [row.status for row in await till.sql(REFUNDS, o=order_id)] == ["succeeded"]


@pytest.mark.parametrize(
    "leash",
    [
        {"status": 500},
        {"status": 503},
        {"status": 429},
        {"garbage": b"<html>Bad gateway</html>"},
        {"garbage": b'{"unexpected": 1}'},
        {"garbage": b"[]"},
        {"garbage": b"null"},
        {"garbage": b"\xff\x00"},
    ],
    ids=str,
)
async def test_a_provider_that_fails_or_talks_nonsense(
    till: Till, dodo: DodoServer, buyer: Person, order_id: int, leash: dict[str, Any]
) -> None:
    """It is said to be unavailable, whatever it was; the same session is opened when it is well again."""
    for name, value in leash.items():
        setattr(dodo.leash, name, value)
    with pytest.raises(UnavailableError):
        await ask(till, buyer, order_id)
    assert (await till.sql(SESSIONS, o=order_id))[0][0] == "opening"
    dodo.leash.loosen()
    await till.checkout(buyer, order_id)
    assert (await till.sql(SESSIONS, o=order_id))[0][0] == "open"


async def test_a_provider_that_is_slow(
    till: Till, dodo: DodoServer, buyer: Person, product: product_v1.Product, administrator: Person
) -> None:
    """Whoever needs it is told so within the deadline; webhooks and everything else go on meanwhile."""
    orders = [(await till.place(buyer, {product.id: 1})).id for _ in range(6)]
    await till.checkout(buyer, orders[0])
    payment = dodo.pay(checkouts(dodo, orders[0])[0])
    dodo.leash.slow_seconds = 15
    waiting = [asyncio.create_task(ask(till, buyer, order_id)) for order_id in orders[1:]]
    async with asyncio.timeout(PATIENCE):
        assert (await told(till, dodo, "payment.succeeded", payment)).status_code == 200
        await till.becomes(administrator, "PAID", orders[0])
        assert len(await till.shown_payments(buyer, orders[0])) == 1
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [UnavailableError] * 5
    dodo.leash.loosen()
    assert await till.checkout(buyer, orders[1])


@pytest.mark.parametrize("leash", [{"status": 500}, {"garbage": b"[]"}], ids=str)
async def test_money_is_owed_while_the_provider_is_away(  # noqa: PLR0917 fixtures
    till: Till, dodo: DodoServer, buyer: Person, administrator: Person, order_id: int, leash: dict[str, Any]
) -> None:
    """A payment of a cancelled order is given back as soon as the provider is well again, and once."""
    await till.checkout(buyer, order_id)
    payment = dodo.pay(checkouts(dodo, order_id)[-1])
    # Before anything else can happen: the shop asks about the session by itself after a while, and would give it back.
    for name, value in leash.items():
        setattr(dodo.leash, name, value)
    await till.move(administrator, order_id, order_v1.OrderStatus.CANCELLED)
    assert (await told(till, dodo, "payment.succeeded", payment)).status_code == 200
    waits = "SELECT max(attempts) >= 2 FROM refunds WHERE status = 'requested'"
    await till.until(waits, wanted=True)
    assert payment["refunds"] == []
    dodo.leash.loosen()
    assert await given_back(dodo, payment) == [3998]
    await till.settled(order_id)
    assert [tuple(row) for row in await till.sql(REFUNDS, o=order_id)] == [("order_cancelled", "succeeded", 3998)]
    assert await till.status(administrator, order_id) == "CANCELLED"


async def test_a_refund_that_the_provider_will_never_make(
    till: Till, dodo: DodoServer, buyer: Person, administrator: Person, order_id: int
) -> None:
    """It is kept as failed, with the provider's words, and asked for no more."""
    payment = await paid(till, dodo, buyer, order_id)
    await till.becomes(administrator, "PAID", order_id)
    (shown,) = await till.shown_payments(buyer, order_id)
    # Somebody took the money back at the provider's own pages, and the shop was not told yet.
    payment["status"] = "disputed"
    with rpc.acting_as(administrator.token):
        await till.payments.refund_payment(payment_v1.RefundPaymentRequest(payment_id=shown.id))
    failed = "SELECT status FROM refunds WHERE payment_id = :p"
    await till.until(failed, "failed", p=shown.id)
    (row,) = await till.sql("SELECT failure FROM refunds WHERE payment_id = :p", p=shown.id)
    assert "cannot be refunded" in row.failure
    assert await till.status(administrator, order_id) == "PAID"


async def test_webhooks_that_are_rightly_signed_nonsense(
    till: Till, dodo: DodoServer, buyer: Person, administrator: Person, order_id: int
) -> None:
    """They are refused or without effect, never an error of ours; the right one is applied after them."""
    await till.checkout(buyer, order_id)
    payment = dodo.pay(checkouts(dodo, order_id)[-1])
    nonsense: list[dict[str, Any]] = [
        {},
        {**payment, "total_amount": "a lot"},
        {**payment, "total_amount": -1},
        {**payment, "total_amount": 2**70},
        {**payment, "currency": "dollars"},
        {**payment, "tax": payment["total_amount"] + 1},
        {**payment, "payment_id": "p" * 300},
        {**payment, "payment_id": ""},
        {**payment, "payment_id": "nul\0"},
        {**payment, "metadata": []},
    ]
    for data in nonsense:
        answer = await told(till, dodo, "payment.succeeded", data)
        assert answer.status_code == 400, (json.dumps(data), answer.text)
    assert await till.shown_payments(buyer, order_id) == []
    strange = {**payment, "payment_id": "pay_strange", "metadata": {"session_id": "another shop's"}}
    strange["checkout_session_id"] = "another shop's"
    assert (await told(till, dodo, "payment.succeeded", strange)).json() == {"outcome": "unmatched"}
    assert (await told(till, dodo, "dispute.opened", payment)).json() == {"outcome": "ignored"}
    assert (await told(till, dodo, "payment.succeeded", payment)).json() == {"outcome": "applied"}
    await till.becomes(administrator, "PAID", order_id)


async def test_too_little_came_in(
    till: Till, dodo: DodoServer, buyer: Person, administrator: Person, order_id: int
) -> None:
    """It does not pay the order, and is given back; what comes in fully after that does."""
    payment = await paid(till, dodo, buyer, order_id, less=1)
    assert await given_back(dodo, payment) == [3997]
    await till.settled(order_id)
    assert await till.status(administrator, order_id) == "PLACED"
    assert [tuple(row) for row in await till.sql(REFUNDS, o=order_id)] == [("amount_mismatch", "succeeded", 3997)]
    payment = await paid(till, dodo, buyer, order_id)
    await till.becomes(administrator, "PAID", order_id)
    assert payment["refunds"] == []


async def test_the_providers_own_tax_is_no_overpayment(
    till: Till, dodo: DodoServer, buyer: Person, administrator: Person, order_id: int
) -> None:
    """It is charged on top of the order's total, and given back with it."""
    payment = await paid(till, dodo, buyer, order_id, tax=760)
    await till.becomes(administrator, "PAID", order_id)
    refund = dodo.refund(payment["payment_id"], 4758)
    assert (await told(till, dodo, "refund.succeeded", refund)).json() == {"outcome": "applied"}
    await till.becomes(administrator, "REFUNDED", order_id)


async def test_a_webhook_that_never_came(
    till: Till, dodo: DodoServer, buyer: Person, administrator: Person, order_id: int
) -> None:
    """The provider is asked about the session, and the order is paid."""
    await till.checkout(buyer, order_id)
    dodo.pay(checkouts(dodo, order_id)[-1])
    await till.becomes(administrator, "PAID", order_id)
