"""Claims about the built-in provider's pages, in a real browser on real processes."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from protos.gen.ecommerce.payment import v1 as payment_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from tests.browser import browser
from tests.integration.order.conftest import Person
from tests.integration.payment.till import Till


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """Webhooks are delivered, each twice and in any order; buyers may come back to another origin than the page's."""
    return {"SANDBOX_WEBHOOK_URL": "", "SANDBOX_DELIVERIES": "twice,shuffled", "REDIRECT_HOSTS": "localhost"}


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for the module."""
    async with browser() as running:
        yield running


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """Somebody's browser, with JavaScript switched off."""
    made = await chromium.new_context(java_script_enabled=False)
    yield made
    await made.close()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    """An empty page."""
    return await context.new_page()


@pytest.fixture
def back(till: Till) -> str:
    """An address of the shop that answers, on another origin than the pages."""
    return f"http://localhost:{till.platform.layout.ports['payment-http']}/healthz?from=basket&status=old"


async def checkout(till: Till, buyer: Person, product: product_v1.Product, back: str) -> tuple[int, str]:
    """Places an order of two pieces; answers its id and its page."""
    order = await till.place(buyer, {product.id: 2})
    return order.id, await till.checkout(buyer, order.id, back)


async def portal(till: Till, buyer: Person) -> str:
    """Answers the address of a customer's portal."""
    request = payment_v1.CreateCustomerPortalSessionRequest(email="buyer@example.com", name="Buyer")
    with rpc.acting_as(buyer.token):
        return (await till.payments.create_customer_portal_session(request)).url


async def press(page: Page, button: str) -> None:
    """Presses a button, and waits for where it leads."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=button).click()


async def test_pay_leads_back_and_pays(
    till: Till, buyer: Person, product: product_v1.Product, page: Page, back: str
) -> None:
    """The page shows lines and total; Pay leads to the shop with the order's number, and the order becomes paid."""
    order_id, url = await checkout(till, buyer, product, back)
    await page.goto(url)
    shown = await page.inner_text("main")
    assert all(part in shown for part in (f"Order {order_id}", "19.99 USD", "39.98 USD", "buyer@example.com"))
    await press(page, "Pay 39.98 USD")
    assert urlsplit(page.url).hostname == "localhost"
    query = parse_qs(urlsplit(page.url).query)
    assert query == {"from": ["basket"], "order_id": [str(order_id)], "status": ["succeeded"]}
    await till.becomes(buyer, "PAID", order_id)
    (payment,) = await till.shown_payments(buyer, order_id)
    assert payment.status == payment_v1.PaymentStatus.SUCCEEDED


async def test_going_back_and_paying_again_pays_once(
    till: Till, buyer: Person, product: product_v1.Product, context: BrowserContext, back: str
) -> None:
    """A page open in two tabs is paid once: the second press leads to the shop too, and the page says it is paid."""
    order_id, url = await checkout(till, buyer, product, back)
    one, other = await context.new_page(), await context.new_page()
    await asyncio.gather(one.goto(url), other.goto(url))
    await asyncio.gather(press(one, "Pay"), press(other, "Pay"))
    assert one.url == other.url
    await one.goto(url)
    assert "This order is paid" in await one.inner_text("h1")
    await till.becomes(buyer, "PAID", order_id)
    assert len(await till.shown_payments(buyer, order_id)) == 1


async def test_decline_then_pay(till: Till, buyer: Person, product: product_v1.Product, page: Page, back: str) -> None:
    """A declined order says so, and its page still takes a payment."""
    order_id, url = await checkout(till, buyer, product, back)
    await page.goto(url)
    await press(page, "Decline")
    assert "status=failed" in page.url
    await till.becomes(buyer, "PAYMENT_FAILED", order_id)
    await page.goto(url)
    await press(page, "Pay")
    await till.becomes(buyer, "PAID", order_id)


async def test_cancel(till: Till, buyer: Person, product: product_v1.Product, page: Page, back: str) -> None:
    """A cancelled order is cancelled; its page charges nothing any more and leads back."""
    order_id, url = await checkout(till, buyer, product, back)
    await page.goto(url)
    await press(page, "Cancel")
    assert "status=cancelled" in page.url
    await till.becomes(buyer, "CANCELLED", order_id)
    await page.goto(url)
    assert "takes no payment" in await page.inner_text("h1")
    assert await page.get_by_role("button").count() == 0
    assert (await till.http.post(f"{url}/pay")).headers["location"] == urlsplit(url).path


async def test_the_portal_refunds_once(
    till: Till, buyer: Person, product: product_v1.Product, context: BrowserContext, back: str
) -> None:
    """A customer takes the money back in the portal, in two tabs at once: it is given back once."""
    order_id, url = await checkout(till, buyer, product, back)
    one, other = await context.new_page(), await context.new_page()
    await one.goto(url)
    await press(one, "Pay")
    await till.becomes(buyer, "PAID", order_id)
    address = await portal(till, buyer)
    await asyncio.gather(one.goto(address), other.goto(address))
    await asyncio.gather(press(one, "Refund 39.98 USD"), press(other, "Refund 39.98 USD"))
    assert "39.98 USD given back" in await one.inner_text("main")
    assert await one.get_by_role("button").count() == 0
    await till.becomes(buyer, "REFUNDED", order_id)
    (payment,) = await till.shown_payments(buyer, order_id)
    assert payment.refunded is not None
    assert payment.refunded.minor_units == 3998


async def test_the_portal_is_a_customers_own(
    till: Till, buyer: Person, product: product_v1.Product, page: Page, back: str
) -> None:
    """Another customer sees nothing of it, and cannot refund it by its id."""
    order_id, url = await checkout(till, buyer, product, back)
    await page.goto(url)
    await press(page, "Pay")
    await till.becomes(buyer, "PAID", order_id)
    address = await portal(till, await till.customer())
    await page.goto(address)
    assert "Nothing was paid yet." in await page.inner_text("main")
    ((payment_id,),) = await till.sql(
        "SELECT p.id FROM sandbox_payments p JOIN sandbox_checkouts c ON c.id = p.checkout_id WHERE c.order_id = :o",
        o=order_id,
    )
    assert await till.press(address, f"refund/{payment_id}") == 303
    assert await till.sql("SELECT id FROM sandbox_refunds WHERE payment_id = :p", p=payment_id) == []


async def test_a_page_is_guarded(till: Till, buyer: Person, product: product_v1.Product, page: Page, back: str) -> None:
    """A page is kept by nobody, framed by nobody, told to nobody, and fetches nothing but its style."""
    _, url = await checkout(till, buyer, product, back)
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    answer = await page.goto(url)
    assert answer is not None
    wanted = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
    assert {name: answer.headers[name] for name in wanted} == wanted
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    own = url.removesuffix(urlsplit(url).path)
    assert fetched == [url, f"{own}/checkout/style.css"]
    assert await page.locator("html[lang]").count() == await page.locator("main").count() == 1


@pytest.mark.parametrize("key", ["nobody", "%00", "%ff", "a" * 300, "%3Cscript%3E", "..%5c.."])
@pytest.mark.parametrize("path", ["checkout/{}", "portal/{}", "checkout/{}/pay", "portal/{}/refund/{}"])
async def test_what_opens_no_page(till: Till, path: str, key: str) -> None:
    """A made-up address is answered by 404 and nothing of it is repeated, whatever bytes it has."""
    address = f"http://127.0.0.1:{till.platform.layout.ports['payment-http']}/{path.format(key, key)}"
    method = "POST" if path.count("/") > 1 else "GET"
    answer = await till.http.request(method, address)
    assert answer.status_code == 404
    assert "<script" not in answer.text
