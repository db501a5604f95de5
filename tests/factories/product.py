"""Products and what they are made of, with a value for everything that a test does not care about."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from services.product.events import Announcer
from services.product.service import Draft, Product
from services.tokens import Identity

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def product_id(number: int) -> str:
    """The id of the product that is number so-and-so by creation."""
    return f"0198a000-{number >> 16:04x}-7{number & 0xFFF:03x}-8000-{number:012x}"


def product(
    number: int = 1,
    name: str = "Copper kettle",
    description: str = "Boils water.",
    *,
    price_minor: int = 1999,
    account_id: int = 7,
    version: int = 1,
) -> Product:
    return Product(product_id(number), name, description, price_minor, "USD", account_id, version, NOW, NOW)


def draft(
    name: str = "Copper kettle", description: str = "Boils water.", price_minor: int = 1999, currency: str = "USD"
) -> Draft:
    return Draft(name, description, price_minor, currency)


def customer(account_id: int = 7) -> Identity:
    return Identity(account_id, "customer", "a-token")


def administrator(account_id: int = 1) -> Identity:
    return Identity(account_id, "administrator", "an-administrators-token")


def announcer() -> Announcer:
    return Announcer(lambda: NOW, numbered("event"))


def numbered(what: str) -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{what}-{next(numbers)}"


def product_ids() -> Callable[[], str]:
    """Ids as the service makes them, but known beforehand: product_id(1), product_id(2) and so on."""
    numbers = count(1)
    return lambda: product_id(next(numbers))


def ticking() -> Callable[[], datetime]:
    """A clock that goes on by a second each time that it is read."""
    seconds = count(0)
    return lambda: NOW + timedelta(seconds=next(seconds))
