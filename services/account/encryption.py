"""Private keys are encrypted before they reach the database, by a key that the database never sees.

The scheme is Fernet (AES-128-CBC with HMAC-SHA256). More than one encryption key can be given: the first encrypts, all
of them decrypt, so the encryption key itself can be changed without losing a signing key. What is encrypted names the
signing key that it belongs to, so rows cannot be exchanged for one another.
"""

import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from services.account.keyring import UnreadableKeyError


class KeyCipher:
    """Encrypts and decrypts private keys."""

    def __init__(self, encryption_keys: Sequence[str]) -> None:
        """Takes 32 random bytes each, in base64, newest first; raises ValueError for anything else."""
        if not encryption_keys:
            raise ValueError("There is no encryption key.")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in encryption_keys])
        except (ValueError, TypeError):
            # Without the cause: it could tell of the key.
            raise ValueError("An encryption key is 32 random bytes in base64 (`openssl rand -base64 32`).") from None

    def encrypt(self, key_id: str, private_pem: str) -> bytes:
        """Answers the encrypted key."""
        return self._fernet.encrypt(json.dumps([key_id, private_pem]).encode())

    def decrypt(self, key_id: str, encrypted: bytes) -> str:
        """Answers the private key; raises UnreadableKeyError when it was not encrypted here for this id."""
        try:
            owner, private_pem = json.loads(self._fernet.decrypt(encrypted))
        except InvalidToken:
            raise UnreadableKeyError(key_id) from None
        if owner != key_id:
            raise UnreadableKeyError(key_id)
        return str(private_pem)
