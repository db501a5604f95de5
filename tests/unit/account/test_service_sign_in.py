"""Claims about how services of the platform sign in."""

from datetime import timedelta

import pytest

from services.account.service_sign_in import ServiceSignIn
from services.errors import UnauthenticatedError, UnavailableError
from services.tokens import Identity, Verifier
from tests.unit.account.conftest import POLICY, World

OLD, NEW = "an old secret, which is long", "a new secret, as long as the old"
SECRETS = {"payment": [NEW, OLD], "other": ["the secret of another service"]}


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_each_secret_of_a_service_signs_it_in(world: World, secret: str) -> None:
    """While a new secret follows an old one, both do; the token names the service and lives for ten minutes."""
    token, expires_at = await ServiceSignIn(SECRETS, world.ring).sign_in("payment", secret)
    assert await Verifier(world.ring.public_keys, POLICY).verify(token) == Identity(0, "service", token, "payment")
    assert expires_at == world.clock().replace(microsecond=0) + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("service", "secret"),
    [
        ("payment", "the secret of another service"),
        ("payment", NEW[:-1]),
        ("payment", NEW + "\0"),
        ("payment", ""),
        ("payment", "\ud800"),
        ("payment", "x" * 1_000_000),
        ("unknown", NEW),
        ("", ""),
        ("service:payment", NEW),
    ],
)
async def test_nothing_else_does(world: World, service: str, secret: str) -> None:
    """An unknown service and a wrong secret get one and the same answer."""
    with pytest.raises(UnauthenticatedError, match="The service or its secret is wrong"):
        await ServiceSignIn(SECRETS, world.ring).sign_in(service, secret)


async def test_without_secrets_no_service_signs_in(world: World) -> None:
    """That is the default."""
    with pytest.raises(UnauthenticatedError):
        await ServiceSignIn({}, world.ring).sign_in("payment", "")


async def test_without_keys_it_is_unavailable(world: World) -> None:
    """A right secret is told to come back while no key can be had."""
    world.keys.available = False
    with pytest.raises(UnavailableError):
        await ServiceSignIn(SECRETS, world.ring).sign_in("payment", NEW)
