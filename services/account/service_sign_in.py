"""Signing in services of the platform, by a secret that each shares with this one.

Such a secret is random and long, so a plain hash is enough to compare it by: hashes have one length, and comparing
them takes one time, whatever was sent. A service may have several secrets while one follows another.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from services.errors import UnauthenticatedError

# A secret of 24 characters in base64 is 18 random bytes, more than anybody tries out over a network.
MIN_SECRET: Final = 24


class ServiceTokens(Protocol):
    """Whoever makes tokens for services."""

    async def issue_for_service(self, service: str, /) -> tuple[str, datetime]:
        """Answers a token and when it expires; raises UnavailableError when no key can be had."""


class ServiceSignIn:
    """Knows the secrets, by service; nobody can sign in as a service that is not among them."""

    def __init__(self, secrets: Mapping[str, Sequence[str]], issuer: ServiceTokens) -> None:
        self._digests = {service: [_digest(secret) for secret in known] for service, known in secrets.items()}
        self._issuer = issuer

    async def sign_in(self, service: str, secret: str) -> tuple[str, datetime]:
        """Answers a token of the service and when it expires.

        Raises one and the same UnauthenticatedError for a service that is not known and for a wrong secret.
        """
        given = _digest(secret)
        if not any(hmac.compare_digest(given, known) for known in self._digests.get(service, ())):
            raise UnauthenticatedError("The service or its secret is wrong.")
        return await self._issuer.issue_for_service(service)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
