"""Stripe's library against Stripe's own description of its API: every request that the shop makes has the right shape.

The mock refuses what the description does not have, and answers with samples; what the samples mean is of no interest.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.payment.domain import CheckoutRequest, Customer, Listing, RefundRequest
from services.payment.provider import ProviderRefusedError
from services.payment.providers import stripe_events
from services.payment.providers.stripe import StripeProvider
from tests.factories.payment import order
from tests.providers.stripe_mock import StripeMock, stripe_mock

BUYER = Customer(7, "ada@example.com", "Ada", "cus_7")
LISTING = Listing("p1", "Teapot", "For two cups.", 1999, "USD", 1)


@pytest.fixture(scope="module")
async def mock(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StripeMock]:
    """The server, built at the first use."""
    async with stripe_mock(tmp_path_factory.mktemp("stripe-mock")) as running:
        yield running


@pytest.fixture(scope="module")
async def stripe(mock: StripeMock) -> AsyncIterator[StripeProvider]:
    """The provider with a key of the form that the mock takes."""
    provider = StripeProvider("sk_test_123", ["whsec_1"], base_url=mock.url)
    yield provider
    await provider.close()


async def test_customers_and_the_portal(stripe: StripeProvider) -> None:
    """A customer is made and changed, and has a portal page."""
    assert (await stripe.ensure_customer(Customer(7, BUYER.email, BUYER.name))).startswith("cus_")
    assert await stripe.ensure_customer(BUYER) == "cus_7"
    assert (await stripe.open_portal(BUYER, "https://shop.example.com/")).startswith("https://")


@pytest.mark.parametrize("listed", [{}, {"p1": "shop-p1"}], ids=["unlisted", "listed"])
async def test_a_checkout(mock: StripeMock, listed: dict[str, str]) -> None:
    """A page is opened with the order's lines, asked about, and closed.

    The sample of a session has no URL since a page's address is not a part of it, which is what the shop needs.
    """
    provider = StripeProvider("sk_test_123", ["whsec_1"], base_url=mock.url)
    expires = datetime.now(UTC) + timedelta(hours=1)
    request = CheckoutRequest("0198f2c4", order(), BUYER, "https://shop.example.com/thanks", expires, listed)
    opened = await provider.open_checkout(request)
    assert opened.provider_session_id.startswith("cs_")
    assert await provider.checkout("0198f2c4", opened.provider_session_id)
    await provider.close_checkout(opened.provider_session_id)
    await provider.close()


async def test_a_refund(stripe: StripeProvider) -> None:
    """A refund of a part has the right shape, and its answer is understood."""
    made = await stripe.refund(RefundRequest("0198f2c4", "pi_1", 100, "USD", "requested"))
    assert made.provider_refund_id.startswith("re_")


async def test_products(stripe: StripeProvider) -> None:
    """A product is put on the list, changed, and taken off."""
    assert await stripe.put_product(LISTING, "") == "shop-p1"
    assert await stripe.put_product(LISTING, "shop-p1") == "shop-p1"
    await stripe.remove_product("shop-p1")


async def test_what_the_description_does_not_have_is_refused(stripe: StripeProvider) -> None:
    """The mock does check: an amount in words is no amount."""
    with pytest.raises(ProviderRefusedError):
        await stripe.refund(RefundRequest("0198f2c4", "pi_1", "much", "USD", ""))  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("payment_intent.succeeded", "payment_intents/pi_1"),
        ("checkout.session.completed", "checkout/sessions/cs_1"),
        ("refund.updated", "refunds/re_1"),
    ],
)
async def test_samples_are_read(mock: StripeMock, kind: str, path: str) -> None:
    """A webhook about each of the mock's own samples is understood."""
    async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{mock.url}/v1/{path}", headers={"authorization": "Bearer sk_test_123"})
    event = {"id": "evt_1", "type": kind, "created": 1, "data": {"object": answer.json()}}
    event_id, read, _ = stripe_events.read(json.dumps(event).encode())
    assert (event_id, read) == ("evt_1", kind)
