"""What the service takes from its environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.product.settings import IndexSettings, ServeSettings

PLAIN = {
    "DATABASE_URL": "postgresql://product:secret-word@db/product",
    "ELASTICSEARCH_URL": "http://es:9200",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "ACCOUNT_ADDRESS": "account:8080",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what is needed."""
    for name in (
        "CURRENCY",
        "INDEXER_ENABLED",
        "GRPC_PORT",
        "GRPC_HOST",
        "ELASTICSEARCH_CA_FILE",
        "DATABASE_POOL_SIZE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)


def test_defaults() -> None:
    """Four variables are enough; the shop is in dollars and keeps its own index."""
    settings = ServeSettings()
    assert (settings.currency, settings.indexer_enabled, settings.grpc_port) == ("USD", True, 8080)
    assert settings.elasticsearch_urls == ["http://es:9200"]
    assert "secret-word" not in repr(settings)


def test_several_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cluster has several addresses, credentials and an authority of its own."""
    authority = tmp_path / "ca.crt"
    authority.touch()
    monkeypatch.setenv("ELASTICSEARCH_URL", "https://u:p%40ss@a:9200, https://u:p%40ss@b:9200")
    monkeypatch.setenv("ELASTICSEARCH_CA_FILE", str(authority))
    settings = IndexSettings()
    assert settings.elasticsearch_urls == ["https://u:p%40ss@a:9200", "https://u:p%40ss@b:9200"]
    assert settings.elasticsearch_ca_file == authority
    assert "p%40ss" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CURRENCY", "dollars"),
        ("CURRENCY", "usd"),
        ("GRPC_PORT", "70000"),
        ("ELASTICSEARCH_URL", ""),
        ("ELASTICSEARCH_URL", "es:9200"),
        ("ELASTICSEARCH_URL", "http://"),
        ("ELASTICSEARCH_URL", "http://a:9200,"),
        ("ELASTICSEARCH_URL", "http://a:port"),
        ("ELASTICSEARCH_CA_FILE", "/nowhere/ca.crt"),
        ("ELASTICSEARCH_CA_FILE", __file__),
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("ACCOUNT_ADDRESS", ""),
    ],
)
def test_bad(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """What cannot work stops the start with its name, and repeats nothing that is secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        ServeSettings()
    assert name in str(caught.value).upper()
    assert "secret-word" not in str(caught.value)
