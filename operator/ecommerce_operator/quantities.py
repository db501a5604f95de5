"""Kubernetes' quantities and image references, read as far as the operator has to understand them."""

import re
from decimal import Decimal
from typing import Final

MEBIBYTE: Final = 2**20

_NUMBER: Final = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<suffix>[a-zA-Z]*|e[0-9]+)")
_FACTORS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


def amount(quantity: str) -> Decimal:
    """Answers the number that a quantity such as 1536Mi or 250m stands for; raises ValueError for what is none.

    Understands what the CRD lets through: no sign, and the suffixes that resources are written with.
    """
    match = _NUMBER.fullmatch(quantity)
    if not match:
        raise ValueError(f"{quantity!r} is no quantity.")
    number, suffix = match["number"], match["suffix"]
    if suffix in _FACTORS:
        return Decimal(number) * _FACTORS[suffix]
    if suffix[1:].isdigit():
        return Decimal(number + suffix)
    raise ValueError(f"{quantity!r} has a suffix that is none of Kubernetes'.")


def split_reference(reference: str) -> dict[str, str]:
    """Answers repository, tag and digest of an image reference; the tag is `latest` where it names neither."""
    named, _, digest = reference.partition("@")
    folder, slash, last = named.rpartition("/")
    # The colon of a registry's port stands before the last slash.
    name, _, tag = last.partition(":")
    return {
        "repository": f"{folder}{slash}{name}",
        "tag": tag or ("" if digest else "latest"),
        "digest": digest,
    }
