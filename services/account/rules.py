"""What a name, an e-mail address and a password may be.

Text comes in every script, so everything is normalised (Unicode NFC) before it is counted, compared or hashed: the
same word typed on two keyboards is the same word. No message repeats what was sent, because messages reach logs.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email

from services.errors import InvalidError

MAX_NAME: Final = 100
MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 256
# What MAX_PASSWORD characters take at most in UTF-8.
MAX_PASSWORD_BYTES: Final = 1024
# The longest address that mail can be sent to (RFC 5321, section 4.5.3.1.3, less the angle brackets).
MAX_EMAIL: Final = 254
# Characters that one composed character can come apart into (Unicode Standard Annex 15, section 5).
_DECOMPOSED: Final = 4
# Controls, surrogates, line and paragraph separators: none of them can be written by hand on one line.
_UNWRITABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Embeddings, overrides and isolates: they would let one name pass for another (Unicode Technical Report 36).
_BIDIRECTIONAL: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
# Categories of characters that leave nothing on the paper when they stand alone.
_INVISIBLE: Final = frozenset({"Zs", "Cf", "Mn", "Me", "Mc"})


@dataclass(frozen=True, slots=True)
class Email:
    """An address as it is shown and written to, and the key by which two of them are the same."""

    address: str
    key: str


def clean_name(name: str) -> str:
    """Answers the name trimmed and in NFC: 1 to 100 characters of any script; raises InvalidError otherwise."""
    trimmed = name.strip()
    if len(trimmed) > MAX_NAME * _DECOMPOSED:
        raise InvalidError(f"The name must have at most {MAX_NAME} characters.")
    if any(unicodedata.category(character) in _UNWRITABLE for character in trimmed):
        raise InvalidError("The name contains characters that cannot be written.")
    if any(unicodedata.bidirectional(character) in _BIDIRECTIONAL for character in trimmed):
        raise InvalidError("The name contains characters that change the direction of writing.")
    composed = unicodedata.normalize("NFC", trimmed)
    if len(composed) > MAX_NAME:
        raise InvalidError(f"The name must have at most {MAX_NAME} characters.")
    if all(unicodedata.category(character) in _INVISIBLE for character in composed):
        raise InvalidError("The name must not be empty.")
    return composed


def clean_email(email: str) -> Email:
    """Answers the address normalised (RFC 6532, IDNA 2008) with its key; raises InvalidError when it is not one.

    Whether mail arrives there is not asked. The reserved domain `.test` is accepted, so that demonstrations and load
    tests can use addresses that reach nobody.
    """
    trimmed = email.strip()
    if len(trimmed) > MAX_EMAIL:
        raise InvalidError("The e-mail address is too long.")
    try:
        valid = validate_email(trimmed, check_deliverability=False, test_environment=True, strict=True)
    except (EmailNotValidError, UnicodeError):
        raise InvalidError("The e-mail address is not valid.") from None
    # The domain in its ASCII form: folding ß to ss is right for a person's name and wrong for a host's.
    return Email(valid.normalized, f"{_caseless(valid.local_part)}@{valid.ascii_domain.lower()}")


def clean_password(password: str) -> str:
    """Answers the password in NFC (RFC 8265, section 4.2) for storing; raises InvalidError when it may not be one."""
    if len(password) < MIN_PASSWORD:
        raise InvalidError(f"The password must have at least {MIN_PASSWORD} characters.")
    return given_password(password)


def given_password(password: str) -> str:
    """Answers the password in NFC for checking.

    Raises InvalidError for what can be nobody's password, so that no time is spent on hashing it. Being too short is
    not among the reasons: the least length may have been less when the account was made.
    """
    if len(password) > MAX_PASSWORD:
        raise InvalidError(f"The password must have at most {MAX_PASSWORD} characters.")
    composed = unicodedata.normalize("NFC", password)
    try:
        size = len(composed.encode())
    except UnicodeEncodeError:
        raise InvalidError("The password contains characters that cannot be written.") from None
    if size > MAX_PASSWORD_BYTES:
        raise InvalidError(f"The password must have at most {MAX_PASSWORD_BYTES} bytes.")
    if "\0" in composed:
        raise InvalidError("The password must not contain a NUL character.")
    return composed


def _caseless(text: str) -> str:
    """Answers the text for comparing without regard to case (the Unicode Standard, section 3.13, D145)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
