"""The providers as a shop meets them: the port, and beside it what the buyer and the provider's webhooks do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

from sqlalchemy import text

from services.database import Database
from services.payment import standard_webhooks
from services.payment.domain import CheckoutRequest, Customer, Listing, OpenedCheckout, PaymentStatus
from services.payment.provider import Provider
from services.payment.providers.dodo import DodoProvider
from services.payment.providers.sandbox import Sandbox, sandbox
from services.payment.providers.stripe import StripeProvider
from tests.factories.payment import order
from tests.providers import dodo as dodo_server
from tests.providers import stripe as stripe_server
from tests.providers.dodo import DodoServer
from tests.providers.stripe import StripeServer

BACK: Final = "https://shop.example.com/thanks?from=shop"
TOLERANCE: Final = timedelta(minutes=5)
Webhook = tuple[dict[str, str], bytes]
_STRIPE_KINDS: Final = {PaymentStatus.SUCCEEDED: "succeeded", PaymentStatus.FAILED: "payment_failed"}
_STRIPE_STATUSES: Final = {PaymentStatus.SUCCEEDED: "succeeded", PaymentStatus.FAILED: "requires_payment_method"}


class Counterpart(Protocol):
    """A provider with somebody at its page."""

    provider: Provider

    async def pay(self, opened: OpenedCheckout, status: PaymentStatus = PaymentStatus.SUCCEEDED) -> Webhook:
        """Lets the buyer succeed or fail; answers the webhook that tells of it."""

    async def signed(self, body: bytes, now: datetime) -> dict[str, str]:
        """Answers headers that sign any body."""


def customer(provider_customer_id: str = "", account_id: int = 0) -> Customer:
    """Answers a customer of an account that no other test has."""
    account_id = account_id or uuid4().int % 2**31
    return Customer(account_id, f"{account_id}@example.com", "Buyer", provider_customer_id)


def listing(name: str = "Teapot", version: int = 1) -> Listing:
    """Answers a product that no other test has."""
    return Listing(str(uuid4()), name, "For two cups.", 1999, "USD", version)


async def request_for(provider: Provider, *, listed: bool = True) -> CheckoutRequest:
    """Answers a request for a page on which 59.97 dollars are paid, for products that are on the list or not."""
    buyer = customer()
    buyer = replace(buyer, provider_customer_id=await provider.ensure_customer(buyer))
    asked = order()
    ids = {line.product_id: await provider.put_product(listing(), "") for line in asked.lines} if listed else {}
    return CheckoutRequest(str(uuid4()), asked, buyer, BACK, datetime.now(UTC) + timedelta(hours=1), ids)


class SandboxCounterpart:
    """The built-in provider on PostgreSQL."""

    def __init__(self, database: Database, made: Sandbox) -> None:
        self.provider: Provider = made.provider
        self._database = database
        self._desk = made.provider._desk

    async def pay(self, opened: OpenedCheckout, status: PaymentStatus = PaymentStatus.SUCCEEDED) -> Webhook:
        assert await self._desk.press(opened.url.removeprefix("/checkout/"), status)
        written = text(
            "SELECT body FROM sandbox_deliveries WHERE type = :type AND body::jsonb->'data'->>'payment_id' IN"
            " (SELECT id FROM sandbox_payments WHERE checkout_id = :page)"
        )
        async with self._database.session() as session:
            values = {"type": f"payment.{status.value}", "page": opened.provider_session_id}
            body = (await (await session.connection()).execute(written, values)).scalar_one().encode()
        return await self.signed(body, datetime.now(UTC)), body

    async def signed(self, body: bytes, now: datetime) -> dict[str, str]:
        return standard_webhooks.sign([dodo_server.SECRET], "msg_of_a_test", now, body)


class DodoCounterpart:
    """Dodo's library against the local server."""

    def __init__(self, server: DodoServer, provider: DodoProvider) -> None:
        self.server = server
        self.provider: Provider = provider

    async def pay(self, opened: OpenedCheckout, status: PaymentStatus = PaymentStatus.SUCCEEDED) -> Webhook:
        paid = self.server.pay(opened.provider_session_id, status.value)
        return self.server.delivery(f"payment.{status.value}", paid)

    async def signed(self, body: bytes, now: datetime) -> dict[str, str]:
        return standard_webhooks.sign([dodo_server.SECRET], "msg_of_a_test", now, body)


class StripeCounterpart:
    """Stripe's library against the local server."""

    def __init__(self, server: StripeServer, provider: StripeProvider) -> None:
        self.server = server
        self.provider: Provider = provider

    async def pay(self, opened: OpenedCheckout, status: PaymentStatus = PaymentStatus.SUCCEEDED) -> Webhook:
        paid = self.server.pay(opened.provider_session_id, _STRIPE_STATUSES[status])
        return self.server.delivery(f"payment_intent.{_STRIPE_KINDS[status]}", paid)

    async def signed(self, body: bytes, now: datetime) -> dict[str, str]:
        seconds = int(now.timestamp())
        return {"stripe-signature": stripe_server.signature(stripe_server.SECRET, seconds, body)}


@asynccontextmanager
async def at_sandbox(database: Database) -> AsyncIterator[SandboxCounterpart]:
    """Answers the built-in provider, whose webhooks are sent nowhere."""
    made = sandbox(
        database,
        secrets=[dodo_server.SECRET],
        tolerance=TOLERANCE,
        webhook_url="http://127.0.0.1:9/webhook/payment",
        deliveries=frozenset(),
        clock=lambda: datetime.now(UTC),
        ids=lambda: str(uuid4()),
    )
    yield SandboxCounterpart(database, made)
    for sender in made.loops:
        await sender.close()


@asynccontextmanager
async def at_dodo(seconds: float = 5) -> AsyncIterator[DodoCounterpart]:
    """Answers Dodo with a server of its own; `seconds` are one request's."""
    async with DodoServer().started() as server:
        secrets = [dodo_server.SECRET]
        provider = DodoProvider(dodo_server.API_KEY, secrets, base_url=server.url, request_seconds=seconds)
        yield DodoCounterpart(server, provider)
        await provider.close()


@asynccontextmanager
async def at_stripe(seconds: float = 5) -> AsyncIterator[StripeCounterpart]:
    """Answers Stripe with a server of its own; `seconds` are one request's."""
    async with StripeServer().started() as server:
        secrets = [stripe_server.SECRET]
        provider = StripeProvider(stripe_server.API_KEY, secrets, base_url=server.url, request_seconds=seconds)
        yield StripeCounterpart(server, provider)
        await provider.close()
