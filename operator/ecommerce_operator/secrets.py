"""The platform's secrets: one random seed, and everything else derived from it.

The seed is kept in two Secrets that cannot be edited (`immutable`), each made again from the other. What services read
(passwords, database URLs, the key that encrypts signing keys) is derived from the seed by HKDF (RFC 5869), each under
its own name, so that a Secret that was removed comes back with the content it had. Seeds have no owner: under the
policy Retain they outlive their platform together with the volumes that are useless without them.

Digests of what a component reads go onto its pods, so that a change rolls them; they are keyed by the seed and tell
nobody anything.
"""

import base64
import hmac
import json
import os
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ecommerce_operator.kinds import SECRET, Key
from ecommerce_operator.manifests import Manifest, Owner, labels, manifest
from ecommerce_operator.model import SecretNames
from ecommerce_operator.spec import Administrator

SEED_BYTES: Final = 32
_PASSWORD_BYTES: Final = 24  # 192 bits, 32 characters
SEED_KEY: Final = "seed"
POSTGRES_PORT: Final = 5432

Content = Mapping[str, str]


def new_seed() -> bytes:
    """Answers a fresh random seed."""
    return os.urandom(SEED_BYTES)


def derive(seed: bytes, purpose: str, length: int) -> bytes:
    """Answers `length` bytes that only the seed's holder can know, the same for the same purpose."""
    info = f"ecommerce.dev/v1/{purpose}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(seed)


def password(seed: bytes, purpose: str) -> str:
    """Answers a password that needs no quoting, neither in a URL nor in SQL nor in a shell."""
    return base64.urlsafe_b64encode(derive(seed, f"password/{purpose}", _PASSWORD_BYTES)).decode()


def webhook_secret(seed: bytes) -> str:
    """Answers what the built-in payment provider signs with, in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(derive(seed, 'payment-sandbox', 32)).decode()}"


def kafka_cluster_id(seed: bytes) -> str:
    """Answers a cluster id in Kafka's form: 16 bytes in 22 characters, the first of them no hyphen."""
    text = base64.urlsafe_b64encode(derive(seed, "kafka-cluster-id", 16)).decode().rstrip("=")
    return text if text[0] != "-" else f"A{text[1:]}"


def contents(seed: bytes, names: SecretNames, administrator: Administrator, given: str) -> dict[str, Content]:
    """Answers each Secret's content by its name; `given` is the administrator's own password, or empty."""
    payment = password(seed, "service/payment")
    made: dict[str, Content] = {
        names.superuser: {"username": "postgres", "password": password(seed, "postgres")},
        names.encryption_key: {
            "key-encryption-key": base64.urlsafe_b64encode(derive(seed, "key-encryption-key", 32)).decode()
        },
        names.service_secrets: {"service-secrets": f"payment:{payment}"},
        names.payment_identity: {"service-secret": payment},
        names.payment_sandbox: {"webhook-secrets": webhook_secret(seed)},
    }
    for service, name in names.databases.items():
        made[name] = _database(seed, service, names.superuser)
    if administrator.email:
        made[names.administrator] = {
            "email": administrator.email,
            "name": administrator.name,
            "password": given or password(seed, "administrator"),
        }
    return made


def seed_keys(namespace: str, platform: str) -> tuple[Key, Key]:
    """Answers where the seed and its twin are kept."""
    return Key(SECRET, namespace, f"{platform}-root"), Key(SECRET, namespace, f"{platform}-root-copy")


def seed_manifest(seed: bytes, key: Key, platform: str) -> Manifest:
    """Answers the Secret that keeps the seed."""
    body = _secret(key, platform, {SEED_KEY: base64.b64encode(seed).decode()}, binary=True)
    return manifest({**body, "immutable": True}, key)


def secret_manifest(name: str, content: Content, owner: Owner) -> Manifest:
    """Answers a derived Secret."""
    key = Key(SECRET, owner.namespace, name)
    body = _secret(key, owner.name, content)
    body["metadata"]["ownerReferences"] = [owner.reference]  # type: ignore[index]  # made a dict just above
    return manifest(body, key)


def content_of(secret: Mapping[str, object]) -> dict[str, str]:
    """Answers a Secret's data as text, without what is no text."""
    data = secret.get("data") or {}
    found = {}
    for name, value in data.items() if isinstance(data, Mapping) else ():
        try:
            found[name] = base64.b64decode(value).decode()
        except ValueError:
            continue
    return found


def seed_of(secret: Mapping[str, object] | None) -> bytes | None:
    """Answers the seed that a Secret keeps; None when it keeps none."""
    data = (secret or {}).get("data") or {}
    try:
        seed = base64.b64decode(data[SEED_KEY], validate=True) if isinstance(data, Mapping) else b""
    except (ValueError, KeyError):
        return None
    return seed if len(seed) == SEED_BYTES else None


def digest(seed: bytes, parts: Mapping[str, Content]) -> str:
    """Answers a short digest of contents, meaningless without the seed."""
    key = derive(seed, "digest", 32)
    text = json.dumps({name: dict(part) for name, part in parts.items()}, sort_keys=True)
    return hmac.digest(key, text.encode(), "sha256").hex()[:16]


def _database(seed: bytes, service: str, host: str) -> Content:
    secret = password(seed, f"database/{service}")
    return {
        "username": service,
        "password": secret,
        "database": service,
        "url": f"postgresql://{service}:{secret}@{host}:{POSTGRES_PORT}/{service}",
    }


def _secret(key: Key, platform: str, content: Content, *, binary: bool = False) -> dict[str, object]:
    """Answers a Secret's body; `binary` says that the content is in base64 already."""
    data = content if binary else {name: base64.b64encode(value.encode()).decode() for name, value in content.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": key.name, "namespace": key.namespace, "labels": labels(platform)},
        "type": "Opaque",
        "data": dict(data),
    }
