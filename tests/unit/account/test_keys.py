"""Fetching the public keys from the account service."""

from typing import Any, cast

import pytest

from protos.gen.ecommerce.account import v1 as account_v1
from services import rpc
from services.errors import EcommerceError, InternalError, RateLimitedError, UnauthenticatedError, UnavailableError
from services.keys import account_keys
from services.rpc import context


class Stub:
    """Answers two keys, or raises; remembers as whom it was asked."""

    def __init__(self, error: EcommerceError | None = None) -> None:
        self.error = error
        self.asked_as: list[str | bytes | None] = []

    async def get_public_keys(self, _: account_v1.GetPublicKeysRequest) -> account_v1.GetPublicKeysResponse:
        self.asked_as.append(dict(context.outgoing()).get("authorization"))
        if self.error:
            raise self.error
        return account_v1.GetPublicKeysResponse(keys=[account_v1.PublicKey(key_id=name, x="X", y="Y") for name in "ab"])


class Channel:
    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    def stub(self, _: type[Any]) -> Stub:
        return self._stub


async def test_keys_become_jwks() -> None:
    """Each with what RFC 7517 asks of a key on P-256, and asked for as nobody."""
    stub = Stub()
    with rpc.acting_as("a-token-that-is-being-checked"):
        keys = await account_keys(cast("rpc.Channel", Channel(stub)))()
    assert keys == [{"kty": "EC", "crv": "P-256", "x": "X", "y": "Y", "kid": name} for name in "ab"]
    assert stub.asked_as == [None]


@pytest.mark.parametrize(
    "error", [UnavailableError("x"), InternalError("x"), RateLimitedError("x"), UnauthenticatedError("x")]
)
async def test_whatever_fails_the_keys_cannot_be_had(error: EcommerceError) -> None:
    """A verifier then goes on with the keys that it has."""
    with pytest.raises(UnavailableError):
        await account_keys(cast("rpc.Channel", Channel(Stub(error))))()
