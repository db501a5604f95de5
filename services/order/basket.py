"""From what a customer asks for to a priced order: pure rules, exact in whole minor units.

Lines of one product are merged first, so that every limit holds for what is really bought.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from services.errors import InvalidError, NotFoundError
from services.order.domain import Draft, IdempotencyKey, Item, Line, Product

# Different products in one order: more than a household's largest cart, little enough for one look-up and one insert.
MAX_LINES: Final = 100
# Pieces of one product. Beyond it a slip of the finger is likelier than a purchase.
MAX_QUANTITY: Final = 10_000
# Fifteen digits: as many of a decimal fraction as any IEEE 754 double keeps (DBL_DIG), and a GraphQL Float is one. Up
# to 2^53 the minor units themselves would be exact, but not a hundredth of them: beyond 70,368,744,177,664.00,
# neighbouring doubles are more than a cent apart.
MAX_TOTAL_MINOR: Final = 10**15 - 1
# Ids of products are 36 characters; what is longer than this by far is not worth asking the catalogue about.
MAX_PRODUCT_ID: Final = 255
# The same bound that is common for the header Idempotency-Key.
MAX_KEY: Final = 255
# Characters of a wrong id that are echoed in an error.
MAX_ECHO: Final = 64


def merge(items: Sequence[Item]) -> tuple[Item, ...]:
    """Answers one item a product, in the order of first appearance.

    Raises InvalidError when there is nothing or too much of it, and NotFoundError for an id no product can have.
    """
    quantities: dict[str, int] = {}
    for item in items:
        if item.quantity < 1:
            raise InvalidError("The quantity of each product must be at least 1.")
        quantities[item.product_id] = quantities.get(item.product_id, 0) + item.quantity
    if not quantities:
        raise InvalidError("An order must have at least one product.")
    if len(quantities) > MAX_LINES:
        raise InvalidError(f"An order can have at most {MAX_LINES} different products.")
    for product_id, quantity in quantities.items():
        _require_product_id(product_id)
        if quantity > MAX_QUANTITY:
            raise InvalidError(f"An order can have at most {MAX_QUANTITY:,} pieces of one product.")
    return tuple(Item(product_id, quantity) for product_id, quantity in quantities.items())


def identify(key: str, items: Sequence[Item]) -> IdempotencyKey | None:
    """Answers the key of a request for these merged items, or None where none is given.

    The fingerprint does not depend on the order of the items: the same purchase is the same request. Raises
    InvalidError for a key that is too long or has control characters.
    """
    if not key:
        return None
    if len(key) > MAX_KEY or not key.isprintable():
        raise InvalidError(f"An idempotency key must have at most {MAX_KEY} characters, all of them printable.")
    request = json.dumps(sorted((item.product_id, item.quantity) for item in items))
    return IdempotencyKey(key, hashlib.sha256(request.encode()).hexdigest())


def price(account_id: int, items: Sequence[Item], products: Mapping[str, Product]) -> Draft:
    """Answers the order of merged items at the prices of these products.

    Raises NotFoundError naming a product that is not among them, and InvalidError when the currencies differ or the
    total is too large.
    """
    for item in items:
        if item.product_id not in products:
            raise no_product(item.product_id)
    lines = tuple(_line(products[item.product_id], item.quantity) for item in items)
    total = sum(line.price_minor * line.quantity for line in lines)
    if total > MAX_TOTAL_MINOR:
        raise InvalidError(f"The total of an order can be at most {MAX_TOTAL_MINOR:,} minor units.")
    return Draft(account_id, _currency(products[item.product_id] for item in items), total, lines)


def no_product(product_id: str) -> NotFoundError:
    """Answers the error for an unknown product; the id is shortened and what cannot be printed is escaped."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in product_id[:MAX_ECHO])
    return NotFoundError(f"There is no product {shown}{'…' if len(product_id) > MAX_ECHO else ''}.")


def _require_product_id(product_id: str) -> None:
    if not product_id:
        raise InvalidError("Each product of an order must be named by its id.")
    if len(product_id) > MAX_PRODUCT_ID or not product_id.isprintable():
        raise no_product(product_id)


def _line(product: Product, quantity: int) -> Line:
    return Line(product.id, product.name, product.description, product.price_minor, quantity)


def _currency(products: Iterable[Product]) -> str:
    currencies = sorted({product.currency for product in products})
    if len(currencies) > 1:
        raise InvalidError(f"All products of an order must have the same currency, not {' and '.join(currencies)}.")
    return currencies[0]
