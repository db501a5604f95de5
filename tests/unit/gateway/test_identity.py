"""Claims about signing in: where the token is read, what is accepted, and what those hear whose token is not."""

import base64
import json
import time

import pytest

from services.gateway.identity import Caller, token_of
from services.gateway.request import Headers
from services.tokens import Role, Signer, TokenPolicy
from tests.factories.gateway import POLICY, SigningKey
from tests.unit.gateway.conftest import Shop

ACCOUNTS = "{ accounts { id } }"
PRODUCTS = "{ product { id } }"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _without_signature(account_id: int) -> str:
    claims = {"sub": str(account_id), "role": "administrator", "exp": int(time.time()) + 60}
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def _tampered(token: str) -> str:
    head, claims, signature = token.split(".")
    padded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return f"{head}.{_part(padded | {'role': 'administrator'})}.{signature}"


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (Headers(), None),
        (Headers(authorization="Bearer abc"), "abc"),
        (Headers(authorization="bearer  abc "), "abc"),
        (Headers(authorization="Bearer"), ""),
        (Headers(authorization="Basic abc"), None),
        (Headers(cookies="token=abc"), "abc"),
        (Headers(cookies="a=b; token=abc; c=d"), "abc"),
        (Headers(cookies="a=token=abc;token="), None),
        (Headers(cookies="mytoken=abc; Token=abc"), None),
        (Headers(authorization="Bearer abc", cookies="token=def"), "abc"),
        (Headers(authorization="Basic abc", cookies="token=def"), "def"),
    ],
)
def test_the_token_is_read_from_header_or_cookie(headers: Headers, token: str | None) -> None:
    """Authorization: Bearer goes before the cookie named token; everything else is nothing."""
    assert token_of(headers) == token


async def test_every_bad_token_is_told_apart_from_none(shop: Shop) -> None:
    """Forged, altered, unsigned, foreign and empty tokens are UNAUTHENTICATED as not valid."""
    await shop.customer()
    good = shop.services.key.token(1)
    other_issuer = shop.services.key.token(1, policy=TokenPolicy(issuer="someone-else"))
    for token in (
        SigningKey().token(1),  # the same key id, another key
        SigningKey("unknown").token(1),
        _tampered(good),
        good[:-4] + "AAAA",
        _without_signature(1),
        other_issuer,
        "nonsense",
        "a.b.c",
        good * 20,
        "\xe9",
    ):
        headers = {"Authorization": f"Bearer {token}".encode("latin-1")}
        answer = await shop.ask(ACCOUNTS, headers=headers)
        assert (answer.codes, answer.message) == (["UNAUTHENTICATED"], "The token is not valid.")
        assert (await shop.ask(PRODUCTS, headers=headers)).data == {"product": []}
    assert (await shop.ask(ACCOUNTS, token=good)).data == {"accounts": [{"id": 1}]}


async def test_an_expired_token_asks_for_signing_in_again(shop: Shop) -> None:
    """An expired token is UNAUTHENTICATED with that reason, and reads the catalogue as nobody."""
    token = shop.services.key.expired_token(1)
    answer = await shop.ask(ACCOUNTS, token=token)
    assert (answer.codes, answer.message) == (["UNAUTHENTICATED"], "The token has expired: sign in again.")
    assert (await shop.ask(PRODUCTS, token=token)).data == {"product": []}


async def test_a_token_that_cannot_be_checked_is_not_refused(shop: Shop) -> None:
    """While the keys cannot be had, signed-in operations are UNAVAILABLE and the catalogue still answers."""
    token = await shop.customer()
    shop.services.failures["keys"] = Exception()
    assert (await shop.ask(ACCOUNTS, token=token)).codes == ["UNAVAILABLE"]
    assert (await shop.ask(PRODUCTS, token=token)).data == {"product": []}


async def test_nobodys_token_is_checked_where_nobody_asks(shop: Shop) -> None:
    """A page of the catalogue costs no signature check."""
    shop.services.failures["keys"] = Exception()
    assert (await shop.ask(PRODUCTS, token=shop.services.key.token(1))).data == {"product": []}


@pytest.mark.parametrize("role", ["customer", "administrator"])
async def test_a_role_in_the_token_is_what_counts(shop: Shop, role: Role) -> None:
    """Only a token signed with the administrator's role sees others."""
    await shop.customer()
    token = await shop.token(role)
    seen = (await shop.data(ACCOUNTS, token=token))["accounts"]
    assert seen == ([{"id": 1}, {"id": 2}] if role == "administrator" else [{"id": 2}])


async def test_a_service_is_nobody_here(shop: Shop) -> None:
    """A service's own token opens nothing that is an account's, and reads the catalogue as nobody does."""
    key = shop.services.key
    token, _ = Signer(key.id, key.pem, POLICY, time.time).sign_service("payment", "token-id")
    assert (await shop.ask(ACCOUNTS, token=token)).codes == ["FORBIDDEN"]
    product = await shop.product(await shop.customer())
    assert (await shop.data(PRODUCTS, token=token))["product"] == [{"id": product}]
    assert await Caller(token, shop.verifier).account_id() is None
