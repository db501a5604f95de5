"""How signing keys follow one another; everything here is a pure function of keys and time.

    created ── published, does not sign ──► signs_from ── signs ──► the successor's signs_from
                                                             └─ published ──► when its last token has expired: deleted

A new key waits before it signs, until every verifier has read the public keys again; only the very first does not,
because there is nothing yet that could be verified. A key that was followed stays published until the last token that
it may have signed has expired. So nobody is signed out by a rotation.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk

from services.tokens import ALGORITHM, KEYS_LIFETIME, LEEWAY, PublicJwk

# Verifiers read the keys again after KEYS_LIFETIME; as much again is left for our replicas, which read them from the
# database now and then, and for clocks that differ.
PROPAGATION: Final = timedelta(seconds=2 * KEYS_LIFETIME)
# After a key's last token has expired: the tolerance of verifiers, and as much for clocks that differ.
_SLACK: Final = timedelta(seconds=2 * LEEWAY)


@dataclass(frozen=True)
class SigningKey:
    """A key pair on P-256. `token_lifetime` is that of the longest-lived token that it may have signed."""

    id: str
    private_pem: str = field(repr=False)
    created_at: datetime
    signs_from: datetime
    token_lifetime: timedelta

    @cached_property
    def public_jwk(self) -> PublicJwk:
        """The public half, always derived from the private one: who can only write a table publishes no key."""
        public = jwk.construct(self.private_pem, ALGORITHM).public_key().to_dict()
        return {"kty": public["kty"], "crv": public["crv"], "x": public["x"], "y": public["y"], "kid": self.id}


@dataclass(frozen=True, slots=True)
class RotationRules:
    """A key is followed by another once it has signed for `period`; tokens live for `token_lifetime`."""

    period: timedelta
    token_lifetime: timedelta


def published(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
    """Answers the keys whose tokens are accepted, or soon will be, in the order in which they sign."""
    ordered = _ordered(keys)
    followed = [*ordered[1:], None]
    return [
        key
        for key, successor in zip(ordered, followed, strict=True)
        if successor is None or now < successor.signs_from + key.token_lifetime + _SLACK
    ]


def current(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """Answers the key that signs now; None when there is no key at all.

    Where all of them are yet to sign it is the first: our clock is behind that of the replica which made it.
    """
    ordered = _ordered(keys)
    return next((key for key in reversed(ordered) if key.signs_from <= now), ordered[0] if ordered else None)


def is_due(keys: Sequence[SigningKey], now: datetime, rules: RotationRules) -> bool:
    """Answers whether the keys are not as they should be now."""
    return planned(keys, now, rules) != _ordered(keys)


def planned(
    keys: Sequence[SigningKey], now: datetime, rules: RotationRules, *, at_once: bool = False
) -> list[SigningKey]:
    """Answers the keys as they should be now: the same ones, but for those that are added, withdrawn or adjusted.

    With `at_once` the current key is followed although its period is not over. A key that already waits to sign is
    the successor asked for: at any time there is at most one.
    """
    signing = current(keys, now)
    if signing is None:
        return [_generated(now, now, rules)]
    kept = [_adjusted(key, signing, rules) for key in published(keys, now)]
    newest = kept[-1]
    if newest.signs_from <= now and (at_once or now - newest.signs_from >= rules.period):
        return [*kept, _generated(now, now + PROPAGATION, rules)]
    return kept


def _adjusted(key: SigningKey, signing: SigningKey, rules: RotationRules) -> SigningKey:
    """Notes a longer lifetime of tokens on a key that still signs or will."""
    if key.signs_from >= signing.signs_from and rules.token_lifetime > key.token_lifetime:
        return replace(key, token_lifetime=rules.token_lifetime)
    return key


def _generated(now: datetime, signs_from: datetime, rules: RotationRules) -> SigningKey:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(secrets.token_urlsafe(12), pem.decode(), now, signs_from, rules.token_lifetime)


def _ordered(keys: Sequence[SigningKey]) -> list[SigningKey]:
    return sorted(keys, key=lambda key: (key.signs_from, key.id))
