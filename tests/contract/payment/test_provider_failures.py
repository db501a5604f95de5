"""A provider that fails, lingers or talks nonsense: the call ends in time, and says that it may be tried again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from services.payment.domain import PaymentStatus, RefundRequest
from services.payment.provider import MalformedError, Provider, ProviderUnavailableError
from tests.contract.payment.counterparts import (
    DodoCounterpart,
    StripeCounterpart,
    at_dodo,
    at_stripe,
    customer,
    listing,
    request_for,
)
from tests.factories.payment import TOTAL

Outside = DodoCounterpart | StripeCounterpart
# Of one request; a call repeats it once at most, after a short pause.
SECONDS: Final = 0.3
# Where some of the requests are answered, on a busy machine.
ENOUGH_SECONDS: Final = 1.5
# Less than the 30 that a slow provider takes, and than the 20 that a call has in all.
MOST_SECONDS: Final = 12.0
BUYER: Final = replace(customer(account_id=7), provider_customer_id="cus_1")
REFUND: Final = RefundRequest("0198f2c4-0000-7000-8000-000000000001", "pay_1", 100, "USD", "requested")


async def open_checkout(provider: Provider) -> object:
    return await provider.open_checkout(await request_for(provider))


CALLS: Final[dict[str, Callable[[Provider], Awaitable[object]]]] = {
    "ensure_customer": lambda provider: provider.ensure_customer(customer()),
    "open_checkout": open_checkout,
    "checkout": lambda provider: provider.checkout("0198f2c4", "cs_1"),
    "open_portal": lambda provider: provider.open_portal(BUYER, "https://shop.example.com/"),
    "refund": lambda provider: provider.refund(REFUND),
    "put_product": lambda provider: provider.put_product(listing(), ""),
}


@pytest.fixture(params=[at_dodo, at_stripe], ids=["dodo", "stripe"])
async def outside(request: pytest.FixtureRequest) -> AsyncIterator[Outside]:
    """Each provider that is outside of the platform."""
    async with request.param(SECONDS) as counterpart:
        yield counterpart


@pytest.fixture(params=[at_dodo, at_stripe], ids=["dodo", "stripe"])
async def patient(request: pytest.FixtureRequest) -> AsyncIterator[Outside]:
    """The same, given time."""
    async with request.param(ENOUGH_SECONDS) as counterpart:
        yield counterpart


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "leash",
    [
        {"status": 500},
        {"status": 429},
        {"status": 401},
        {"garbage": b"<html>Bad gateway</html>"},
        {"garbage": b'{"unexpected": 1}'},
        {"garbage": b"[]"},
        {"garbage": b"\xff\x00"},
        {"slow_seconds": 30.0},
    ],
    ids=str,
)
async def test_a_failure_may_pass(outside: Outside, call: str, leash: dict[str, Any]) -> None:
    """Whatever is wrong over there, the call is to be tried again, and it ends soon."""
    for name, value in leash.items():
        setattr(outside.server.leash, name, value)
    began = time.monotonic()
    with pytest.raises(ProviderUnavailableError):
        await CALLS[call](outside.provider)
    assert time.monotonic() - began < MOST_SECONDS


async def test_a_refund_whose_answer_is_lost_is_made_once(patient: Outside) -> None:
    """The answer to a refund is held until the deadline has passed: asked again, it is the one that was made."""
    request = await request_for(patient.provider)
    opened = await patient.provider.open_checkout(request)
    await patient.pay(opened)
    facts = await patient.provider.checkout(request.session_id, opened.provider_session_id)
    paid = next(fact for fact in facts if getattr(fact, "status", None) == PaymentStatus.SUCCEEDED)
    part = replace(REFUND, provider_payment_id=paid.provider_payment_id)  # type: ignore[union-attr] # a payment's fact
    patient.server.leash.hold("/refunds" if patient.provider.name == "dodo" else "/v1/refunds")
    with pytest.raises(ProviderUnavailableError):
        await asyncio.wait_for(patient.provider.refund(part), MOST_SECONDS)
    patient.server.leash.loosen()
    made = await patient.provider.refund(part)
    assert (made.refund_id, made.amount_minor) == (part.refund_id, part.amount_minor)
    left = replace(part, refund_id="0198f2c4-0000-7000-8000-000000000002", amount_minor=TOTAL - part.amount_minor)
    assert (await patient.provider.refund(left)).amount_minor == left.amount_minor


@pytest.mark.parametrize("body", [b"", b"null", b"{", b"[]", b'{"type": 1}', b'{"type":"payment.succeeded"}'])
async def test_rightly_signed_nonsense_is_malformed(outside: Outside, body: bytes) -> None:
    """A webhook that has the right signature and no sense is refused as such."""
    now = datetime.now(UTC)
    with pytest.raises(MalformedError):
        outside.provider.read_webhook(await outside.signed(body, now), body, now)
