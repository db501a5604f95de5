"""The built-in provider behind the port: for trying a shop out, and for tests. No money moves.

It is as far away as an outside one: it keeps its own record, tells the shop by signed webhooks only, and nothing of the
shop reads its tables.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.payment import standard_webhooks
from services.payment.domain import (
    CheckoutFact,
    CheckoutRequest,
    CheckoutStatus,
    Customer,
    Delivery,
    Fact,
    Listing,
    OpenedCheckout,
    RefundFact,
    RefundRequest,
    RefundStatus,
)
from services.payment.providers.sandbox import events
from services.payment.providers.sandbox.desk import Desk

NAME: Final = "sandbox"


class SandboxProvider:
    """Opens pages of our own; `secrets` sign and verify its webhooks."""

    def __init__(self, desk: Desk, secrets: Sequence[str], tolerance: timedelta) -> None:
        self._desk = desk
        self._secrets = secrets
        self._tolerance = tolerance

    @property
    def name(self) -> str:
        """Its name."""
        return NAME

    async def ensure_customer(self, customer: Customer) -> str:
        """Answers an id that is the account's own: there is nothing to make."""
        return f"cus_{customer.account_id}"

    async def open_checkout(self, request: CheckoutRequest) -> OpenedCheckout:
        """Opens a page, or answers the one that this session has."""
        page = await self._desk.open(request)
        return OpenedCheckout(page.id, f"/checkout/{page.token}")

    async def checkout(self, session_id: str, provider_session_id: str) -> tuple[Fact, ...]:
        """Answers how the page stands, and every payment and refund that came of it."""
        page = await self._desk.checkout_of(session_id)
        if page is None:
            return (CheckoutFact(CheckoutStatus.EXPIRED, session_id, provider_session_id),)
        status = CheckoutStatus(page.status)
        if status == CheckoutStatus.OPEN and not self._desk.is_open(page):
            status = CheckoutStatus.EXPIRED
        facts: list[Fact] = [CheckoutFact(status, session_id, page.id)]
        for data, stands in await self._desk.payments_of_checkout(page.id):
            facts += events.payment_facts(data, stands)[:1]
        refunds = await self._desk.refunds_of_checkout(page.id)
        return (*facts, *(events.refund_fact(refund, RefundStatus.SUCCEEDED) for refund in refunds))

    async def close_checkout(self, provider_session_id: str) -> None:
        """Lets the page take no payment any more."""
        await self._desk.close(provider_session_id)

    async def open_portal(self, customer: Customer, return_url: str) -> str:
        """Answers the address of the customer's portal page, open for an hour."""
        return f"/portal/{await self._desk.open_portal(customer.account_id, customer.email, return_url)}"

    async def refund(self, request: RefundRequest) -> RefundFact:
        """Gives money back at once."""
        return events.refund_fact(await self._desk.refund(request), RefundStatus.SUCCEEDED)

    async def put_product(self, listing: Listing, provider_product_id: str) -> str:
        """Answers an id for the product; its pages show the order's own lines, so there is no list to keep."""
        return provider_product_id or f"prod_{listing.product_id}"

    async def remove_product(self, provider_product_id: str) -> None:
        """Does nothing: see put_product."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Verifies by Standard Webhooks, then reads."""
        delivery_id, _ = standard_webhooks.verify(self._secrets, headers, body, now, self._tolerance)
        kind, facts = events.read(body)
        return Delivery(delivery_id, kind, facts)

    async def close(self) -> None:
        """Has no connections of its own."""
