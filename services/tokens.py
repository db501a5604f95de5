"""Tokens: who signs them, who checks them, and how keys change without signing anyone out.

A token is a JWT signed with ES256 (RFC 7518, section 3.4) that names its key in the header's `kid`. Only the account
service holds private keys (`Signer`). Everyone else holds a `Verifier`, which keeps the public keys by id and asks for
them again when a token names one that it does not know: at most once in `REFRESH_PAUSE` seconds, so forged key ids
cannot be used to flood the account service. A new key is published before it signs, an old one stays published until
the last token it signed has expired.

Services of the platform have tokens, too, for what they do by themselves and on nobody's behalf. Such a token's
subject is "service:<name>" and its role "service", it lives for minutes, and it opens only what asks for that service
by name: everything that belongs to accounts refuses it.

A verified token is remembered for a short while, because checking a signature costs more than most of the requests that
carry one otherwise do. It is found by the whole token, is never remembered beyond its own expiry, and is forgotten when
the keys come anew. What was refused is not remembered.

The list of algorithms is fixed to one. The verification key is never taken from the token, so `alg: none`, HMAC with
a public key as the secret, and `jwk` or `jku` headers get nowhere.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from jose import ExpiredSignatureError, JWTError, jwk, jwt
from jose.backends.base import Key
from pydantic import Field
from pydantic_settings import BaseSettings

from services.errors import ForbiddenError, UnauthenticatedError, UnavailableError

ALGORITHM: Final = "ES256"
# Seconds between two requests for the public keys that unknown key ids can cause.
REFRESH_PAUSE: Final = 5.0
# Seconds after which the keys are asked for again although nothing is missing, so that withdrawn ones go.
KEYS_LIFETIME: Final = 300.0
# Seconds for which a verified token is not checked again, and so the longest that one outlives its withdrawn key.
REMEMBERED_SECONDS: Final = 30.0
# Verified tokens kept at once: of about 700 bytes each, with all that belongs to one.
MAX_REMEMBERED: Final = 4_096
# Longer than any token of ours by far; longer ones are not worth a hash.
MAX_TOKEN_LENGTH: Final = 4096
# Seconds by which clocks of two hosts may differ.
LEEWAY: Final = 10
# Seconds that a service's token lives: no person types a password for it, so a new one costs nothing but a call.
SERVICE_LIFETIME: Final = 600

Role = Literal["customer", "administrator", "service"]
# A public key as a JWK (RFC 7517): kty, crv, x, y and kid.
PublicJwk = Mapping[str, str]

_SERVICE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SERVICE_SUBJECT: Final = "service:"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a verified token says the caller is; `token` is kept to be passed on.

    An account has no `service`; a service has the account id 0, which no account has.
    """

    account_id: int
    role: Role
    token: str
    service: str = ""

    @property
    def is_administrator(self) -> bool:
        """Whether the caller may do what only administrators may."""
        return self.role == "administrator"


def require_identity(caller: Identity | None) -> Identity:
    """Answers the account that calls; raises UnauthenticatedError for nobody and ForbiddenError for a service."""
    signed_in = _require_anyone(caller)
    if signed_in.role == "service":
        raise ForbiddenError("Only an account can do this.")
    return signed_in


def require_self_or_administrator(caller: Identity | None, account_id: int) -> Identity:
    """Answers the caller if it is that account or an administrator; raises ForbiddenError otherwise."""
    identity = require_identity(caller)
    if identity.account_id != account_id and not identity.is_administrator:
        raise ForbiddenError("This belongs to another account.")
    return identity


def require_service_or_administrator(caller: Identity | None, service: str) -> Identity:
    """Answers the caller if it is that service or an administrator; raises ForbiddenError otherwise."""
    identity = _require_anyone(caller)
    if not identity.is_administrator and (identity.role != "service" or identity.service != service):
        raise ForbiddenError("Only an administrator can do this.")
    return identity


def _require_anyone(caller: Identity | None) -> Identity:
    if caller is None:
        raise UnauthenticatedError("Sign in first.")
    return caller


def is_service_name(name: str) -> bool:
    """Answers whether a service of the platform can be called so."""
    return _SERVICE_NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class TokenPolicy:
    """What is written into every token and demanded of every token; `lifetime` in seconds."""

    issuer: str = "ecommerce-platform"
    audience: str = "ecommerce-platform"
    lifetime: int = 24 * 60 * 60


class TokenSettings(BaseSettings):
    """What a process that checks tokens takes from its environment."""

    token_issuer: str = Field(default=TokenPolicy.issuer, min_length=1)
    token_audience: str = Field(default=TokenPolicy.audience, min_length=1)

    @property
    def token_policy(self) -> TokenPolicy:
        """What is demanded of every token."""
        return TokenPolicy(self.token_issuer, self.token_audience)


class Signer:
    """Makes tokens with one private key, given as PEM."""

    def __init__(self, key_id: str, private_pem: str, policy: TokenPolicy, clock: Callable[[], float]) -> None:
        self._key_id = key_id
        self._pem = private_pem
        self._policy = policy
        self._clock = clock

    def sign(self, account_id: int, role: Role, token_id: str) -> tuple[str, int]:
        """Answers an account's token and the POSIX time, in seconds, at which it expires."""
        return self._sign(str(account_id), role, token_id, self._policy.lifetime)

    def sign_service(self, service: str, token_id: str) -> tuple[str, int]:
        """Answers a service's token and when it expires, as `sign` does: never later than an account's would."""
        return self._sign(
            f"{_SERVICE_SUBJECT}{service}", "service", token_id, min(SERVICE_LIFETIME, self._policy.lifetime)
        )

    def _sign(self, subject: str, role: Role, token_id: str, lifetime: int) -> tuple[str, int]:
        now = int(self._clock())
        claims = {
            "iss": self._policy.issuer,
            "aud": self._policy.audience,
            "sub": subject,
            "role": role,
            "jti": token_id,
            "iat": now,
            "exp": now + lifetime,
        }
        return jwt.encode(claims, self._pem, algorithm=ALGORITHM, headers={"kid": self._key_id}), now + lifetime


class Verifier:
    """Checks tokens against public keys that `fetch` brings; safe for many callers at once.

    `fetch` answers every JWK that is still accepted. While it fails, the keys already known go on serving.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[list[PublicJwk]]],
        policy: TokenPolicy,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._policy = policy
        self._clock = clock
        self._wall_clock = wall_clock
        # Who each verified token stands for, and until when on `clock` that is taken as known.
        self._remembered: OrderedDict[str, tuple[Identity, float]] = OrderedDict()
        self._published: list[PublicJwk] = []
        # Built once: making a key from its coordinates costs as much as checking a signature with it.
        self._keys: dict[str, Key] = {}
        self._tried_at = float("-inf")
        self._fetched_at = float("-inf")
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Identity:
        """Answers who the token stands for.

        Raises UnauthenticatedError when it is not a token of ours or has expired, and UnavailableError when its key
        is unknown and the public keys cannot be had now.
        """
        known = self._remembered.get(token)
        if known is not None and self._clock() < known[1]:
            return known[0]
        key = await self._key(_key_id(token))
        claims = self._claims(token, key)
        identity = _identity(claims, token)
        self._remember(identity, float(claims["exp"]))
        return identity

    async def keys(self) -> list[PublicJwk]:
        """Answers the public keys, fetched anew when they are old; raises UnavailableError when there are none."""
        await self._refresh_if(lambda: self._is_old)
        if not self._keys:
            raise UnavailableError("The public keys cannot be had now.")
        return list(self._published)

    def _remember(self, identity: Identity, expires: float) -> None:
        seconds = min(REMEMBERED_SECONDS, expires - self._wall_clock())
        self._remembered[identity.token] = (identity, self._clock() + seconds)
        self._remembered.move_to_end(identity.token)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def _claims(self, token: str, key: Key) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._policy.audience,
                issuer=self._policy.issuer,
                options={"require_exp": True, "require_sub": True, "require_aud": True, "leeway": LEEWAY},
            )
        except ExpiredSignatureError:
            raise UnauthenticatedError("The token has expired: sign in again.") from None
        except JWTError:
            raise UnauthenticatedError("The token is not valid.") from None

    async def _key(self, key_id: str) -> Key:
        await self._refresh_if(lambda: key_id not in self._keys or self._is_old)
        key = self._keys.get(key_id)
        if key is None:
            if self._fetched_at < self._tried_at or not self._keys:
                raise UnavailableError("Tokens cannot be checked now.")
            raise UnauthenticatedError("The token is not valid.")
        return key

    @property
    def _is_old(self) -> bool:
        return self._clock() - self._fetched_at > KEYS_LIFETIME

    async def _refresh_if(self, needed: Callable[[], bool]) -> None:
        """Fetches once for all who wait; the pause bounds how often, the lock how many at a time."""
        if not needed():
            return
        async with self._lock:
            if not needed() or self._clock() - self._tried_at < REFRESH_PAUSE:
                return
            before, self._tried_at = self._tried_at, self._clock()
            try:
                keys = await self._fetch()
            except UnavailableError:
                return
            except asyncio.CancelledError:
                # Who asked went away: the next one need not wait for the pause to end.
                self._tried_at = before
                raise
            self._keys = {key["kid"]: jwk.construct(dict(key), ALGORITHM) for key in keys}
            self._published = keys
            # Among them may be tokens of a key that is now withdrawn.
            self._remembered.clear()
            self._fetched_at = self._tried_at


def _identity(claims: Mapping[str, Any], token: str) -> Identity:
    """Reads who it is from verified claims; what does not fit together is nobody."""
    subject, role = claims.get("sub"), claims.get("role")
    if role == "service":
        prefix, service = str(subject)[: len(_SERVICE_SUBJECT)], str(subject)[len(_SERVICE_SUBJECT) :]
        if prefix != _SERVICE_SUBJECT or not is_service_name(service):
            raise UnauthenticatedError("The token is not valid.")
        return Identity(0, role, token, service)
    try:
        account_id = int(subject or "")
    except (TypeError, ValueError):
        account_id = 0
    if role not in ("customer", "administrator") or account_id < 1:
        raise UnauthenticatedError("The token is not valid.")
    return Identity(account_id, role, token)


def _key_id(token: str) -> str:
    """Reads the key id from the unverified header; nothing else is taken from there."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise UnauthenticatedError("The token is not valid.")
    try:
        header = jwt.get_unverified_header(token)
    except JWTError:
        raise UnauthenticatedError("The token is not valid.") from None
    key_id = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(key_id, str):
        raise UnauthenticatedError("The token is not valid.")
    return key_id
