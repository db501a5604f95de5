"""What a valid product is, and what may be asked for: every limit of the catalogue in one place.

Each function takes what a client sent and answers the form that is kept, or raises InvalidError with a sentence that
says what to change. Texts are composed (NFC), so that equal-looking ones are equal.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from services.errors import InvalidError

MAX_NAME: Final = 200
MAX_DESCRIPTION: Final = 10_000
# 10^12 minor units, ten billion dollars: above any price, and a thousand lines of it still fit 64 bits.
MAX_PRICE: Final = 10**12
MAX_IDS: Final = 1_000
MAX_PAGE: Final = 100
MAX_QUERY: Final = 256
# Bytes of one answer, which is what a message may have, and what a product needs besides its description.
MAX_ANSWER: Final = 4 * 1024 * 1024
_PRODUCT_BYTES: Final = 1_000
# Elasticsearch's own bound for from + size (index.max_result_window).
MAX_SEARCH_DEPTH: Final = 10_000

_PRODUCT_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Control characters (with NUL, which PostgreSQL refuses), the halves of surrogate pairs, which UTF-8 cannot carry,
# and the line separators beyond ASCII.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNPRINTABLE_IN_LINES: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def is_product_id(text: str) -> bool:
    """Tells whether this can be a product's id: a UUID as we write it. Nothing else needs to be looked up."""
    return _PRODUCT_ID.fullmatch(text) is not None


def clean_name(text: str) -> str:
    """Answers the name without surrounding white space: 1 to 200 characters on one line, not all of them invisible."""
    _bound("name", text, MAX_NAME)
    name = unicodedata.normalize("NFC", text).strip()
    if _UNPRINTABLE.search(name):
        raise InvalidError("The name must not contain control characters.")
    if not any(character.isprintable() and not character.isspace() for character in name):
        raise InvalidError("The name must not be empty.")
    if len(name) > MAX_NAME:
        raise InvalidError(f"The name must not be longer than {MAX_NAME} characters.")
    return name


def clean_description(text: str) -> str:
    r"""Answers the description: up to 10,000 characters; lines and tabs are fine, and every line ends in \n."""
    _bound("description", text, MAX_DESCRIPTION)
    description = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    if _UNPRINTABLE_IN_LINES.search(description):
        raise InvalidError("The description must not contain control characters other than line breaks and tabs.")
    if len(description) > MAX_DESCRIPTION:
        raise InvalidError(f"The description must not be longer than {MAX_DESCRIPTION:,} characters.")
    return description


def check_price(minor_units: int, currency: str, shop_currency: str) -> int:
    """Answers the price in minor units of the shop's currency, 0 to 10^12."""
    if currency != shop_currency:
        raise InvalidError(f"Prices are in {shop_currency} here.")
    if not 0 <= minor_units <= MAX_PRICE:
        raise InvalidError(f"The price must be between 0 and {MAX_PRICE:,} minor units.")
    return minor_units


def check_page(skip: int, take: int) -> tuple[int, int]:
    """Answers (skip, take) with take capped at 100; neither may be negative."""
    if skip < 0 or take < 0:
        raise InvalidError("Skip and take must not be negative.")
    return skip, min(take, MAX_PAGE)


def check_ids(ids: Sequence[str]) -> list[str]:
    """Answers those of up to 1,000 ids that can be a product's, each once, in the order of their first mention."""
    if len(ids) > MAX_IDS:
        raise InvalidError(f"At most {MAX_IDS:,} products can be asked for at once.")
    return [product_id for product_id in dict.fromkeys(ids) if is_product_id(product_id)]


def check_answer(descriptions: Iterable[str]) -> None:
    """Refuses an answer that would be too large for one message; a page never is."""
    texts = list(descriptions)
    room = MAX_ANSWER - _PRODUCT_BYTES * len(texts)
    # Four bytes a character are the most, so most answers need no second look.
    if 4 * sum(map(len, texts)) > room and sum(len(text.encode()) for text in texts) > room:
        raise InvalidError("These products are too large for one answer: ask for fewer at once.")


def clean_query(text: str) -> str:
    """Answers the words to search for; unprintable characters separate words. Up to 256 characters are taken."""
    if len(text) > MAX_QUERY:
        raise InvalidError(f"A search must not be longer than {MAX_QUERY} characters.")
    return _UNPRINTABLE.sub(" ", text).strip()


def check_search_page(skip: int, take: int) -> tuple[int, int]:
    """Answers (skip, take) as check_page does; a search goes no deeper than 10,000 results."""
    skip, take = check_page(skip, take)
    if skip + take > MAX_SEARCH_DEPTH:
        raise InvalidError(f"A search shows at most {MAX_SEARCH_DEPTH:,} results: narrow it down.")
    return skip, take


def _bound(what: str, text: str, limit: int) -> None:
    """Refuses what is far too long before any work is spent on it: composing shortens a text four times at most."""
    if len(text) > 4 * limit:
        raise InvalidError(f"The {what} must not be longer than {limit:,} characters.")
