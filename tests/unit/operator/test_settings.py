"""Claims about the operator's environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ecommerce_operator.settings import Settings


def test_nothing_has_to_be_set() -> None:
    """Without any variable it looks after all namespaces, with the charts of the checkout."""
    settings = Settings()
    assert settings.watch_namespaces == ()
    assert (settings.charts / "gateway").is_dir()


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Namespaces are separated by commas; a slash after the registry is dropped."""
    given = {"WATCH_NAMESPACES": " a, b,", "IMAGE_REGISTRY": "r.example.com/shop/", "CHARTS": "/charts"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.watch_namespaces == ("a", "b")
    assert settings.platform.registry == "r.example.com/shop"
    assert settings.charts == Path("/charts")


def test_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is none is refused by name."""
    monkeypatch.setenv("METRICS_PORT", "many")
    with pytest.raises(ValidationError, match="metrics_port"):
        Settings()
