"""Standard Webhooks (standardwebhooks.com, specification 1.0.0): who may tell us things, and since when.

The signature is over `id.timestamp.body` with the raw body, so it is checked before anything is parsed. A sender that
changes its secret signs with both for a while, and so do we accept several; every signature is compared with every
secret in constant time. The standardwebhooks library computes the signatures. It is not asked to verify them: its clock
cannot be given, and it stumbles over headers that are not of its form.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from standardwebhooks import Webhook

from services.payment.provider import StaleError, UnsignedError, WronglySignedError

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
# Longer ones are not worth a hash: a signature has 47 characters, and nobody signs with more than a few secrets.
_LONGEST_HEADER: Final = 2_048
_LONGEST_ID: Final = 255
# Whole seconds since 1970, as they are until the year 2286.
_SECONDS: Final = re.compile(r"[0-9]{1,10}", re.ASCII)


def verify(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime, tolerance: timedelta
) -> tuple[str, datetime]:
    """Answers the delivery's id and when it was signed; `secrets` are "whsec_" and base64, header names lower case.

    Raises UnsignedError, WronglySignedError, and StaleError for a timestamp further than `tolerance` from `now`.
    """
    delivery_id, timestamp, given = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (delivery_id and given and _SECONDS.fullmatch(timestamp)):
        raise UnsignedError
    if len(delivery_id) > _LONGEST_ID or len(given) > _LONGEST_HEADER:
        raise UnsignedError
    signed_at = datetime.fromtimestamp(int(timestamp), UTC)
    signatures = [each.encode() for each in given.split(" ") if each.startswith("v1,")]
    if not _fits(secrets, signatures, delivery_id, signed_at, body):
        raise WronglySignedError
    if abs(now - signed_at) > tolerance:
        raise StaleError
    return delivery_id, signed_at


def sign(secrets: Sequence[str], delivery_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Answers the three headers of a delivery, signed with each of the secrets."""
    return {
        ID: delivery_id,
        TIMESTAMP: str(int(now.timestamp())),
        SIGNATURE: " ".join(Webhook(secret).sign(delivery_id, now, body.decode()) for secret in secrets),
    }


def _fits(
    secrets: Sequence[str], signatures: Sequence[bytes], delivery_id: str, signed_at: datetime, body: bytes
) -> bool:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False  # JSON is UTF-8, so nobody signed this for us
    expected = [Webhook(secret).sign(delivery_id, signed_at, text).encode() for secret in secrets]
    # All of them, not up to the first: how long it takes says nothing about which one fits.
    compared = [hmac.compare_digest(one, other) for one in expected for other in signatures]
    return any(compared)
