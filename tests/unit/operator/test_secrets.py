"""Claims about what is derived from a platform's seed."""

import base64
import re

from hypothesis import given
from hypothesis import strategies as st

from ecommerce_operator import secrets
from ecommerce_operator.kinds import SECRET, Key
from ecommerce_operator.manifests import Owner
from ecommerce_operator.model import SecretNames
from ecommerce_operator.spec import Administrator
from services.database import normalised

SEEDS = st.binary(min_size=32, max_size=32)
NAMES = SecretNames.of("shop", ("account", "order"), "")


@given(SEEDS)
def test_the_same_seed_gives_the_same_secrets(seed: bytes) -> None:
    """Contents depend on nothing but the seed, and no two of them are alike."""
    first = secrets.contents(seed, NAMES, Administrator(), "")
    assert first == secrets.contents(seed, NAMES, Administrator(), "")
    values = [part["password"] for part in first.values() if "password" in part]
    assert len(set(values)) == len(values) == 4


@given(SEEDS)
def test_addresses_are_those_that_services_take(seed: bytes) -> None:
    """A database's URL is understood by the services, password and all."""
    made = secrets.contents(seed, NAMES, Administrator(), "")["shop-order-database"]
    url = normalised(made["url"])
    assert (url.username, url.password, url.host, url.database) == ("order", made["password"], "shop-postgres", "order")


@given(SEEDS)
def test_cluster_ids_are_kafkas(seed: bytes) -> None:
    """A cluster id has 22 characters of the URL-safe alphabet and no hyphen first."""
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", secrets.kafka_cluster_id(seed))


@given(SEEDS)
def test_payment_is_known_by_its_own_secret(seed: bytes) -> None:
    """What payment says who it is by is what account knows it by, and long enough that nobody guesses it."""
    made = secrets.contents(seed, NAMES, Administrator(), "")
    secret = made["shop-payment-identity"]["service-secret"]
    assert made["shop-service-secrets"] == {"service-secrets": f"payment:{secret}"}
    assert len(secret) >= 24
    assert "," not in secret


@given(SEEDS)
def test_the_sandbox_signs_by_standard_webhooks(seed: bytes) -> None:
    """Its secret has the scheme's prefix, and bytes of a length that the scheme allows."""
    kept = secrets.contents(seed, NAMES, Administrator(), "")["shop-payment-sandbox"]["webhook-secrets"]
    assert kept.startswith("whsec_")
    assert 24 <= len(base64.b64decode(kept.removeprefix("whsec_"), validate=True)) <= 64


def test_the_key_is_one_that_encrypts() -> None:
    """The key encryption key is 32 bytes in URL-safe base64."""
    made = secrets.contents(bytes(32), NAMES, Administrator(), "")["shop-encryption-key"]
    assert len(base64.urlsafe_b64decode(made["key-encryption-key"])) == 32


def test_an_administrator_may_bring_a_password() -> None:
    """A given password is taken; without an address there is no administrator."""
    made = secrets.contents(bytes(32), NAMES, Administrator(email="a@example.com"), "mine")
    assert made["shop-administrator"] == {"email": "a@example.com", "name": "Administrator", "password": "mine"}
    assert "shop-administrator" not in secrets.contents(bytes(32), NAMES, Administrator(email=""), "")


def test_a_seed_is_read_as_it_was_kept() -> None:
    """A kept seed is read again; anything else is none."""
    seed, key = bytes(range(32)), Key(SECRET, "here", "shop-root")
    kept = secrets.seed_manifest(seed, key, "shop").body
    assert secrets.seed_of(kept) == seed
    assert kept["immutable"] is True
    assert "ownerReferences" not in kept["metadata"]
    for data in ({}, {"seed": "short"}, {"seed": "!!"}, {"seed": base64.b64encode(b"x").decode()}):
        assert secrets.seed_of({"data": data}) is None
    assert secrets.seed_of(None) is None


def test_derived_secrets_go_with_their_platform() -> None:
    """What is derived names its platform as owner, and its content is read as it was written."""
    made = secrets.secret_manifest("x", {"a": "b"}, Owner("shop", "here", "uid-1")).body
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    assert secrets.content_of(made) == {"a": "b"}


def test_digests_tell_changes_and_nothing_else() -> None:
    """A digest changes with its content, and without the seed nobody can compute it."""
    one = secrets.digest(bytes(32), {"x": {"a": "b"}})
    assert one == secrets.digest(bytes(32), {"x": {"a": "b"}})
    assert one != secrets.digest(bytes(32), {"x": {"a": "c"}})
    assert one != secrets.digest(bytes([1]) * 32, {"x": {"a": "b"}})
