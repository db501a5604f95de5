"""Keys, tokens and messages for the gateway's tests, with a value for everything that a test does not care about."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk

from protos.gen.ecommerce.money.v1 import Money
from services.tokens import PublicJwk, Role, Signer, TokenPolicy

POLICY = TokenPolicy()
PASSWORD = "correct horse battery staple"


class SigningKey:
    """A fresh private key and what is made with it."""

    def __init__(self, key_id: str = "key-1") -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        self.pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.id = key_id
        self.public: PublicJwk = {
            name: value if isinstance(value, str) else value.decode()
            for name, value in jwk.construct(public.decode(), "ES256").to_dict().items()
        } | {"kid": key_id}

    def token(
        self,
        account_id: int,
        role: Role = "customer",
        *,
        policy: TokenPolicy = POLICY,
        clock: Callable[[], float] = time.time,
    ) -> str:
        return Signer(self.id, self.pem, policy, clock).sign(account_id, role, uuid4().hex)[0]

    def expired_token(self, account_id: int) -> str:
        return self.token(account_id, clock=lambda: time.time() - 2 * POLICY.lifetime)


def email(name: str = "ada") -> str:
    """An address that nobody else has."""
    return f"{name}.{uuid4().hex}@example.com"


def usd(minor_units: int) -> Money:
    return Money(minor_units=minor_units, currency="USD")


def expires_at(lifetime: int = POLICY.lifetime) -> datetime:
    return datetime.fromtimestamp(time.time() + lifetime, UTC)
