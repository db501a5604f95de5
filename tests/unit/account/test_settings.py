"""What the account service refuses to start with."""

from base64 import b64encode

import pytest

from services.account.__main__ import main
from services.account.settings import ServeSettings

DATABASE_URL = "postgresql://account:hush-hush@127.0.0.1:1/account"
ENCRYPTION_KEY = b64encode(bytes(32)).decode()
VARIABLES = (
    "DATABASE_URL",
    "KEY_ENCRYPTION_KEY",
    "ADMIN_EMAIL",
    "ADMIN_PASSWORD",
    "TOKEN_LIFETIME",
    "GRPC_PORT",
    "SERVICE_SECRETS",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def refusal(monkeypatch: pytest.MonkeyPatch, command: str) -> str:
    monkeypatch.setattr("sys.argv", ["account", command])
    with pytest.raises(SystemExit) as refused:
        main()
    return str(refused.value)


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("serve", ["DATABASE_URL", "KEY_ENCRYPTION_KEY"]),
        ("migrate", ["DATABASE_URL"]),
        ("rotate-keys", ["DATABASE_URL", "KEY_ENCRYPTION_KEY"]),
    ],
)
def test_a_missing_setting_is_named(environment: pytest.MonkeyPatch, command: str, missing: list[str]) -> None:
    """Every one that is missing, in one line."""
    message = refusal(environment, command)
    assert all(f"{name}: Field required" in message for name in missing)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_ENCRYPTION_KEY", "too short a secret"),
        ("KEY_ENCRYPTION_KEY", ""),
        ("KEY_ENCRYPTION_KEY", f"{ENCRYPTION_KEY},another-secret"),
        ("TOKEN_LIFETIME", "for ever"),
        ("TOKEN_LIFETIME", "59"),
        ("GRPC_PORT", "99999"),
        ("SERVICE_SECRETS", "payment"),
        ("SERVICE_SECRETS", "payment:short-secret"),
        ("SERVICE_SECRETS", "Payment:hush-hush-hush-hush-hush-hush"),
        ("SERVICE_SECRETS", "hush-hush-hush-hush-hush-hush-hush"),
        ("SERVICE_SECRETS", "payment:a-long-and-usable-value-here,:hush-hush-hush-hush-hush"),
        ("DATABASE_URL", "postgresql://account@127.0.0.1:hush/account"),
        ("DATABASE_URL", "mysql://account:hush-hush@127.0.0.1/account"),
    ],
)
def test_a_bad_setting_is_named_and_not_repeated(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The line has the name of the setting and nothing of what was given, as there may be secrets in it."""
    environment.setenv("DATABASE_URL", DATABASE_URL)
    environment.setenv("KEY_ENCRYPTION_KEY", ENCRYPTION_KEY)
    environment.setenv(name, value)
    message = refusal(environment, "serve")
    assert name in message
    assert not value or value not in message
    assert "secret" not in message
    assert "hush" not in message


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        (None, {}),
        ("", {}),
        (f"payment:{'a' * 24}", {"payment": ["a" * 24]}),
        (
            f" payment:{'a' * 24} ,payment:{'b:' * 12},x:{'c' * 30},",
            {"payment": ["a" * 24, "b:" * 12], "x": ["c" * 30]},
        ),
    ],
)
def test_services_have_their_secrets(
    environment: pytest.MonkeyPatch, value: str | None, secrets: dict[str, list[str]]
) -> None:
    """None by default; several of one service are all accepted; the encryption key is read beside them."""
    environment.setenv("DATABASE_URL", DATABASE_URL)
    environment.setenv("KEY_ENCRYPTION_KEY", ENCRYPTION_KEY)
    if value is not None:
        environment.setenv("SERVICE_SECRETS", value)
    settings = ServeSettings()
    assert settings.secrets_by_service == secrets
    assert [key.get_secret_value() for key in settings.key_encryption_key] == [ENCRYPTION_KEY]
    assert "a" * 24 not in repr(settings)


def test_an_administrator_needs_a_password(environment: pytest.MonkeyPatch) -> None:
    """An address without a password stops the migration before it begins."""
    environment.setenv("DATABASE_URL", DATABASE_URL)
    environment.setenv("ADMIN_EMAIL", "root@example.com")
    assert "ADMIN_PASSWORD" in refusal(environment, "migrate")


def test_an_unknown_command_is_refused(environment: pytest.MonkeyPatch) -> None:
    """The command line's own exit status for misuse."""
    assert refusal(environment, "dance") == "2"
