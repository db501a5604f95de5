"""Stripe's webhooks, as they are published: what they tell, and what becomes of nonsense that is rightly signed."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import stripe as library
from hypothesis import given
from hypothesis import strategies as st

from services.payment.domain import (
    CheckoutFact,
    CheckoutStatus,
    Fact,
    PaymentFact,
    PaymentStatus,
    RefundFact,
    RefundStatus,
)
from services.payment.provider import MalformedError
from services.payment.providers import stripe_events
from tests.unit.payment.providers import wire

OUR_SESSION: Final = "0198f2c4-0000-7000-8000-000000000001"
TYPES: Final[dict[str, type[library.StripeObject]]] = {
    "checkout.session": library.checkout.Session,
    "payment_intent": library.PaymentIntent,
    "refund": library.Refund,
    "customer": library.Customer,
}


def read(name: str) -> tuple[Fact, ...]:
    event_id, kind, facts = stripe_events.read(json.dumps(wire.event("stripe", name)).encode())
    assert event_id.startswith("evt_")
    assert kind == name
    return facts


@pytest.mark.parametrize("name", wire.names("stripe"))
def test_the_library_knows_the_fields(name: str) -> None:
    """Every field of the examples is one that the library's types declare."""
    told = wire.event("stripe", name)["data"]["object"]
    assert set(told) <= set(TYPES[told["object"]].__annotations__)


def test_a_paid_checkout_is_a_payment() -> None:
    """A completed checkout that was paid tells of the payment, with tax apart, and that the page is over."""
    payment, page = read("checkout.session.completed")
    assert payment == PaymentFact(
        "pi_3Q",
        PaymentStatus.SUCCEEDED,
        6477,
        "USD",
        datetime(2026, 11, 23, 10, 21, 49, tzinfo=UTC),
        OUR_SESSION,
        "cs_test_a1",
        480,
    )
    assert page == CheckoutFact(CheckoutStatus.COMPLETED, OUR_SESSION, "cs_test_a1")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("checkout.session.expired", CheckoutStatus.EXPIRED),
        ("checkout.session.async_payment_failed", CheckoutStatus.COMPLETED),
    ],
)
def test_an_unpaid_checkout_is_no_payment(name: str, status: CheckoutStatus) -> None:
    """A page that ended without money tells just that."""
    assert read(name) == (CheckoutFact(status, OUR_SESSION, "cs_test_a1"),)


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("payment_intent.created", PaymentStatus.PROCESSING, ""),
        ("payment_intent.succeeded", PaymentStatus.SUCCEEDED, ""),
        ("payment_intent.payment_failed", PaymentStatus.FAILED, "Your card was declined."),
        ("payment_intent.canceled", PaymentStatus.FAILED, ""),
    ],
)
def test_an_intent_is_a_payment(name: str, status: PaymentStatus, reason: str) -> None:
    """A PaymentIntent has its status, our session's id from the metadata, and why it failed."""
    (fact,) = read(name)
    assert isinstance(fact, PaymentFact)
    assert (fact.status, fact.provider_payment_id, fact.session_id) == (status, "pi_3Q", OUR_SESSION)
    assert (fact.amount_minor, fact.currency, fact.reason) == (5997, "USD", reason)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("refund.created", RefundStatus.PENDING),
        ("refund.updated", RefundStatus.SUCCEEDED),
        ("refund.failed", RefundStatus.FAILED),
    ],
)
def test_a_refund_is_told_of(name: str, status: RefundStatus) -> None:
    """A refund has both ids, its amount, and our id of it."""
    (fact,) = read(name)
    assert isinstance(fact, RefundFact)
    assert (fact.status, fact.provider_refund_id, fact.provider_payment_id) == (status, "re_3Q", "pi_3Q")
    assert (fact.amount_minor, fact.currency) == (1000, "USD")
    assert fact.refund_id == "0198f2c4-0000-7000-8000-00000000000a"


def test_another_kind_tells_nothing() -> None:
    """An event about something else is read, and has no facts."""
    assert read("customer.created") == ()


@given(data=st.data(), name=st.sampled_from(wire.names("stripe")), value=wire.anything)
def test_nonsense_is_malformed(data: st.DataObject, name: str, value: Any) -> None:
    """With any value anywhere an event is read or refused as malformed, and nothing else."""
    told = wire.event("stripe", name)
    body = wire.spoiled(told, data.draw(st.sampled_from(wire.places(told))), value)
    try:
        _, _, facts = stripe_events.read(body)
    except MalformedError:
        return
    assert len(facts) <= 2


@pytest.mark.parametrize("seconds", [10**12, 10**18, -(10**18), 2**63, 10**400])
def test_a_time_that_cannot_be_is_malformed(seconds: int) -> None:
    """A moment that no calendar has is no fault of ours."""
    body = wire.spoiled(wire.event("stripe", "payment_intent.succeeded"), ("created",), seconds)
    with pytest.raises(MalformedError):
        stripe_events.read(body)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'"x"', b"\xff\xfe", b"{" * 100_000, b"[" * 100_000])
def test_what_is_no_event_is_malformed(body: bytes) -> None:
    """Bytes that are no event are malformed, whatever they are."""
    with pytest.raises(MalformedError):
        stripe_events.read(body)
