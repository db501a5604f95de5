"""Claims about paying, through the ingress and in a real browser: what the buyer does is what the order becomes."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from tests.browser import browser
from tests.client import CHECKOUT
from tests.e2e import metrics
from tests.e2e.buyers import TOTAL, Buyer
from tests.e2e.clusters import Stage, is_running, until
from tests.e2e.platforms import Platform
from tests.e2e.trickle import Trickle

SERVER = "app.kubernetes.io/component=server"
WAITING = "payment_order_updates_waiting"


@pytest.fixture
async def page(shop: Platform) -> AsyncIterator[Page]:
    """A browser's page that finds the platform's host name at the ingress, and no other host."""
    address = urlsplit(shop.address()).hostname or ""
    async with browser(hosts={shop.host: address}) as running:
        yield await running.new_page()


@pytest.fixture
async def buyer(shop: Platform) -> Buyer:
    """Somebody who has an account."""
    return await Buyer.of(shop)


async def shot(page: Page, name: str) -> None:
    """Keeps a picture of the page where $E2E_SHOTS says so."""
    if folder := os.environ.get("E2E_SHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def test_an_order_is_paid(buyer: Buyer, page: Page) -> None:
    """The page shows the order's total; after Pay the buyer is back in the shop and the order is paid, once."""
    order = await buyer.order()
    url = await buyer.checkout(order)
    assert urlsplit(url).hostname == buyer.platform.host
    await page.goto(url)
    assert f"{TOTAL}" in await page.inner_text("main")
    await shot(page, "checkout")
    await buyer.press(page, "Pay")
    assert f"order_id={order}" in page.url
    await shot(page, "back-in-the-shop")
    (payment,) = (await buyer.sees(order, "PAID"))["payments"]
    assert (payment["status"], payment["amount"], payment["refunded"]) == ("SUCCEEDED", TOTAL, 0)
    again = await buyer.ask.ask(CHECKOUT, {"d": buyer.details(order)}, buyer.token)
    assert again.codes == ["CONFLICT"]


async def test_a_declined_order_can_be_paid_after_all(buyer: Buyer, page: Page) -> None:
    """After Decline the order says so and nothing was taken; a new checkout pays it."""
    order = await buyer.order()
    await page.goto(await buyer.checkout(order))
    await buyer.press(page, "Decline")
    declined = await buyer.sees(order, "PAYMENT_FAILED")
    assert [payment["status"] for payment in declined["payments"]] == ["FAILED"]
    await page.goto(await buyer.checkout(order))
    await buyer.press(page, "Pay")
    assert "SUCCEEDED" in {payment["status"] for payment in (await buyer.sees(order, "PAID"))["payments"]}


async def test_the_buyer_takes_the_money_back(buyer: Buyer, page: Page) -> None:
    """The portal shows the payment; its refund button makes the order refunded, and there is nothing more to refund."""
    order = await buyer.order()
    await page.goto(await buyer.checkout(order))
    await buyer.press(page, "Pay")
    await buyer.sees(order, "PAID")
    await page.goto(await buyer.portal())
    assert f"{TOTAL}" in await page.inner_text("main")
    await shot(page, "portal")
    await page.get_by_role("button", name="Refund").click()
    (payment,) = (await buyer.sees(order, "REFUNDED"))["payments"]
    assert payment["refunded"] == TOTAL
    await page.goto(await buyer.portal())
    assert await page.get_by_role("button", name="Refund").count() == 0
    await shot(page, "portal-refunded")


@pytest.mark.parametrize("killed", [False, True], ids=["order is away", "order is away and payment is killed"])
async def test_a_payment_waits_for_its_order(
    stage: Stage, shop: Platform, buyer: Buyer, page: Page, *, killed: bool
) -> None:
    """Paid while no order service runs, and payment killed after the webhook or not: the order becomes paid."""
    order = await buyer.order()
    await page.goto(await buyer.checkout(order))
    await shop.change({"services": {"order": {"paused": True}}})
    await shop.says("order", "Paused")
    await stage.patch(shop.namespace, f"deployment/{shop.name}-order", {"spec": {"replicas": 0}})
    await until(lambda: _none_runs(stage, shop, "order"), within=120, what="no order service runs")
    await buyer.press(page, "Pay")
    await until(lambda: _waits(stage, shop), within=60, what="payment has the webhook and a step for the order")
    if killed:
        assert await stage.kill_pods(shop.namespace, f"{shop.of('payment')},{SERVER}")
    await shop.change({"services": {"order": {"paused": None}}})
    paid = await buyer.sees(order, "PAID", within=180)
    assert [payment["status"] for payment in paid["payments"]] == ["SUCCEEDED"]
    await shop.ready()
    # Each gateway finds the order service again in its own time: whoever comes next is to find all of them there.
    async with Trickle(shop) as trickle:
        await trickle.flows()


async def _none_runs(stage: Stage, shop: Platform, component: str) -> bool:
    return not await stage.all(shop.namespace, "pods", f"{shop.of(component)},{SERVER}")


async def _waits(stage: Stage, shop: Platform) -> bool:
    """Whether a payment pod says that the order service is to be told something."""
    for pod in await stage.all(shop.namespace, "pods", f"{shop.of('payment')},{SERVER}"):
        if is_running(pod):
            samples = await metrics.of_pod(stage, shop.namespace, pod["metadata"]["name"])
            if any(name == WAITING and value > 0 for name, _, value in samples):
                return True
    return False
