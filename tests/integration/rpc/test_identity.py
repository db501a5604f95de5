"""Who calls: the token is checked before the handler runs, and travels on."""

import base64
import json
import time
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt

from protos.gen.ecommerce.product.v1 import GetProductRequest as Request
from protos.gen.ecommerce.product.v1 import GetProductResponse as Response
from services import rpc
from services.errors import UnauthenticatedError, UnavailableError
from services.tokens import MAX_TOKEN_LENGTH, Identity, PublicJwk, Signer, TokenPolicy, Verifier
from tests.integration.rpc.conftest import Loopback, echo, raw_call, refusal

POLICY = TokenPolicy(lifetime=60)


class Key:
    """A key pair: the private half as PEM, the public half as PEM and as JWK."""

    def __init__(self, key_id: str) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        plain = serialization.NoEncryption()
        self.pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
        self.public_pem = (
            private.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
        public: dict[str, Any] = jwk.construct(self.public_pem, "ES256").to_dict()
        self.jwk: PublicJwk = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in public.items()
        } | {"kid": key_id}

    def sign(self, policy: TokenPolicy = POLICY, *, at: float | None = None) -> str:
        signer = Signer(self.jwk["kid"], self.pem, policy, lambda: time.time() if at is None else at)
        return signer.sign(7, "customer", "token-id")[0]


KEY = Key("current")
CLAIMS = {"iss": POLICY.issuer, "aud": POLICY.audience, "sub": "1", "role": "administrator", "exp": 2**31}


async def published() -> list[PublicJwk]:
    return [KEY.jwk]


def verifier() -> Verifier:
    return Verifier(published, POLICY)


class Recorder:
    """A handler that notes who called."""

    def __init__(self) -> None:
        self.callers: list[Identity | None] = []

    async def __call__(self, request: Request) -> Response:
        self.callers.append(rpc.caller())
        return await echo(request)


async def test_a_good_token_is_its_account(loopback: Loopback) -> None:
    """The handler knows the caller by the token that came with the call."""
    recorder, token = Recorder(), KEY.sign()
    server = await loopback.serve(recorder, verifier=verifier())

    with rpc.acting_as(token):
        await loopback.stub(server.port).get_product(Request())

    assert recorder.callers == [Identity(7, "customer", token)]


async def test_no_token_is_nobody(loopback: Loopback) -> None:
    """A call without a token is handled, with nobody as its caller; so is the next one after a signed one."""
    recorder = Recorder()
    server = await loopback.serve(recorder, verifier=verifier())
    stub = loopback.stub(server.port)

    with rpc.acting_as(KEY.sign()):
        await stub.get_product(Request())
        with rpc.acting_as(None):
            await stub.get_product(Request())
    await stub.get_product(Request())

    assert [identity and identity.account_id for identity in recorder.callers] == [7, None, None]
    assert rpc.caller() is None


def _unsigned() -> str:
    header = json.dumps({"alg": "none", "typ": "JWT", "kid": "current"}).encode()
    payload = KEY.sign().split(".")[1]
    return f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.{payload}."


FORGERIES = {
    "another's key under our key's id": f"Bearer {Key('current').sign()}",
    "a key that nobody published": f"Bearer {Key('unknown').sign()}",
    "alg none": f"Bearer {_unsigned()}",
    "HMAC with a shared secret": "Bearer "
    + jwt.encode(CLAIMS, "secret", algorithm="HS256", headers={"kid": "current"}),
    "a changed signature": f"Bearer {KEY.sign()[:-4]}AAAA",
    "expired": f"Bearer {KEY.sign(at=time.time() - 3600)}",
    "another audience": f"Bearer {KEY.sign(TokenPolicy(audience='elsewhere'))}",
    "another issuer": f"Bearer {KEY.sign(TokenPolicy(issuer='elsewhere'))}",
    "no token at all": "Bearer ",
    "not a token": "Bearer abc",
    "another scheme": "Basic YTpi",
    "nothing": "",
    "too long": "Bearer " + "a" * (MAX_TOKEN_LENGTH + 1),
}


@pytest.mark.parametrize("authorization", FORGERIES.values(), ids=FORGERIES)
async def test_what_is_not_a_token_of_ours_is_refused(loopback: Loopback, authorization: str) -> None:
    """A token that cannot be trusted ends the call before its handler runs; it is never taken for no token."""
    recorder = Recorder()
    server = await loopback.serve(recorder, verifier=verifier())

    error = await refusal(loopback.raw(server.port), metadata=[("authorization", authorization)])

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert recorder.callers == []


async def test_two_tokens_are_refused(loopback: Loopback) -> None:
    """A call with two authorizations is refused, even when both are good: which one counts must not be a guess."""
    recorder = Recorder()
    server = await loopback.serve(recorder, verifier=verifier())
    twice = [("authorization", f"Bearer {KEY.sign()}")] * 2

    error = await refusal(loopback.raw(server.port), metadata=twice)

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert recorder.callers == []


async def test_the_schemes_name_in_any_case(loopback: Loopback) -> None:
    """The scheme's name is read without regard to case (RFC 9110, section 11.1)."""
    recorder = Recorder()
    server = await loopback.serve(recorder, verifier=verifier())

    answer = await raw_call(loopback.raw(server.port), metadata=[("authorization", f"bEaReR {KEY.sign()}")])

    assert isinstance(answer, bytes)
    assert recorder.callers[0] is not None


async def test_the_token_travels_on(loopback: Loopback) -> None:
    """A service asked by a service sees the first caller and verifies the token itself; one caller is not another's."""
    recorder = Recorder()
    second = await loopback.serve(recorder, verifier=verifier())
    stub = loopback.stub(second.port)
    first = await loopback.serve(stub.get_product, verifier=verifier())
    outside = loopback.stub(first.port)

    with rpc.acting_as(KEY.sign()):
        await outside.get_product(Request())
    await outside.get_product(Request())

    assert [identity and identity.account_id for identity in recorder.callers] == [7, None]


async def test_an_unverified_token_does_not_travel(loopback: Loopback) -> None:
    """A server without a verifier knows nobody, and passes on no token that it has not checked."""
    recorder = Recorder()
    second = await loopback.serve(recorder, verifier=verifier())
    stub = loopback.stub(second.port)
    first = await loopback.serve(stub.get_product, verifier=None)

    with rpc.acting_as(KEY.sign()):
        await loopback.stub(first.port).get_product(Request())

    assert recorder.callers == [None]


async def test_without_keys_nobody_is_let_in(loopback: Loopback) -> None:
    """While the public keys cannot be had, signed calls are UNAVAILABLE and anonymous ones are answered."""

    async def fail() -> list[PublicJwk]:
        raise UnavailableError("The account service does not answer now.")

    server = await loopback.serve(verifier=Verifier(fail, POLICY))
    stub = loopback.stub(server.port)

    with rpc.acting_as(KEY.sign()), pytest.raises(UnavailableError):
        await stub.get_product(Request())
    await stub.get_product(Request())


async def test_keys_are_fetched_over_the_same_roads(loopback: Loopback) -> None:
    """A verifier may call another service for the keys: that call carries no token, and not this call's short time."""
    seen: list[tuple[Identity | None, float | None]] = []
    recorder = Recorder()
    keys = await loopback.serve(recorder, verifier=None)
    stub = loopback.stub(keys.port)

    async def fetch() -> list[PublicJwk]:
        seen.append((rpc.caller(), rpc.context.seconds_left()))
        await stub.get_product(Request())
        return [KEY.jwk]

    server = await loopback.serve(verifier=Verifier(fetch, POLICY))

    with rpc.acting_as(KEY.sign()):
        await loopback.stub(server.port).get_product(Request(), timeout=2)

    assert seen == [(None, None)]


@pytest.mark.parametrize("token", ["", "a\nb", "a\x00", "ключ", "a" * (MAX_TOKEN_LENGTH + 1)])
def test_what_cannot_be_a_token_is_not_sent(token: str) -> None:
    """Text that no header can carry is refused where it comes in, not by the transport."""
    with pytest.raises(UnauthenticatedError), rpc.acting_as(token):
        pass
