"""Tokens that are accepted and tokens that are not, and signing keys that change under a running service."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt
from sqlalchemy import update
from sqlmodel import col

from protos.gen.ecommerce.account import v1 as account_v1
from services import rpc
from services.account.models import SigningKeyRecord
from services.account.rotation import SigningKey
from services.account.store import PostgresKeys
from services.database import Database
from services.errors import UnauthenticatedError
from services.tokens import Signer, TokenPolicy
from tests.integration.account.conftest import CIPHER, Running, Start, command
from tests.integration.account.test_accounts import account_of, register

POLICY = TokenPolicy()


@pytest.fixture
async def key(account: Running) -> SigningKey:
    """The private key that the service signs with."""
    (key,) = await stored(account.process.environment["DATABASE_URL"])
    return key


async def own_account(running: Running, token: str, account_id: int) -> account_v1.Account | None:
    with rpc.acting_as(token):
        return (await running.stub.get_account(account_v1.GetAccountRequest(id=account_id))).account


def claims(account_id: int = 1, **others: object) -> dict[str, object]:
    now = int(time.time())
    basis = {"iss": POLICY.issuer, "aud": POLICY.audience, "sub": str(account_id), "role": "administrator"}
    return {**basis, "iat": now, "exp": now + 60, **others}


def encoded(part: object) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned(key: SigningKey) -> str:
    return f"{encoded({'alg': 'none', 'typ': 'JWT', 'kid': key.id})}.{encoded(claims())}."


def signed_with_the_public_key_as_secret(key: SigningKey) -> str:
    secret = json.dumps(dict(key.public_jwk))
    return jwt.encode(claims(), secret, algorithm="HS256", headers={"kid": key.id})


def signed_by_another_key(key: SigningKey) -> str:
    return jwt.encode(claims(), another_private_key(), algorithm="ES256", headers={"kid": key.id})


def signed_by_an_unknown_key(_key: SigningKey) -> str:
    return jwt.encode(claims(), another_private_key(), algorithm="ES256", headers={"kid": "unknown"})


def with_its_own_key_inside(_key: SigningKey) -> str:
    pem = another_private_key()
    own = jwk.construct(pem, "ES256").public_key().to_dict()
    return jwt.encode(claims(), pem, algorithm="ES256", headers={"kid": "unknown", "jwk": own})


def expired(key: SigningKey) -> str:
    an_hour_ago = time.time() - 3600
    return Signer(key.id, key.private_pem, TokenPolicy(lifetime=60), lambda: an_hour_ago).sign(1, "administrator", "x")[
        0
    ]


def of_another_issuer(key: SigningKey) -> str:
    return jwt.encode(claims(iss="another"), key.private_pem, algorithm="ES256", headers={"kid": key.id})


def with_a_changed_claim(key: SigningKey) -> str:
    header, _, signature = jwt.encode(claims(), key.private_pem, algorithm="ES256", headers={"kid": key.id}).split(".")
    return f"{header}.{encoded(claims(2))}.{signature}"


def another_private_key() -> str:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        signed_with_the_public_key_as_secret,
        signed_by_another_key,
        signed_by_an_unknown_key,
        with_its_own_key_inside,
        expired,
        of_another_issuer,
        with_a_changed_claim,
    ],
)
async def test_a_bad_token_is_nobodys(account: Running, key: SigningKey, forge: Callable[[SigningKey], str]) -> None:
    """It is refused although the same claims would do with a good signature."""
    account_id = account_of(await register(account)).id
    good = jwt.encode(claims(account_id), key.private_pem, algorithm="ES256", headers={"kid": key.id})
    assert await own_account(account, good, account_id)
    with pytest.raises(UnauthenticatedError):
        await own_account(account, forge(key), account_id)


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "e30.e30.e30", "x" * 4096])
async def test_garbage_is_nobodys(account: Running, token: str) -> None:
    """What is no token at all is refused in the same way."""
    with pytest.raises(UnauthenticatedError):
        await own_account(account, token, 1)


async def test_a_rotation_signs_nobody_out(start: Start, new_database: Callable[[str], Awaitable[str]]) -> None:
    """The command has the key followed: published at once, signing later; the old one's tokens work all the while."""
    url = await new_database("account")
    before = await register(await start(url))
    new = await rotated(url)
    replica = await start(url, migrate=False)
    assert set(await published(replica)) == {kid(before), new}
    assert kid(await register(replica)) == kid(before)

    await dated(url, new, datetime.now(UTC) - timedelta(seconds=1))
    replica = await start(url, migrate=False)
    after = await register(replica)
    assert kid(after) == new
    for session in (before, after):
        assert await own_account(replica, session.token, account_of(session).id) == session.account


async def test_a_key_is_withdrawn_after_its_last_token(
    start: Start, new_database: Callable[[str], Awaitable[str]]
) -> None:
    """Once that has expired, the key is neither published nor stored, and nothing it signed is accepted."""
    url = await new_database("account")
    before = await register(await start(url))
    new = await rotated(url)
    long_ago = datetime.now(UTC) - timedelta(seconds=POLICY.lifetime + 3600)
    await dated(url, kid(before), long_ago - timedelta(days=1))
    await dated(url, new, long_ago)
    replica = await start(url, migrate=False)
    assert await published(replica) == [new]
    assert [key.id for key in await stored(url)] == [new]
    with pytest.raises(UnauthenticatedError):
        await own_account(replica, before.token, account_of(before).id)


async def rotated(url: str) -> str:
    """Has the key followed and answers the id of the one that will sign."""
    status, output = await command("rotate-keys", DATABASE_URL=url)
    assert status == 0
    return output.splitlines()[-1].split()[0]


async def published(running: Running) -> list[str]:
    return [key.key_id for key in (await running.stub.get_public_keys(account_v1.GetPublicKeysRequest())).keys]


async def stored(url: str) -> list[SigningKey]:
    database = Database(url, application_name="account-test")
    try:
        return await PostgresKeys(database, CIPHER).read()
    finally:
        await database.close()


async def dated(url: str, key_id: str, signs_from: datetime) -> None:
    """Lets time pass for a key: the service then finds it as old as this."""
    change = update(SigningKeyRecord).where(col(SigningKeyRecord.id) == key_id).values(signs_from=signs_from)
    database = Database(url, application_name="account-test")
    async with database.transaction() as session:
        await session.exec(change)
    await database.close()


def kid(session: account_v1.Session) -> str:
    return str(jwt.get_unverified_header(session.token)["kid"])
