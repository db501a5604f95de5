"""Dodo's webhooks, as they are published: what they tell, and what becomes of nonsense that is rightly signed."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from dodopayments.types import (
    PaymentCancelledWebhookEvent,
    PaymentFailedWebhookEvent,
    PaymentProcessingWebhookEvent,
    PaymentSucceededWebhookEvent,
    RefundFailedWebhookEvent,
    RefundSucceededWebhookEvent,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from services.payment import standard_webhooks
from services.payment.domain import Delivery, PaymentFact, PaymentStatus, RefundFact, RefundStatus
from services.payment.provider import MalformedError, StaleError, UnsignedError, WronglySignedError
from services.payment.providers import dodo_events
from services.payment.providers.dodo import DodoProvider
from tests.unit.payment.providers import wire

SECRET: Final = "whsec_" + "QUFB" * 8
NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
MODELS: Final[dict[str, type[BaseModel]]] = {
    "payment.processing": PaymentProcessingWebhookEvent,
    "payment.succeeded": PaymentSucceededWebhookEvent,
    "payment.failed": PaymentFailedWebhookEvent,
    "payment.cancelled": PaymentCancelledWebhookEvent,
    "refund.succeeded": RefundSucceededWebhookEvent,
    "refund.failed": RefundFailedWebhookEvent,
}


def raw(name: str) -> bytes:
    return wire.spoiled(wire.event("dodo", name), ("business_id",), "bus_2")


@pytest.fixture(scope="module")
def dodo() -> DodoProvider:
    return DodoProvider("key", [SECRET])


@pytest.mark.parametrize("name", MODELS)
def test_the_library_reads_the_examples(name: str) -> None:
    """The examples have every field that the library's types ask for, and what is read here is what it reads."""
    told = MODELS[name].model_validate(wire.event("dodo", name))
    data: Any = told.model_dump()["data"]
    (fact,) = dodo_events.read(raw(name))[1]
    assert fact.provider_payment_id == data["payment_id"]  # type: ignore[union-attr] # the examples hold no checkouts
    assert fact.amount_minor == data.get("amount", data.get("total_amount"))  # type: ignore[union-attr] # likewise


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("payment.processing", PaymentStatus.PROCESSING),
        ("payment.failed", PaymentStatus.FAILED),
        ("payment.cancelled", PaymentStatus.CANCELLED),
        ("payment.succeeded", PaymentStatus.SUCCEEDED),
    ],
)
def test_a_payment_is_told_of(name: str, status: PaymentStatus) -> None:
    """A payment has the status of the event's type, the ids of our session and Dodo's, and its time."""
    kind, (fact,) = dodo_events.read(raw(name))
    assert kind == name
    assert isinstance(fact, PaymentFact)
    assert (fact.status, fact.provider_payment_id, fact.provider_session_id) == (status, "pay_81", "cks_19")
    assert fact.session_id == "0198f2c4-0000-7000-8000-000000000001"
    assert fact.occurred_at == datetime(2026, 11, 23, 10, 15, 9, 112340, tzinfo=UTC)


def test_sales_tax_is_not_the_shops() -> None:
    """What Dodo adds as tax is told apart: 64.77 with 4.80 of tax pay an order of 59.97."""
    _, (fact,) = dodo_events.read(raw("payment.succeeded"))
    assert isinstance(fact, PaymentFact)
    assert (fact.amount_minor, fact.tax_minor, fact.amount_minor - fact.tax_minor) == (6477, 480, 5997)


@pytest.mark.parametrize(
    ("name", "status"), [("refund.succeeded", RefundStatus.SUCCEEDED), ("refund.failed", RefundStatus.FAILED)]
)
def test_a_refund_is_told_of(name: str, status: RefundStatus) -> None:
    """A refund has both ids, its amount, and our id of it."""
    _, (fact,) = dodo_events.read(raw(name))
    assert isinstance(fact, RefundFact)
    assert (fact.status, fact.provider_refund_id, fact.provider_payment_id) == (status, "ref_3", "pay_81")
    assert (fact.amount_minor, fact.currency) == (1000, "USD")
    assert fact.refund_id == "0198f2c4-0000-7000-8000-00000000000a"


def test_another_kind_tells_nothing() -> None:
    """An event about something else is read, and has no facts."""
    assert dodo_events.read(raw("license_key.created")) == ("license_key.created", ())


def test_a_delivery_is_verified(dodo: DodoProvider) -> None:
    """It has the id of its header; unsigned, changed and stale ones are refused before anything is parsed."""
    body = raw("payment.succeeded")
    headers = standard_webhooks.sign([SECRET], "msg_1", NOW, body)
    read: Delivery = dodo.read_webhook(headers, body, NOW)
    assert (read.id, read.type, len(read.facts)) == ("msg_1", "payment.succeeded", 1)
    with pytest.raises(UnsignedError):
        dodo.read_webhook({}, body, NOW)
    with pytest.raises(WronglySignedError):
        dodo.read_webhook(headers, body.replace(b"6477", b"1"), NOW)
    with pytest.raises(StaleError):
        dodo.read_webhook(headers, body, NOW + timedelta(minutes=6))


@given(data=st.data(), name=st.sampled_from(sorted(MODELS)), value=wire.anything)
def test_nonsense_is_malformed(data: st.DataObject, name: str, value: Any) -> None:
    """With any value anywhere an event is read or refused as malformed, and nothing else."""
    told = wire.event("dodo", name)
    place = data.draw(st.sampled_from(wire.places(told)))
    body = wire.spoiled(told, place, value)
    try:
        _, facts = dodo_events.read(body)
    except MalformedError:
        return
    assert len(facts) <= 1


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'"x"', b"\xff\xfe", b"{" * 100_000, b"[" * 100_000])
def test_what_is_no_event_is_malformed(body: bytes) -> None:
    """Bytes that are no event are malformed, whatever they are."""
    with pytest.raises(MalformedError):
        dodo_events.read(body)
