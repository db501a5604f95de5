"""What the payment service takes from its environment, and what it refuses."""

import base64

import pytest
from pydantic import ValidationError

from services.payment.rules import Rules
from services.payment.settings import ServeSettings

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
LEAST = {
    "DATABASE_URL": "postgresql://u:p@127.0.0.1:5432/payment",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "ACCOUNT_ADDRESS": "127.0.0.1:1",
    "ORDER_ADDRESS": "127.0.0.1:2",
    "SERVICE_SECRET": "a-secret-of-more-than-24-characters",
    "WEBHOOK_SECRETS": SECRET,
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The least that is needed."""
    for name, value in LEAST.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_the_least_is_a_sandbox() -> None:
    """On all addresses, with pages that lead back to where one came from."""
    settings = ServeSettings()
    assert settings.payment_provider == "sandbox"
    assert (settings.http_host, settings.http_port) == ("0.0.0.0", 8081)  # noqa: S104 what a pod listens on
    assert settings.webhook_url == "http://127.0.0.1:8081/webhook/payment"
    assert settings.rules == Rules((), "", own_pages=True)
    assert settings.secrets == (SECRET,)
    assert settings.deliveries == frozenset()


def test_lists_are_words_between_commas(environment: pytest.MonkeyPatch) -> None:
    """Spaces around them do not count, nor does a slash after the public address."""
    environment.setenv("WEBHOOK_SECRETS", f" {SECRET} , {SECRET},")
    environment.setenv("REDIRECT_HOSTS", "a.example.com, *.b.example.com")
    environment.setenv("PUBLIC_URL", "https://shop.example.com/")
    environment.setenv("SANDBOX_DELIVERIES", "late twice")
    settings = ServeSettings()
    assert settings.secrets == (SECRET, SECRET)
    assert settings.rules == Rules(("a.example.com", "*.b.example.com"), "https://shop.example.com", own_pages=True)
    assert settings.deliveries == {"late", "twice"}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"WEBHOOK_SECRETS": ""}, "WEBHOOK_SECRETS"),
        ({"WEBHOOK_SECRETS": "not-base64"}, "WEBHOOK_SECRETS"),
        ({"WEBHOOK_SECRETS": "whsec_"}, "WEBHOOK_SECRETS"),
        ({"WEBHOOK_SECRETS": "whsec_???"}, "WEBHOOK_SECRETS"),
        ({"PAYMENT_PROVIDER": "stripe"}, "PROVIDER_API_KEY"),
        ({"PAYMENT_PROVIDER": "dodo"}, "PROVIDER_API_KEY"),
        ({"PAYMENT_PROVIDER": "cash"}, "payment_provider"),
        ({"PUBLIC_URL": "shop.example.com"}, "public_url"),
        ({"PUBLIC_URL": "https://shop.example.com/path"}, "public_url"),
        ({"SERVICE_SECRET": "short"}, "service_secret"),
        ({"SANDBOX_DELIVERIES": "never"}, "SANDBOX_DELIVERIES"),
        ({"CHECKOUT_LIFETIME": "0"}, "checkout_lifetime"),
        (
            {"CHECKOUT_LIFETIME": "900", "PAYMENT_PROVIDER": "stripe", "PROVIDER_API_KEY": "sk_test_1"},
            "CHECKOUT_LIFETIME",
        ),
    ],
)
def test_what_is_wrong_is_named(environment: pytest.MonkeyPatch, changed: dict[str, str], named: str) -> None:
    """And no secret is repeated."""
    for name, value in changed.items():
        environment.setenv(name, value)
    with pytest.raises(ValidationError) as raised:
        ServeSettings()
    assert named in str(raised.value)
    assert LEAST["SERVICE_SECRET"] not in str(raised.value)
    assert SECRET not in str(raised.value)


def test_stripes_secrets_are_of_its_own_form(environment: pytest.MonkeyPatch) -> None:
    """They are no base64."""
    environment.setenv("PAYMENT_PROVIDER", "stripe")
    environment.setenv("PROVIDER_API_KEY", "sk_test_1")
    environment.setenv("WEBHOOK_SECRETS", "whsec_a_b-c")
    assert ServeSettings().secrets == ("whsec_a_b-c",)
