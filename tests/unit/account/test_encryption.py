"""Private keys at rest."""

from base64 import b64encode
from os import urandom

import pytest

from services.account.encryption import KeyCipher
from services.account.keyring import UnreadableKeyError


def encryption_key() -> str:
    return b64encode(urandom(32)).decode()


def test_what_is_encrypted_can_be_read_again() -> None:
    """With the same key, and only there is it readable."""
    cipher = KeyCipher([encryption_key()])
    stored = cipher.encrypt("a", "-----PRIVATE-----")
    assert b"PRIVATE" not in stored
    assert cipher.decrypt("a", stored) == "-----PRIVATE-----"


def test_another_encryption_key_opens_nothing() -> None:
    """It is an error that names the signing key and not the secret."""
    stored = KeyCipher([encryption_key()]).encrypt("a", "-----PRIVATE-----")
    with pytest.raises(UnreadableKeyError, match=r"^a$"):
        KeyCipher([encryption_key()]).decrypt("a", stored)


def test_the_encryption_key_can_be_changed() -> None:
    """With the new one first and the old one behind it, both what was stored and what will be is readable."""
    old, new = encryption_key(), encryption_key()
    both = KeyCipher([new, old])
    assert both.decrypt("a", KeyCipher([old]).encrypt("a", "secret")) == "secret"
    assert KeyCipher([new]).decrypt("b", both.encrypt("b", "secret")) == "secret"


def test_rows_cannot_be_exchanged() -> None:
    """A private key opens under its own id only."""
    cipher = KeyCipher([encryption_key()])
    with pytest.raises(UnreadableKeyError):
        cipher.decrypt("b", cipher.encrypt("a", "secret"))


@pytest.mark.parametrize(
    "keys", [[], [""], ["short"], ["not base64 at all, but long enough for it, is it not?"], ["é" * 44]]
)
def test_a_bad_encryption_key_is_refused_without_repeating_it(keys: list[str]) -> None:
    """The error says what one looks like."""
    with pytest.raises(ValueError, match=r"encryption key") as refused:
        KeyCipher(keys)
    assert not any(key and key in str(refused.value) for key in keys)
