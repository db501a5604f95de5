"""What the order service talks about. Amounts are whole minor units of the order's currency, times are UTC."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.order.status import OrderStatus

# Bytes of a line, or of an order, beside its texts: tags, lengths, numbers, a price with its currency.
_FRAME: Final = 48


@dataclass(frozen=True, slots=True)
class Item:
    """What a customer asks for: a product and how many pieces of it."""

    product_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Product:
    """What the catalogue says about a product now; `price_minor` is for one piece."""

    id: str
    name: str
    description: str
    price_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Line:
    """One product of an order, frozen at the moment of sale; `price_minor` is for one piece."""

    product_id: str
    name: str
    description: str
    price_minor: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that is priced and not yet placed."""

    account_id: int
    currency: str
    total_minor: int
    lines: tuple[Line, ...]

    @property
    def size(self) -> int:
        """Bytes that the order takes in an answer, not more than a few off."""
        texts = (text for line in self.lines for text in (line.product_id, line.name, line.description))
        return _FRAME * (1 + len(self.lines)) + sum(len(text.encode()) for text in texts)


@dataclass(frozen=True, slots=True)
class Order:
    """An order that was placed; all of it but `status` and `updated_at` stays as it is for good."""

    id: int
    account_id: int
    currency: str
    total_minor: int
    lines: tuple[Line, ...]
    status: OrderStatus
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A customer's name for one request, and the fingerprint of what was asked for under that name."""

    value: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class KeyedOrder:
    """An order and the fingerprint of the request that placed it; None when that request had no key."""

    order: Order
    fingerprint: str | None
