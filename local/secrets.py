"""Secrets of one data directory: each made once, kept in a file that only its owner can read."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def keep(path: Path, make: Callable[[], str]) -> str:
    """Answer the secret in a file; where there is none, make it and write it, readable by the owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        draft.rename(path)
    return path.read_text()


def token() -> str:
    """Answer a password of 192 random bits that needs no quoting in a URL."""
    return secrets.token_urlsafe(24)


def encryption_key() -> str:
    """Answer 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def webhook_secret() -> str:
    """Answer a secret of 32 random bytes in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
