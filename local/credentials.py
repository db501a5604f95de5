"""What only one service is given, by its name: made once for a data directory, and kept in its folder of secrets."""

from collections.abc import Mapping
from pathlib import Path

from local.secrets import encryption_key, keep, token, webhook_secret


def administrator_password_file(folder: Path) -> Path:
    """Answer where the administrator's password is kept."""
    return folder / "secrets/administrator-password"


def credentials(folder: Path, administrator_email: str) -> Mapping[str, Mapping[str, str]]:
    """Answer each service's variables; account knows the secret by which payment says who it is."""
    secrets = folder / "secrets"
    payment = keep(secrets / "payment-service-secret", token)
    return {
        "account": {
            "KEY_ENCRYPTION_KEY": keep(secrets / "key-encryption-key", encryption_key),
            "ADMIN_EMAIL": administrator_email,
            "ADMIN_PASSWORD": keep(administrator_password_file(folder), token),
            "SERVICE_SECRETS": f"payment:{payment}",
        },
        "payment": {
            "SERVICE_SECRET": payment,
            "WEBHOOK_SECRETS": keep(secrets / "payment-webhook-secret", webhook_secret),
        },
    }
