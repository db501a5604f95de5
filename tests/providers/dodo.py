"""Dodo Payments as far as the shop uses it: the paths, fields and webhooks of its published API, kept in memory.

    async with DodoServer().running() as dodo: ...

`pay` is what a buyer does on the page; `delivery` the webhook that tells of it, signed.
"""

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Self

from services.payment import standard_webhooks
from tests.providers.leash import Answer, Asked, ProviderServer

SECRET: Final = "whsec_" + "ZG9k" * 8
API_KEY: Final = "test-key"


class DodoServer(ProviderServer):
    """One business at Dodo; `customers`, `products`, `checkouts`, `payments` and `refunds` are what it keeps."""

    def __init__(self) -> None:
        super().__init__(self._handle)
        self.customers: dict[str, dict[str, Any]] = {}
        self.products: dict[str, dict[str, Any]] = {}
        self.checkouts: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        # Whether the way in which buyers pay allows refunds of a part.
        self.partial_refunds = True
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Self]:
        """Answers itself, listening."""
        async with self.running():
            yield self

    @property
    def environment(self) -> dict[str, str]:
        """What the payment service is given to use it."""
        return {
            "PAYMENT_PROVIDER": "dodo",
            "PROVIDER_URL": self.url,
            "PROVIDER_API_KEY": API_KEY,
            "WEBHOOK_SECRETS": SECRET,
        }

    def pay(self, checkout_id: str, status: str = "succeeded", *, tax: int = 0, less: int = 0) -> dict[str, Any]:
        """Lets the buyer of a page pay, or fail to; `less` is how much too little comes in."""
        checkout = self.checkouts[checkout_id]
        total = sum(item["amount"] * item["quantity"] for item in checkout["product_cart"])
        payment = {
            **_BUSINESS,
            "payment_id": self._id("pay"),
            "checkout_session_id": checkout_id,
            "status": status,
            "total_amount": total + tax - less,
            "tax": tax,
            "currency": checkout["billing_currency"],
            "customer": checkout["customer"],
            "metadata": checkout["metadata"],
            "created_at": _now(),
            "product_cart": checkout["product_cart"],
            "refunds": [],
            "settlement_amount": total,
            "settlement_currency": checkout["billing_currency"],
        }
        self.payments[payment["payment_id"]] = payment
        checkout["payment_id"] = payment["payment_id"]
        return payment

    def delivery(
        self, kind: str, data: dict[str, Any], delivery_id: str = "", now: datetime | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Answers the headers and the body of the webhook that tells of a payment or refund."""
        now = now or datetime.now(UTC)
        payload_type = "Refund" if kind.startswith("refund.") else "Payment"
        told = {
            "business_id": "bus_1",
            "type": kind,
            "timestamp": _now(),
            "data": {"payload_type": payload_type, **data},
        }
        body = json.dumps(told).encode()
        headers = standard_webhooks.sign([SECRET], delivery_id or self._id("msg"), now, body)
        return {**headers, "content-type": "application/json"}, body

    def refund(self, payment_id: str, amount: int, metadata: dict[str, str] | None = None) -> dict[str, Any]:
        """Gives money back, as the shop's owner does at Dodo's own pages."""
        payment = self.payments[payment_id]
        refund = {
            **_BUSINESS,
            "refund_id": self._id("ref"),
            "payment_id": payment_id,
            "status": "succeeded",
            "amount": amount,
            "currency": payment["currency"],
            "created_at": _now(),
            "customer": payment["customer"],
            "is_partial": amount < payment["total_amount"],
            "metadata": metadata or {},
        }
        self.refunds[refund["refund_id"]] = refund
        payment["refunds"].append({name: value for name, value in refund.items() if name != "metadata"})
        return refund

    def _id(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers)}"

    def _handle(self, asked: Asked) -> Answer:  # noqa: C901, PLR0911, PLR0912 a line for each path
        if asked.headers.get("authorization") != f"Bearer {API_KEY}":
            return Answer(401, {"message": "no such key"})
        parts = asked.path.strip("/").split("/")
        match asked.method, parts:
            case "POST", ["customers"]:
                return self._add(self.customers, "customer_id", "cus", asked)
            case "GET", ["customers"]:
                found = [each for each in self.customers.values() if each["email"] == asked.query.get("email")]
                return Answer(200, {"items": found})
            case "PATCH", ["customers", one] if one in self.customers:
                self.customers[one] |= asked.body
                return Answer(200, self.customers[one])
            case "POST", ["customers", one, "customer-portal", "session"] if one in self.customers:
                return Answer(200, {"link": f"https://customer.dodo.example/{one}"})
            case "POST", ["products"]:
                return self._add(self.products, "product_id", "prod", asked)
            case "GET", ["products"]:
                return Answer(200, {"items": list(self.products.values())})
            case (("PATCH" | "DELETE"), ["products", one]) if one in self.products:
                self.products[one] |= asked.body if asked.method == "PATCH" else {"archived": True}
                return Answer(200, None)
            case "POST", ["checkouts"]:
                return self._checkout(asked)
            case "GET", ["checkouts", one] if one in self.checkouts:
                payment = self.payments.get(self.checkouts[one].get("payment_id", ""), {})
                told = {"id": one, "created_at": _now(), "payment_id": payment.get("payment_id")}
                return Answer(200, {**told, "payment_status": payment.get("status")})
            case "GET", ["payments", one] if one in self.payments:
                return Answer(200, self.payments[one])
            case "GET", ["payments", one, "line-items"] if one in self.payments:
                lines = [{"amount": a, "items_id": i, "refundable_amount": r} for i, a, r in self._lines(one)]
                allowed = {"currency": asked.query["currency"], "partial_refund_allowed": self.partial_refunds}
                return Answer(200, {**allowed, "items": [{**line, "tax": 0} for line in lines]})
            case "POST", ["refunds"]:
                return self._refund(asked)
            case "GET", ["refunds", one] if one in self.refunds:
                return Answer(200, self.refunds[one])
        return Answer(404, {"message": "there is no such thing"})

    def _add(self, kept: dict[str, dict[str, Any]], name: str, kind: str, asked: Asked) -> Answer:
        made = {**_BUSINESS, "metadata": {}, **asked.body, name: self._id(kind), "created_at": _now()}
        kept[made[name]] = made
        return Answer(200, made)

    def _checkout(self, asked: Asked) -> Answer:
        cart = asked.body["product_cart"]
        if len(cart) > 20 or any(item["product_id"] not in self.products for item in cart):
            return Answer(422, {"message": "the cart cannot be sold"})
        checkout_id = self._id("cks")
        self.checkouts[checkout_id] = asked.body
        return Answer(200, {"session_id": checkout_id, "checkout_url": f"https://checkout.dodo.example/{checkout_id}"})

    def _lines(self, payment_id: str) -> Iterator[tuple[str, int, int]]:
        """Yields of each line its product, what it comes to, and what can still be given back of that."""
        payment = self.payments[payment_id]
        used = sum(each["amount"] for each in payment["refunds"])
        for item in payment["product_cart"]:
            amount = item["amount"] * item["quantity"]
            taken = min(amount, used)
            used -= taken
            yield item["product_id"], amount, amount - taken

    def _refund(self, asked: Asked) -> Answer:
        payment = self.payments.get(asked.body["payment_id"])
        if payment is None or payment["status"] != "succeeded":
            return Answer(409, {"message": "this payment cannot be refunded"})
        left = payment["total_amount"] - sum(each["amount"] for each in payment["refunds"])
        items = asked.body.get("items")
        if items and asked.body.get("currency") != payment["currency"]:
            return Answer(422, {"message": "amounts are in the settlement currency"})
        free = {item_id: refundable for item_id, _, refundable in self._lines(payment["payment_id"])}
        amount = sum(item.get("amount", free[item["item_id"]]) for item in items) if items else left
        if not 0 < amount <= left:
            return Answer(422, {"message": "not as much is left"})
        return Answer(200, self.refund(payment["payment_id"], amount, asked.body.get("metadata")))


_BUSINESS: Final = {"business_id": "bus_1", "brand_id": "brand_1"}


def _now() -> str:
    return datetime.now(UTC).isoformat()
