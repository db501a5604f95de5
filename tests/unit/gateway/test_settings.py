"""Claims about settings: all limits can be set, and what makes no sense stops the start with its name."""

import dataclasses

import pytest
from pydantic import ValidationError

from services.gateway.__main__ import Settings
from services.gateway.limits import Limits

NEEDED = {
    "ACCOUNT_ADDRESS": "account:8080",
    "PRODUCT_ADDRESS": "product:8080",
    "ORDER_ADDRESS": "order:8080",
    "PAYMENT_ADDRESS": "payment:8080",
    "RECOMMENDER_ADDRESS": "recommender:8080",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
}
LIMITS = {
    "body": "MAX_BODY_BYTES",
    "tokens": "MAX_TOKENS",
    "depth": "MAX_DEPTH",
    "aliases": "MAX_ALIASES",
    "root_fields": "MAX_ROOT_FIELDS",
    "fields": "MAX_FIELDS",
    "list_items": "MAX_LIST_ITEMS",
    "objects": "MAX_OBJECTS",
    "errors": "MAX_ERRORS",
    "seconds": "REQUEST_TIMEOUT",
    "concurrent": "MAX_CONCURRENT_REQUESTS",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_the_defaults_are_the_safe_ones() -> None:
    """Without more than addresses, every limit is on, cookies are for TLS only, and no other origin is let in."""
    settings = Settings()
    assert settings.limits == Limits()
    assert settings.cookie_secure
    assert settings.cors_origins == []
    assert (settings.http_host, settings.http_port, settings.workers) == ("0.0.0.0", 8080, 1)  # noqa: S104 the default


@pytest.mark.parametrize("limit", [field.name for field in dataclasses.fields(Limits)])
def test_every_limit_can_be_set(environment: pytest.MonkeyPatch, limit: str) -> None:
    """Each limit has its variable."""
    environment.setenv(LIMITS[limit], "7")
    assert getattr(Settings().limits, limit) == 7


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_address_is_named(environment: pytest.MonkeyPatch, missing: str) -> None:
    """The error names the variable that is not there."""
    environment.delenv(missing)
    with pytest.raises(ValidationError, match=missing.lower()):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTP_PORT", "0"), ("WORKERS", "0"), ("CURRENCY", "usd"), ("CURRENCY_DECIMALS", "9"), ("REQUEST_TIMEOUT", "0")],
)
def test_nonsense_stops_the_start(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value out of range is refused by name."""
    environment.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_origins_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    """CORS_ORIGINS takes several origins; blanks are nothing."""
    environment.setenv("CORS_ORIGINS", "https://a.example, https://b.example,,")
    assert Settings().cors_origins == ["https://a.example", "https://b.example"]
