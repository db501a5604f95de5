"""Claims about the secrets of one data directory."""

import base64
from pathlib import Path

from local.credentials import administrator_password_file, credentials


def test_account_knows_payment_by_its_secret(tmp_path: Path) -> None:
    """What payment signs in with is what account expects of it, long enough that account takes it."""
    made = credentials(tmp_path, "admin@example.com")
    secret = made["payment"]["SERVICE_SECRET"]
    assert made["account"]["SERVICE_SECRETS"] == f"payment:{secret}"
    assert len(secret) >= 24
    assert "," not in secret


def test_webhooks_are_signed_in_the_standards_form(tmp_path: Path) -> None:
    """The sandbox's secret has the prefix of Standard Webhooks and 32 bytes."""
    secret = credentials(tmp_path, "admin@example.com")["payment"]["WEBHOOK_SECRETS"]
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_they_are_the_same_at_every_start(tmp_path: Path) -> None:
    """They are made once, each for its owner's eyes only."""
    assert credentials(tmp_path, "a@example.com") == credentials(tmp_path, "a@example.com")
    password = credentials(tmp_path, "a@example.com")["account"]["ADMIN_PASSWORD"]
    assert administrator_password_file(tmp_path).read_text() == password
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o600}
