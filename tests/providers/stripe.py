"""Stripe as far as the shop uses it: the paths, fields and webhooks of its published API, kept in memory.

    async with StripeServer().started() as stripe: ...

`pay` is what a buyer does on the page; `delivery` the webhook that tells of something, signed. A repeated
Idempotency-Key has the first answer again, or an error where it comes with other parameters.
"""

import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Self

from tests.providers.leash import Answer, Asked, ProviderServer

SECRET: Final = "whsec_of_an_endpoint"
API_KEY: Final = "sk_test_shop"


class StripeServer(ProviderServer):
    """One account at Stripe, by kind and id: `kept["customers"]["cus_1"]`."""

    def __init__(self) -> None:
        super().__init__(self._handle)
        kinds = ("customers", "products", "sessions", "payment_intents", "refunds")
        self.kept: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in kinds}
        self._numbers = itertools.count(1)
        self._answered: dict[str, tuple[dict[str, Any], Answer]] = {}

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Self]:
        """Answers itself, listening."""
        async with self.running():
            yield self

    def pay(self, session_id: str, status: str = "succeeded", *, less: int = 0) -> dict[str, Any]:
        """Lets the buyer of a page pay, or fail to; answers the PaymentIntent."""
        session = self.kept["sessions"][session_id]
        amount = session["amount_total"] - less
        intent = self._keep("payment_intents", "pi", "payment_intent", {"amount": amount, "status": status})
        paid = status == "succeeded"
        intent |= {"amount_received": amount if paid else 0, "currency": session["currency"]}
        intent |= {"metadata": session["metadata"], "last_payment_error": None if paid else {"message": "declined"}}
        session["payment_intent"] = intent["id"]
        if paid:
            session |= {"payment_status": "paid", "status": "complete", "amount_total": amount}
        return intent

    def refund(self, intent_id: str, amount: int, metadata: dict[str, str] | None = None) -> dict[str, Any]:
        """Gives money back, as the shop's owner does at Stripe's own pages."""
        told = {"amount": amount, "currency": self.kept["payment_intents"][intent_id]["currency"]}
        told |= {"payment_intent": intent_id, "status": "succeeded", "metadata": metadata or {}}
        return self._keep("refunds", "re", "refund", told)

    def delivery(
        self, kind: str, data: dict[str, Any], delivery_id: str = "", now: datetime | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Answers the headers and the body of the webhook of a kind about something."""
        seconds = int((now or datetime.now(UTC)).timestamp())
        event = {"id": delivery_id or self._id("evt"), "object": "event", "type": kind, "created": seconds}
        body = json.dumps({**event, "data": {"object": data}}).encode()
        return {"stripe-signature": signature(SECRET, seconds, body), "content-type": "application/json"}, body

    def _id(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers)}"

    def _keep(self, kind: str, prefix: str, name: str, told: dict[str, Any]) -> dict[str, Any]:
        one = {"id": self._id(prefix), "object": name, "created": int(datetime.now(UTC).timestamp()), **told}
        return self.kept[kind].setdefault(one["id"], one)

    def _handle(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_request_error", "no such key")
        key, params = asked.idempotency_key, {"": asked.path, **asked.body}
        # The library gives every POST a key of its own where it is given none.
        if key in self._answered:
            before, answer = self._answered[key]
            return answer if before == params else _error(400, "idempotency_error", "other parameters")
        answer = self._route(asked)
        if key:
            self._answered[key] = (params, answer)
        return answer

    def _route(self, asked: Asked) -> Answer:  # noqa: C901, PLR0911 a line for each path
        parts = asked.path.strip("/").removeprefix("v1/").split("/")
        form = _nested(asked.body)
        match asked.method, parts:
            case "POST", ["checkout", "sessions"]:
                return self._checkout(form)
            case "POST", ["checkout", "sessions", one, "expire"]:
                return self._found("sessions", one, self._expire)
            case "GET", ["checkout", "sessions", one]:
                return self._found("sessions", one, self._expanded)
            case "POST", ["billing_portal", "sessions"]:
                portal = f"https://billing.stripe.example/{form['customer']}"
                return self._found("customers", form["customer"], lambda _: Answer(200, {"url": portal}))
            case "GET", ["refunds"]:
                refunds = self.kept["refunds"].values()
                of = [each for each in refunds if each["payment_intent"] == asked.query["payment_intent"]]
                return Answer(200, {"object": "list", "data": of, "has_more": False, "url": "/v1/refunds"})
            case "POST", ["refunds"]:
                return self._found("payment_intents", form["payment_intent"], lambda one: self._refund(one, form))
            case "POST", ["customers"]:
                return Answer(200, self._keep("customers", "cus", "customer", form))
            case "POST", ["products"]:
                if form["id"] in self.kept["products"]:
                    return _error(400, "invalid_request_error", "there already", "resource_already_exists")
                return Answer(200, self._keep("products", "prod", "product", form))
            case "POST", [("customers" | "products") as kind, one]:
                return self._found(kind, one, lambda found: Answer(200, _update(found, form)))
        return _error(404, "invalid_request_error", "there is no such path")

    def _found(self, kind: str, one: str, then: Callable[[dict[str, Any]], Answer]) -> Answer:
        found = self.kept[kind].get(one)
        return then(found) if found else _error(404, "invalid_request_error", "no such thing", "resource_missing")

    def _checkout(self, form: dict[str, Any]) -> Answer:
        lines = list(form["line_items"].values())
        prices = [line["price_data"] for line in lines]
        if any(price.get("product", "") not in {"", *self.kept["products"]} for price in prices):
            return _error(400, "invalid_request_error", "no such product", "resource_missing")
        total = sum(int(line["price_data"]["unit_amount"]) * int(line["quantity"]) for line in lines)
        told = {"amount_total": total, "currency": prices[0]["currency"], "metadata": form["metadata"]}
        told |= {"status": "open", "payment_status": "unpaid", "payment_intent": None, "form": form}
        session = self._keep("sessions", "cs", "checkout.session", told)
        session["url"] = f"https://checkout.stripe.example/{session['id']}"
        return Answer(200, session)

    def _expire(self, session: dict[str, Any]) -> Answer:
        if session["status"] != "open":
            return _error(400, "invalid_request_error", "it is not open")
        return Answer(200, _update(session, {"status": "expired"}))

    def _expanded(self, session: dict[str, Any]) -> Answer:
        return Answer(200, {**session, "payment_intent": self.kept["payment_intents"].get(session["payment_intent"])})

    def _refund(self, intent: dict[str, Any], form: dict[str, Any]) -> Answer:
        refunds = [each for each in self.kept["refunds"].values() if each["payment_intent"] == intent["id"]]
        left = intent["amount_received"] - sum(each["amount"] for each in refunds)
        if not 0 < int(form["amount"]) <= left:
            return _error(400, "invalid_request_error", "not as much is left", "charge_already_refunded")
        return Answer(200, self.refund(intent["id"], int(form["amount"]), form.get("metadata")))


def signature(secret: str, seconds: int, body: bytes) -> str:
    """Answers the header's value, made by hand: the library is what is tested with it."""
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def _error(status: int, kind: str, message: str, code: str = "") -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message, "code": code or None}})


def _update(found: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    found |= form
    return found


def _nested(form: dict[str, str]) -> dict[str, Any]:
    """Answers a form whose names have brackets as dictionaries: a[b][0]=c is {"a": {"b": {"0": "c"}}}."""
    nested: dict[str, Any] = {}
    for name, value in form.items():
        *way, last = name.replace("]", "").split("[")
        inner = nested
        for step in way:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return nested
