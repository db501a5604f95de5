"""Dodo Payments (docs.dodopayments.com) behind the port, through its own Python library.

It sells products of its list, so each product of the shop is one there that may be paid with any amount
(`pay_what_you_want`), and a cart names for each line what the order says: the price at the moment of sale, whatever the
list says by now. A cart holds 20 lines; a longer order, or one with a product that the list has not got yet, is one
line, "Order".

Its API has no idempotency keys, so the library repeats no call that makes something. A refund is looked for among the
payment's refunds before it is asked for, by our id in its metadata; a checkout that was opened and not kept is a page
whose address nobody has; a product or customer that was, is one that nobody uses. Webhooks are Standard Webhooks.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

import httpx
from dodopayments import APIStatusError, AsyncDodoPayments, DefaultAsyncHttpxClient, NotFoundError
from dodopayments.types import Currency
from dodopayments.types.price_param import OneTimePrice
from dodopayments.types.product_item_req_param import ProductItemReqParam
from dodopayments.types.refund_create_params import Item

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
    Order,
    PaymentFact,
    RefundFact,
    RefundRequest,
    RefundStatus,
)
from services.payment.provider import ProviderRefusedError
from services.payment.providers import dodo_events
from services.payment.providers.calls import (
    CONNECTIONS,
    REQUEST_SECONDS,
    RETRIES,
    in_words_of_the_port,
    moment,
    text,
)

NAME: Final = "dodo"
MOST_LINES: Final = 20
# Everything else is a physical product to a shop, which Dodo has no category for.
_TAX_CATEGORY: Final = "digital_products"
# Pages of the product list that are searched for the product "Order", 100 a page.
_MOST_PAGES: Final = 20
# What is refused for good; a wrong key or a limit is mended or passes.
_REFUSALS: Final = (400, 404, 409, 422)


class DodoProvider:
    """Speaks to Dodo Payments with one API key; `secrets` verify its webhooks."""

    def __init__(  # noqa: PLR0913 a setting each
        self,
        api_key: str,
        secrets: Sequence[str],
        *,
        mode: Literal["test", "live"] = "test",
        base_url: str = "",
        tolerance: timedelta = timedelta(minutes=5),
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._secrets = secrets
        self._tolerance = tolerance
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._dodo = AsyncDodoPayments(
            bearer_token=api_key,
            environment="live_mode" if mode == "live" else "test_mode",
            base_url=base_url or None,
            timeout=request_seconds,
            max_retries=RETRIES,
            http_client=DefaultAsyncHttpxClient(limits=limits, trust_env=not base_url),
        )
        self._once = self._dodo.with_options(max_retries=0)
        # The product "Order" by currency, once it was found or made.
        self._orders: dict[str, str] = {}

    @property
    def name(self) -> str:
        """Its name."""
        return NAME

    async def ensure_customer(self, customer: Customer) -> str:
        """Answers the customer's id: the one that is known, one of that e-mail, or a new one."""
        async with _calling():
            if customer.provider_customer_id:
                await self._dodo.customers.update(customer.provider_customer_id, name=customer.name)
                return customer.provider_customer_id
            found = await self._dodo.customers.list(email=customer.email)
            for known in found.items:
                if known.metadata and known.metadata.get("account_id") == str(customer.account_id):
                    return text(known.customer_id)
            made = await self._once.customers.create(
                email=customer.email, name=customer.name, metadata={"account_id": str(customer.account_id)}
            )
            return text(made.customer_id)

    async def open_checkout(self, request: CheckoutRequest) -> OpenedCheckout:
        """Opens a page on which exactly the order's total is paid, in its currency."""
        order = request.order
        async with _calling():
            cart = await self._cart(order, request.provider_products)
            opened = await self._once.checkout_sessions.create(
                product_cart=cart,
                customer={"customer_id": request.customer.provider_customer_id},
                billing_currency=cast("Currency", order.currency),
                # Anything of these would make the amount another one.
                feature_flags={"allow_currency_selection": False, "allow_discount_code": False},
                return_url=request.redirect_url,
                cancel_url=request.redirect_url,
                metadata={"session_id": request.session_id, "order_id": str(order.id)},
                extra_headers={"Idempotency-Key": request.session_id},
            )
            return OpenedCheckout(text(opened.session_id), text(opened.checkout_url))

    async def checkout(self, session_id: str, provider_session_id: str) -> tuple[Fact, ...]:
        """Answers what became of a session; nothing, where its id was never learned."""
        if not provider_session_id:
            return ()
        async with _calling():
            session = await self._dodo.checkout_sessions.retrieve(provider_session_id)
            text(session.id)  # the library takes any object for a session
            if not session.payment_id:
                return (CheckoutFact(CheckoutStatus.OPEN, session_id, provider_session_id),)
            payment = await self._dodo.payments.retrieve(session.payment_id)
            fact = PaymentFact(
                provider_payment_id=text(payment.payment_id),
                status=dodo_events.payment_status(payment.status),
                amount_minor=int(payment.total_amount),
                currency=text(payment.currency),
                occurred_at=moment(payment.updated_at or payment.created_at),
                session_id=session_id,
                provider_session_id=provider_session_id,
                tax_minor=int(payment.tax or 0),
                reason=payment.error_message or "",
            )
            return (fact, *[await self._refund(each.refund_id) for each in payment.refunds or ()])

    async def close_checkout(self, provider_session_id: str) -> None:
        """Does nothing: Dodo lets a page run out by itself. What is paid on it after all is given back."""

    async def open_portal(self, customer: Customer, return_url: str) -> str:
        """Answers the address of Dodo's own customer portal."""
        async with _calling():
            session = await self._dodo.customers.customer_portal.create(
                customer.provider_customer_id, return_url=return_url
            )
            return text(session.link)

    async def refund(self, request: RefundRequest) -> RefundFact:
        """Gives money back, unless a refund with our id is there already."""
        async with _calling():
            payment = await self._dodo.payments.retrieve(request.provider_payment_id)
            refunded = 0
            for each in payment.refunds or ():
                known = await self._refund(each.refund_id)
                if known.refund_id == request.refund_id:
                    return known
                refunded += 0 if known.status == RefundStatus.FAILED else known.amount_minor
            left = payment.total_amount - refunded
            if not 0 < request.amount_minor <= left:
                raise ProviderRefusedError("Not as much of the payment is left.")
            part = refunded > 0 or request.amount_minor < left
            items = await self._items(request, rest=request.amount_minor == left) if part else None
            made = await self._once.refunds.create(
                payment_id=request.provider_payment_id,
                # Without it, amounts would be in the currency in which Dodo pays the shop.
                currency=cast("Currency", request.currency),
                items=items,
                reason=request.reason or None,
                metadata={"refund_id": request.refund_id},
                extra_headers={"Idempotency-Key": request.refund_id},
            )
            return _refund_fact(made)

    async def put_product(self, listing: Listing, provider_product_id: str) -> str:
        """Lists a product, payable with any amount."""
        price: OneTimePrice = _any_amount(listing.currency, listing.price_minor)
        metadata: dict[str, str | float | bool] = {"product_id": listing.product_id}
        name, description = listing.name[:100], listing.description[:1000] or None
        async with _calling():
            if provider_product_id:
                await self._dodo.products.update(provider_product_id, name=name, description=description, price=price)
                return provider_product_id
            made = await self._once.products.create(
                name=name,
                description=description,
                price=price,
                tax_category=_TAX_CATEGORY,
                metadata=metadata,
                extra_headers={"Idempotency-Key": f"product-{listing.product_id}"},
            )
            return text(made.product_id)

    async def remove_product(self, provider_product_id: str) -> None:
        """Archives a product."""
        async with _calling():
            try:
                await self._dodo.products.archive(provider_product_id)
            except NotFoundError:
                return

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Verifies by Standard Webhooks, then reads."""
        delivery_id, _ = standard_webhooks.verify(self._secrets, headers, body, now, self._tolerance)
        kind, facts = dodo_events.read(body)
        return Delivery(delivery_id, kind, facts)

    async def close(self) -> None:
        """Closes its connections."""
        await self._dodo.close()

    async def _cart(self, order: Order, listed: Mapping[str, str]) -> list[ProductItemReqParam]:
        if len(order.lines) <= MOST_LINES and all(line.product_id in listed for line in order.lines):
            return [
                {"product_id": listed[line.product_id], "quantity": line.quantity, "amount": line.price_minor}
                for line in order.lines
            ]
        return [{"product_id": await self._order_product(order.currency), "quantity": 1, "amount": order.total_minor}]

    async def _order_product(self, currency: str) -> str:
        """Answers the product that stands for a whole order, found by its metadata or made."""
        if currency in self._orders:
            return self._orders[currency]
        metadata: dict[str, str | float | bool] = {"product_id": f"order-{currency}"}
        for number in range(_MOST_PAGES):
            page = await self._dodo.products.list(page_number=number, page_size=100)
            for product in page.items:
                if (product.metadata or {}).get("product_id") == metadata["product_id"]:
                    return self._orders.setdefault(currency, text(product.product_id))
            if len(page.items) < 100:
                break
        price = _any_amount(currency, 0)
        made = await self._once.products.create(
            name="Order", price=price, tax_category=_TAX_CATEGORY, metadata=metadata
        )
        return self._orders.setdefault(currency, text(made.product_id))

    async def _refund(self, provider_refund_id: str) -> RefundFact:
        """Answers a refund whole: in a payment's list it has no metadata."""
        return _refund_fact(await self._dodo.refunds.retrieve(provider_refund_id))

    async def _items(self, request: RefundRequest, *, rest: bool) -> list[Item]:
        """Answers which lines a part is taken from, one after another; the whole of each for the `rest`."""
        lines = await self._dodo.payments.retrieve_line_items(
            request.provider_payment_id, currency=cast("Currency", request.currency)
        )
        if not lines.partial_refund_allowed:
            raise ProviderRefusedError("The buyer's way of paying allows no refund of a part.")
        items: list[Item] = []
        left = request.amount_minor
        for line in lines.items:
            part = min(line.refundable_amount, left)
            if rest and line.refundable_amount > 0:
                items.append({"item_id": line.items_id})
            elif not rest and part > 0:
                items.append({"item_id": line.items_id, "amount": part, "tax_inclusive": True})
                left -= part
        if not items or (left and not rest):
            raise ProviderRefusedError("Not as much of the lines is left.")
        return items


def _calling() -> AbstractAsyncContextManager[None]:
    return in_words_of_the_port("Dodo Payments", _refusal)


def _refusal(error: Exception) -> str | None:
    if not isinstance(error, APIStatusError) or error.status_code not in _REFUSALS:
        return None
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or f"HTTP {error.status_code}")


def _any_amount(currency: str, suggested: int) -> OneTimePrice:
    return {
        "type": "one_time_price",
        "currency": cast("Currency", currency),
        # The least that may be paid; the cart says how much it is.
        "price": 1,
        "suggested_price": suggested or None,
        "pay_what_you_want": True,
        "purchasing_power_parity": False,
        "discount": 0,
    }


def _refund_fact(refund: Any) -> RefundFact:
    return RefundFact(
        provider_refund_id=text(refund.refund_id),
        provider_payment_id=text(refund.payment_id),
        status=dodo_events.refund_status(refund.status),
        amount_minor=int(refund.amount or 0),
        currency=text(refund.currency),
        occurred_at=moment(refund.created_at),
        refund_id=str((refund.metadata or {}).get("refund_id", "")),
        reason=refund.reason or "",
    )
