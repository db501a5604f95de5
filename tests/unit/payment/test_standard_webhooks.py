"""Signatures of Standard Webhooks: whose, over what, and for how long."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.payment import standard_webhooks
from services.payment.provider import StaleError, UnsignedError, WebhookRefusedError, WronglySignedError

# The specification's own example of a secret's form.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "QUFB" * 8
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOLERANCE = timedelta(minutes=5)
BODY = b'{"type":"payment.succeeded","data":{"name":"\xc3\xa9"}}'


def verified(headers: Mapping[str, str], body: bytes = BODY, *secrets: str, now: datetime = NOW) -> str:
    return standard_webhooks.verify(secrets or (SECRET,), headers, body, now, TOLERANCE)[0]


def signed(*secrets: str, now: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    return standard_webhooks.sign(secrets or (SECRET,), "msg_1", now, body)


def test_what_is_signed_is_verified() -> None:
    """A delivery that was signed with the secret has its id answered."""
    assert verified(signed()) == "msg_1"


def test_the_published_vector_is_verified() -> None:
    """The signature of the reference libraries' own test vector is the one that is made here."""
    headers = standard_webhooks.sign(
        [SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_library_verifies_what_is_sent() -> None:
    """A shop that uses the public library takes the deliveries that are signed here, and none that was changed."""
    headers = signed(now=datetime.now(UTC))
    Webhook(SECRET).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", headers)


@pytest.mark.parametrize(("senders", "receivers"), [((OTHER, SECRET), (SECRET,)), ((SECRET,), (OTHER, SECRET))])
def test_secrets_can_be_rotated(senders: tuple[str, ...], receivers: tuple[str, ...]) -> None:
    """One secret in common is enough, whichever side changes first."""
    assert verified(signed(*senders), BODY, *receivers) == "msg_1"


def test_another_secret_is_refused() -> None:
    """Without a secret in common nothing is taken."""
    with pytest.raises(WronglySignedError):
        verified(signed(OTHER))


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_header_is_part_of_it(changed: str) -> None:
    """A header that was changed makes the signature wrong; one that is missing makes it none."""
    headers = signed()
    other = {"webhook-id": "msg_2", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    with pytest.raises(WronglySignedError):
        verified(headers | {changed: other[changed]})
    with pytest.raises(UnsignedError):
        verified({name: value for name, value in headers.items() if name != changed})


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b" ", b"", b"\xff\xfe"])
def test_every_byte_of_the_body_is_part_of_it(body: bytes) -> None:
    """A body that was cut, lengthened or is no text does not fit its signature."""
    with pytest.raises(WronglySignedError):
        verified(signed(), body)


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_clocks_may_differ_by_the_tolerance(seconds: int) -> None:
    """Up to the tolerance in either direction a delivery is taken."""
    assert verified(signed(now=NOW + timedelta(seconds=seconds))) == "msg_1"


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 86_400])
def test_what_is_older_or_from_the_future_is_stale(seconds: int) -> None:
    """Beyond the tolerance a rightly signed delivery is refused: it may be a replay."""
    with pytest.raises(StaleError):
        verified(signed(now=NOW + timedelta(seconds=seconds)))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.text(max_size=100)
            | st.sampled_from(["v1,", "v1", "v1,é v2,x", "v1a,AAAA", "1", "-1", "9" * 40, "²"])
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        },
    ),
    st.binary(max_size=100),
)
def test_nothing_else_than_a_refusal_comes_of_nonsense(headers: dict[str, str], body: bytes) -> None:
    """Whatever the headers and the body are, they are refused and nothing breaks."""
    with pytest.raises(WebhookRefusedError):
        verified(headers, body)
