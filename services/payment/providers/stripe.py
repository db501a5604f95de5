"""Stripe (docs.stripe.com/api) behind the port, through its own Python library.

A checkout is a Checkout Session whose lines have the order's own prices (`price_data`) on the products of the list.
Every call that creates something carries an idempotency key of ours, which Stripe keeps for at least 24 hours. A
product there has an id that is made from ours, so it needs no looking up. Webhooks are signed by Stripe's own scheme:
`Stripe-Signature: t=<seconds>,v1=<HMAC-SHA256 of "t.body">`, one v1 for each secret in use.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import httpx
import msgspec
import stripe as library

from services.payment.domain import (
    CheckoutRequest,
    Customer,
    Delivery,
    Fact,
    Line,
    Listing,
    OpenedCheckout,
    RefundFact,
    RefundRequest,
)
from services.payment.provider import (
    StaleError,
    UnsignedError,
    WronglySignedError,
)
from services.payment.providers import stripe_events
from services.payment.providers.calls import CONNECTIONS, REQUEST_SECONDS, RETRIES, in_words_of_the_port, text
from services.payment.providers.stripe_events import Checkout, Refund

NAME: Final = "stripe"
SIGNATURE: Final = "stripe-signature"
_LONGEST_SIGNATURE: Final = 2_048
# One time and some signatures, of any scheme.
_TIMESTAMP: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
# What is refused for good; a wrong key or a limit is mended or passes.
_REFUSALS: Final = (library.InvalidRequestError, library.CardError, library.IdempotencyError)
_MISSING: Final = "resource_missing"
_EXISTS: Final = "resource_already_exists"


class StripeProvider:
    """Speaks to Stripe with one API key; `secrets` verify its webhooks."""

    def __init__(
        self,
        api_key: str,
        secrets: Sequence[str],
        *,
        base_url: str = "",
        tolerance: timedelta = timedelta(minutes=5),
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._secrets = secrets
        self._tolerance = tolerance
        self._http = _HttpClient(request_seconds, trust_env=not base_url)
        self._stripe = library.StripeClient(
            api_key,
            base_addresses={"api": base_url} if base_url else None,
            max_network_retries=RETRIES,
            http_client=self._http,
        )

    @property
    def name(self) -> str:
        """Its name."""
        return NAME

    async def ensure_customer(self, customer: Customer) -> str:
        """Answers the customer's id; the e-mail and name there become those that are given."""
        params: dict[str, Any] = {"email": customer.email, "name": customer.name}
        customers = self._stripe.v1.customers
        async with _calling():
            if customer.provider_customer_id:
                await customers.update_async(customer.provider_customer_id, params)  # type: ignore[arg-type] # a plain dictionary for its typed one
                return customer.provider_customer_id
            params["metadata"] = {"account_id": str(customer.account_id)}
            digest = hashlib.sha256(f"{customer.email}\n{customer.name}".encode()).hexdigest()[:16]
            made = await customers.create_async(
                params,  # type: ignore[arg-type] # likewise
                {"idempotency_key": f"customer-{customer.account_id}-{digest}"},
            )
            return text(made.id)

    async def open_checkout(self, request: CheckoutRequest) -> OpenedCheckout:
        """Opens a page on which exactly the order's total is paid, in its currency."""
        order = request.order
        ours = {"session_id": request.session_id, "order_id": str(order.id)}
        params: dict[str, Any] = {
            "mode": "payment",
            "customer": request.customer.provider_customer_id,
            "client_reference_id": request.session_id,
            "line_items": [_line_item(line, order.currency, request.provider_products) for line in order.lines],
            "success_url": request.redirect_url,
            "cancel_url": request.redirect_url,
            "expires_at": int(request.expires_at.timestamp()),
            "metadata": ours,
            "payment_intent_data": {"metadata": ours},
        }
        async with _calling():
            opened = await self._stripe.v1.checkout.sessions.create_async(
                params,  # type: ignore[arg-type] # a plain dictionary for its typed one
                {"idempotency_key": request.session_id},
            )
            return OpenedCheckout(text(opened.id), text(opened.url))

    async def checkout(self, session_id: str, provider_session_id: str) -> tuple[Fact, ...]:  # noqa: ARG002 Stripe tells it
        """Answers what became of a session; nothing, where its id was never learned."""
        if not provider_session_id:
            return ()
        async with _calling():
            found = await self._stripe.v1.checkout.sessions.retrieve_async(
                provider_session_id, {"expand": ["payment_intent"]}
            )
            checkout = _as(found, Checkout)
            intent = checkout.payment_intent
            facts = list(stripe_events.checkout_facts(checkout, checkout.created))
            if not isinstance(intent, stripe_events.Intent):
                return tuple(facts)
            if checkout.payment_status != "paid":
                facts.append(stripe_events.intent_fact(intent, intent.created))
            return (*facts, *await self._refunds(intent.id))

    async def close_checkout(self, provider_session_id: str) -> None:
        """Lets the session expire now; one that is over already stays as it is."""
        async with _calling():
            try:
                text((await self._stripe.v1.checkout.sessions.expire_async(provider_session_id)).id)
            except library.InvalidRequestError:
                return

    async def open_portal(self, customer: Customer, return_url: str) -> str:
        """Answers the address of Stripe's own customer portal."""
        async with _calling():
            session = await self._stripe.v1.billing_portal.sessions.create_async(
                {"customer": customer.provider_customer_id, "return_url": return_url}
            )
            return text(session.url)

    async def refund(self, request: RefundRequest) -> RefundFact:
        """Gives money back, unless a refund with our id is there already: keys are forgotten after a day."""
        metadata = {"refund_id": request.refund_id, "reason": request.reason[:500]}
        params: dict[str, Any] = {
            "payment_intent": request.provider_payment_id,
            "amount": request.amount_minor,
            "metadata": metadata,
        }
        async with _calling():
            for known in await self._refunds(request.provider_payment_id):
                if known.refund_id == request.refund_id:
                    return known
            made = await self._stripe.v1.refunds.create_async(
                params,  # type: ignore[arg-type] # a plain dictionary for its typed one
                {"idempotency_key": request.refund_id},
            )
            (fact,) = _refund_facts(made)
            return fact

    async def put_product(self, listing: Listing, provider_product_id: str) -> str:
        """Lists a product under an id that is made from ours."""
        product_id = provider_product_id or f"shop-{listing.product_id}"
        params: dict[str, Any] = {"name": listing.name, "metadata": {"product_id": listing.product_id}, "active": True}
        if listing.description:
            params["description"] = listing.description
        products = self._stripe.v1.products
        async with _calling():
            try:
                if provider_product_id:
                    put = await products.update_async(product_id, params)  # type: ignore[arg-type] # as above
                else:
                    put = await products.create_async(params | {"id": product_id})  # type: ignore[arg-type] # as above
            except library.InvalidRequestError as error:
                if error.code != _EXISTS:
                    raise
                put = await products.update_async(product_id, params)  # type: ignore[arg-type] # as above
            return text(put.id)

    async def remove_product(self, provider_product_id: str) -> None:
        """Takes a product off the list; what was sold is still told of."""
        async with _calling():
            try:
                text((await self._stripe.v1.products.update_async(provider_product_id, {"active": False})).id)
            except library.InvalidRequestError as error:
                if error.code != _MISSING:
                    raise

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Verifies by Stripe's scheme, then reads; the event's id is the delivery's."""
        signed_at, signatures = _read_signature(headers.get(SIGNATURE, ""))
        if not self._is_signed(f"t={signed_at}{signatures}", body):
            raise WronglySignedError
        if abs(now - datetime.fromtimestamp(signed_at, UTC)) > self._tolerance:
            raise StaleError
        event_id, kind, facts = stripe_events.read(body)
        return Delivery(event_id, kind, facts)

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call] # the library declares no types for it

    async def _refunds(self, provider_payment_id: str) -> list[RefundFact]:
        found = await self._stripe.v1.refunds.list_async({"payment_intent": provider_payment_id, "limit": 100})
        return [fact for refund in found.data for fact in _refund_facts(refund)]

    def _is_signed(self, header: str, body: bytes) -> bool:
        # Without a tolerance the library does not look at its own clock.
        fits = []
        for secret in self._secrets:
            try:
                library.WebhookSignature.verify_header(body, header, secret)
            except (library.SignatureVerificationError, UnicodeDecodeError):
                fits.append(False)
            else:
                fits.append(True)
        return any(fits)


class _HttpClient(library.HTTPXClient):
    """The library's own client with bounds: of time, and of connections."""

    def __init__(self, seconds: float, *, trust_env: bool) -> None:
        super().__init__(timeout=seconds)
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._client_async = httpx.AsyncClient(limits=limits, trust_env=trust_env)

    def _get_request_args_kwargs(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None
    ) -> list[Any]:
        # httpx has deprecated that a finished form is given as `data`, which is what the library does.
        arguments, named = super()._get_request_args_kwargs(method, url, headers, post_data)
        content = named.pop("data") or None
        return [arguments, {**named, "content": content}]


def _calling() -> AbstractAsyncContextManager[None]:
    return in_words_of_the_port("Stripe", _refusal)


def _refusal(error: Exception) -> str | None:
    # 409: the same call is under way elsewhere, and its answer can be had later.
    if not isinstance(error, _REFUSALS) or error.http_status == HTTPStatus.CONFLICT:
        return None
    return error.user_message or error.code or "the request is not valid"


def _read_signature(header: str) -> tuple[int, str]:
    """Answers the only time of a header, and its signatures, each as ",v1=" and hexadecimal digits.

    Raises UnsignedError. The library would take the first of several times, and text of any kind for a signature.
    """
    if len(header) > _LONGEST_SIGNATURE:
        raise UnsignedError
    parts = [part.partition("=")[::2] for part in header.split(",")]
    times = [value for name, value in parts if name == "t"]
    signatures = [value for name, value in parts if name == "v1"]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]) or not signatures:
        raise UnsignedError
    # One that is no digest fits nothing; the library is given those that can.
    digests = [value for value in signatures if _DIGEST.fullmatch(value)]
    return int(times[0]), "".join(f",v1={digest}" for digest in digests)


def _line_item(line: Line, currency: str, listed: Mapping[str, str]) -> dict[str, Any]:
    known = listed.get(line.product_id)
    product: dict[str, Any] = {"product": known} if known else {"product_data": {"name": line.name}}
    price = {"currency": currency.lower(), "unit_amount": line.price_minor, **product}
    return {"quantity": line.quantity, "price_data": price}


def _refund_facts(answer: Any) -> tuple[RefundFact, ...]:
    refund = _as(answer, Refund)
    return stripe_events.refund_facts(refund, refund.created)


def _as(answer: Any, kind: type[Any]) -> Any:
    """Answers the library's object as one of ours; raises msgspec.ValidationError where it does not fit."""
    return msgspec.convert(answer.to_dict(), kind)
