"""Stripe's signatures: whose, over what, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import stripe as library
from hypothesis import given
from hypothesis import strategies as st

from services.payment.provider import StaleError, UnsignedError, WebhookRefusedError, WronglySignedError
from services.payment.providers.stripe import StripeProvider
from tests.providers.stripe import signature

SECRET: Final = "whsec_new"
OLDER: Final = "whsec_old"
NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECONDS: Final = int(NOW.timestamp())
BODY: Final = '{"id":"evt_1","type":"customer.created","created":1,"data":{"object":{"name":"é"}}}'.encode()
STRIPE: Final = StripeProvider("sk_test", [SECRET, OLDER])


def verified(header: str, body: bytes = BODY, now: datetime = NOW) -> str:
    return STRIPE.read_webhook({"stripe-signature": header}, body, now).id


@pytest.mark.parametrize("secret", [SECRET, OLDER])
def test_each_secret_in_use_is_accepted(secret: str) -> None:
    """While a secret is changed, both are good."""
    assert verified(signature(secret, SECONDS, BODY)) == "evt_1"


def test_the_library_verifies_what_is_signed_here() -> None:
    """The signature that tests make by hand is the library's."""
    assert library.WebhookSignature.verify_header(BODY, signature(SECRET, SECONDS, BODY), SECRET)


def test_one_of_several_signatures_is_enough() -> None:
    """A sender that changes its secret signs with both, and other schemes do not disturb."""
    other = signature("whsec_other", SECONDS, BODY).partition(",")[2]
    ours = signature(SECRET, SECONDS, BODY).partition(",")[2]
    assert verified(f"t={SECONDS},{other},{ours},v0=abc") == "evt_1"


@pytest.mark.parametrize("minutes", [-4.99, 0, 4.99])
def test_within_the_tolerance(minutes: float) -> None:
    """A clock may be off by five minutes, in either direction."""
    assert verified(signature(SECRET, SECONDS, BODY), now=NOW + timedelta(minutes=minutes)) == "evt_1"


@pytest.mark.parametrize("minutes", [-5.01, 5.01])
def test_outside_of_the_tolerance(minutes: float) -> None:
    """What is older, or from the future, is stale."""
    with pytest.raises(StaleError):
        verified(signature(SECRET, SECONDS, BODY), now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("old", ["{}", " {}", "+{}", "{} ", "0{}"])
def test_an_old_delivery_is_not_made_fresh_by_a_second_time(old: str) -> None:
    """A caught delivery stays stale: one header has one time, so a later one beside the signed one is refused."""
    caught = SECONDS - 3_600
    digest = signature(SECRET, caught, BODY).partition(",")[2]
    for times in (f"t={old.format(caught)},t={SECONDS}", f"t={SECONDS},t={old.format(caught)}"):
        with pytest.raises(UnsignedError):
            verified(f"{times},{digest}")


@pytest.mark.parametrize(
    "header",
    ["", "t=1", "v1=", "t=,v1=aa", "t=x,v1=aa", "t=1.5,v1=aa", "t=99999999999,v1=aa", "t=1,v0=aa", "t" * 3_000],
)
def test_what_cannot_be_read_is_unsigned(header: str) -> None:
    """A header that is missing, or of another form, is no signature."""
    with pytest.raises(UnsignedError):
        verified(header)


@pytest.mark.parametrize("change", [BODY + b" ", BODY[:-1], b"", b"\xff" + BODY])
def test_a_changed_body_is_wrongly_signed(change: bytes) -> None:
    """The signature is over the raw body, to the byte."""
    with pytest.raises(WronglySignedError):
        verified(signature(SECRET, SECONDS, BODY), change)


def test_another_secret_is_wrong() -> None:
    """Who does not know the secret cannot sign."""
    with pytest.raises(WronglySignedError):
        verified(signature("whsec_other", SECONDS, BODY))


@given(st.text() | st.from_regex(r"t=.{0,12},v1=.{0,70}"), st.binary(max_size=200))
def test_any_header_and_body_is_refused(header: str, body: bytes) -> None:
    """Whatever is sent without the secret, it is refused as such and is no fault of ours."""
    with pytest.raises(WebhookRefusedError):
        verified(header, body)
