"""Claims about tokens: whose are accepted, whose are not, and when public keys are asked for."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jwt

from services.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from services.tokens import (
    KEYS_LIFETIME,
    MAX_REMEMBERED,
    REFRESH_PAUSE,
    REMEMBERED_SECONDS,
    SERVICE_LIFETIME,
    Identity,
    PublicJwk,
    Signer,
    TokenPolicy,
    Verifier,
    is_service_name,
    require_identity,
    require_self_or_administrator,
    require_service_or_administrator,
)

POLICY = TokenPolicy(lifetime=3600)


class Key:
    """A private key with its id, its public half as JWK, and a signer for it."""

    def __init__(self, key_id: str) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        self.pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        public = private.public_key()
        self.public_pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        self.id = key_id
        self.jwk: PublicJwk = {
            name: value if isinstance(value, str) else value.decode()
            for name, value in jwk.construct(self.public_pem, "ES256").to_dict().items()
        } | {"kid": key_id}

    def sign(self, clock: Callable[[], float], policy: TokenPolicy = POLICY) -> str:
        token, _ = Signer(self.id, self.pem, policy, clock).sign(7, "customer", "token-id")
        return token

    def sign_service(self, service: str = "payment", policy: TokenPolicy = POLICY) -> str:
        token, _ = Signer(self.id, self.pem, policy, wall_clock).sign_service(service, "token-id")
        return token


class Keys:
    """What the account service publishes; counts how often it is asked."""

    def __init__(self, *keys: Key) -> None:
        self.published = list(keys)
        self.asked = 0
        self.down = False

    async def __call__(self) -> list[PublicJwk]:
        self.asked += 1
        if self.down:
            raise UnavailableError("down")
        return [key.jwk for key in self.published]


class Clock:
    """A clock that goes on only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def wall_clock() -> float:
    """A time that python-jose, which reads the system's clock, agrees is now."""
    import time  # noqa: PLC0415 only here: every other clock of these tests is injected

    return time.time()


@pytest.fixture
def key() -> Key:
    return Key("first")


async def test_a_token_of_ours_names_its_account(key: Key) -> None:
    """Whom a token was signed for is who it is verified as."""
    token = key.sign(wall_clock)
    assert await Verifier(Keys(key), POLICY).verify(token) == Identity(7, "customer", token)


async def test_a_services_token_names_the_service(key: Key) -> None:
    """It is no account's, and says for which service it was signed."""
    token = key.sign_service()
    assert await Verifier(Keys(key), POLICY).verify(token) == Identity(0, "service", token, "payment")


@pytest.mark.parametrize(("lifetime", "expected"), [(3600, SERVICE_LIFETIME), (60, 60)])
def test_a_services_token_is_short_lived(key: Key, lifetime: int, expected: int) -> None:
    """Ten minutes, and never longer than an account's, for which keys stay published."""
    _, expires = Signer(key.id, key.pem, TokenPolicy(lifetime=lifetime), lambda: 1000.0).sign_service("payment", "id")
    assert expires == 1000 + expected


@pytest.mark.parametrize("name", ["", "Payment", "7up", "pay ment", "payment\n", "-", "p" * 64, "служба"])
def test_services_have_plain_names(name: str) -> None:
    """Nothing but a short name in lower case."""
    assert is_service_name("payment")
    assert is_service_name("payment-2")
    assert not is_service_name(name)


async def test_an_expired_token_says_so(key: Key) -> None:
    """A token past its expiry is refused with a sentence that tells what to do."""
    token = key.sign(lambda: wall_clock() - 2 * POLICY.lifetime)
    with pytest.raises(UnauthenticatedError, match="expired: sign in again"):
        await Verifier(Keys(key), POLICY).verify(token)


def _segment(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _forgeries(key: Key) -> dict[str, str]:
    header, claims, signature = key.sign(wall_clock).split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    administrator = _segment(decoded | {"role": "administrator"})
    none = _segment({"alg": "none", "kid": "first"})
    other = Key("first")
    hmac = jwt.encode(decoded, "a secret", algorithm="HS256", headers={"kid": "first"})
    embedded = jwt.encode(decoded, other.pem, algorithm="ES256", headers={"kid": "first", "jwk": dict(other.jwk)})
    return {
        "changed claims": f"{header}.{administrator}.{signature}",
        "alg none": f"{none}.{claims}.",
        "alg none with a signature": f"{none}.{claims}.{signature}",
        "another key under this id": other.sign(wall_clock),
        "an embedded key": embedded,
        "HS256": hmac,
        "another issuer": key.sign(wall_clock, TokenPolicy(issuer="someone else")),
        "another audience": key.sign(wall_clock, TokenPolicy(audience="someone else")),
        "no signature": f"{header}.{claims}.",
        "two parts": f"{header}.{claims}",
        "no expiry": jwt.encode(
            {k: v for k, v in decoded.items() if k != "exp"}, key.pem, algorithm="ES256", headers={"kid": "first"}
        ),
        "a role that does not exist": jwt.encode(
            decoded | {"role": "root"}, key.pem, algorithm="ES256", headers={"kid": "first"}
        ),
        "a subject that is no account": jwt.encode(
            decoded | {"sub": "-1"}, key.pem, algorithm="ES256", headers={"kid": "first"}
        ),
        "an account with the role of a service": jwt.encode(
            decoded | {"role": "service"}, key.pem, algorithm="ES256", headers={"kid": "first"}
        ),
        "a service with the role of an administrator": jwt.encode(
            decoded | {"sub": "service:payment", "role": "administrator"},
            key.pem,
            algorithm="ES256",
            headers={"kid": "first"},
        ),
        "a service without a name": jwt.encode(
            decoded | {"sub": "service:", "role": "service"}, key.pem, algorithm="ES256", headers={"kid": "first"}
        ),
        "a service with a name that none has": jwt.encode(
            decoded | {"sub": "service:payment\n", "role": "service"},
            key.pem,
            algorithm="ES256",
            headers={"kid": "first"},
        ),
        "no subject": jwt.encode(
            {k: v for k, v in decoded.items() if k != "sub"}, key.pem, algorithm="ES256", headers={"kid": "first"}
        ),
        "no key id": jwt.encode(decoded, key.pem, algorithm="ES256"),
        "nothing": "",
        "dots": "..",
        "a megabyte": "a" * 1_000_000,
        "another script": "токен.тест.проба",
    }


FORGERIES = sorted(_forgeries(Key("first")))


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_forgeries_are_refused(key: Key, forgery: str) -> None:
    """No token that the account service did not sign for us is accepted, however it was made."""
    with pytest.raises(UnauthenticatedError, match="not valid"):
        await Verifier(Keys(key), POLICY).verify(_forgeries(key)[forgery])


async def test_hmac_with_the_public_key_as_secret_is_refused(key: Key) -> None:
    """The classic confusion of algorithms: the public key, which anyone has, is no secret to sign with."""
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415

    head, claims = _segment({"alg": "HS256", "kid": "first"}), key.sign(wall_clock).split(".")[1]
    digest = hmac.new(key.public_pem.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    token = f"{head}.{claims}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    with pytest.raises(UnauthenticatedError, match="not valid"):
        await Verifier(Keys(key), POLICY).verify(token)


async def test_a_new_key_is_fetched_when_a_token_names_it(key: Key) -> None:
    """Rotation signs no one out: the old key's tokens and the new key's are both accepted."""
    keys, clock = Keys(key), Clock()
    verifier = Verifier(keys, POLICY, clock)
    await verifier.verify(key.sign(wall_clock))
    second = Key("second")
    keys.published.append(second)
    clock.now += REFRESH_PAUSE
    assert (await verifier.verify(second.sign(wall_clock))).account_id == 7
    assert (await verifier.verify(key.sign(wall_clock))).account_id == 7
    assert keys.asked == 2


async def test_unknown_key_ids_cannot_flood_the_account_service(key: Key) -> None:
    """However many unknown key ids come, the keys are asked for once in a pause."""
    keys, clock = Keys(key), Clock()
    verifier = Verifier(keys, POLICY, clock)
    for n in range(50):
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(Key(f"unknown-{n}").sign(wall_clock))
    assert keys.asked == 1


async def test_known_keys_go_on_serving_while_none_can_be_fetched(key: Key) -> None:
    """With the account service down, tokens of known keys are verified; others are told to come back."""
    keys, clock = Keys(key), Clock()
    verifier = Verifier(keys, POLICY, clock)
    token = key.sign(wall_clock)
    await verifier.verify(token)
    keys.down = True
    clock.now += KEYS_LIFETIME + 1
    assert (await verifier.verify(token)).account_id == 7
    with pytest.raises(UnavailableError):
        await verifier.verify(Key("second").sign(wall_clock))


async def test_a_caller_that_goes_away_leaves_the_next_one_free_to_fetch(key: Key) -> None:
    """A fetch that is cut off by its caller's end counts as none: the next token is verified at once."""
    keys, entered = Keys(key), asyncio.Event()

    async def hang_once() -> list[PublicJwk]:
        if not entered.is_set():
            entered.set()
            await asyncio.Event().wait()
        return await keys()

    verifier = Verifier(hang_once, POLICY, Clock())
    token = key.sign(wall_clock)
    impatient = asyncio.create_task(verifier.verify(token))
    await entered.wait()
    impatient.cancel()
    await asyncio.wait({impatient})
    assert (await verifier.verify(token)).account_id == 7


async def test_a_withdrawn_key_is_forgotten(key: Key) -> None:
    """A key that is no longer published stops being accepted once the keys are fetched again."""
    keys, clock = Keys(key), Clock()
    verifier = Verifier(keys, POLICY, clock)
    token = key.sign(wall_clock)
    await verifier.verify(token)
    keys.published = [Key("second")]
    clock.now += KEYS_LIFETIME + 1
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(token)


class Counting(Verifier):
    """Counts how often a signature is checked."""

    checked = 0

    def _claims(self, token: str, key: Any) -> dict[str, Any]:
        self.checked += 1
        return super()._claims(token, key)


async def test_a_verified_token_is_remembered_for_a_while(key: Key) -> None:
    """Its signature is checked again after half a minute; another token's is checked at once."""
    clock = Clock()
    verifier = Counting(Keys(key), POLICY, clock)
    token, service = key.sign(wall_clock), key.sign_service()
    for _ in range(3):
        assert await verifier.verify(token) == Identity(7, "customer", token)
        assert await verifier.verify(service) == Identity(0, "service", service, "payment")
    assert verifier.checked == 2
    clock.now += REMEMBERED_SECONDS - 1
    await verifier.verify(token)
    assert verifier.checked == 2
    clock.now += 1
    await verifier.verify(token)
    assert verifier.checked == 3


async def test_a_token_is_never_remembered_beyond_its_expiry(key: Key) -> None:
    """What has five seconds to live is checked again after them, and so is one that only the leeway keeps alive."""
    policy, clock, now = TokenPolicy(lifetime=5), Clock(), int(wall_clock())
    verifier = Counting(Keys(key), policy, clock, lambda: now)
    short, late = key.sign(lambda: now, policy), key.sign(lambda: now - 6, policy)
    for _ in range(2):
        await verifier.verify(short)
        clock.now += 4.9
    assert verifier.checked == 1
    clock.now = 5
    await verifier.verify(short)
    assert verifier.checked == 2
    for _ in range(2):
        await verifier.verify(late)
    assert verifier.checked == 4


async def test_a_token_like_a_remembered_one_is_no_such_token(key: Key) -> None:
    """A remembered token opens nothing for one that differs from it in its signature alone, and a refusal stays one."""
    verifier = Counting(Keys(key), POLICY, Clock())
    token = key.sign(wall_clock)
    await verifier.verify(token)
    head, claims, _ = token.split(".")
    forged = f"{head}.{claims}.{key.sign(lambda: 0.0).split('.')[2]}"
    for _ in range(2):
        with pytest.raises(UnauthenticatedError, match="not valid"):
            await verifier.verify(forged)
    assert verifier.checked == 3


async def test_remembered_tokens_go_when_the_keys_come_anew(key: Key) -> None:
    """A key that a fetch shows to be withdrawn ends at once, also for tokens that were verified a moment before."""
    keys, clock = Keys(key), Clock()
    verifier = Verifier(keys, POLICY, clock)
    token = key.sign(wall_clock)
    await verifier.verify(token)
    second = Key("second")
    keys.published = [second]
    clock.now += REFRESH_PAUSE
    await verifier.verify(second.sign(wall_clock))
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(token)


async def test_few_tokens_are_remembered(key: Key) -> None:
    """What is remembered is bounded, the oldest goes first, and refused tokens take no room."""
    verifier = Counting(Keys(key), POLICY, Clock())
    first, last = key.sign(wall_clock), key.sign_service()
    identity = await verifier.verify(first)
    with pytest.raises(UnauthenticatedError):
        await verifier.verify("nonsense")
    for n in range(MAX_REMEMBERED - 1):
        verifier._remembered[str(n)] = (identity, 0.0)
    assert len(verifier._remembered) == MAX_REMEMBERED
    await verifier.verify(last)
    assert len(verifier._remembered) == MAX_REMEMBERED
    checked = verifier.checked
    await verifier.verify(last)
    assert verifier.checked == checked
    await verifier.verify(first)
    assert verifier.checked == checked + 1


def test_what_belongs_to_another_is_forbidden() -> None:
    """Nobody is anonymous where it counts, and only administrators see what is not theirs."""
    customer, administrator = Identity(7, "customer", ""), Identity(1, "administrator", "")
    with pytest.raises(UnauthenticatedError):
        require_identity(None)
    assert require_self_or_administrator(customer, 7) is customer
    assert require_self_or_administrator(administrator, 7) is administrator
    with pytest.raises(ForbiddenError):
        require_self_or_administrator(customer, 8)


def test_a_service_is_no_account() -> None:
    """What belongs to accounts refuses every service, with a reason."""
    payment = Identity(0, "service", "", "payment")
    with pytest.raises(ForbiddenError, match="Only an account"):
        require_identity(payment)
    with pytest.raises(ForbiddenError, match="Only an account"):
        require_self_or_administrator(payment, 0)
    assert not payment.is_administrator


def test_a_services_own_doing_is_its_own() -> None:
    """That service and administrators may; another service, a customer who calls itself so, and nobody may not."""
    payment, administrator = Identity(0, "service", "", "payment"), Identity(1, "administrator", "")
    assert require_service_or_administrator(payment, "payment") is payment
    assert require_service_or_administrator(administrator, "payment") is administrator
    for stranger in (Identity(0, "service", "", "gateway"), Identity(7, "customer", "", "payment")):
        with pytest.raises(ForbiddenError):
            require_service_or_administrator(stranger, "payment")
    with pytest.raises(UnauthenticatedError):
        require_service_or_administrator(None, "payment")
