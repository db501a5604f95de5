"""Orders and what they are made of, with a value for everything that a test does not care about."""

from datetime import UTC, datetime

from services.order.domain import Draft, IdempotencyKey, Item, Line, Order, Product
from services.order.status import INITIAL, OrderStatus
from services.tokens import Identity

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def customer(account_id: int = 7) -> Identity:
    return Identity(account_id, "customer", "a-token")


def administrator(account_id: int = 1) -> Identity:
    return Identity(account_id, "administrator", "an-administrators-token")


def service(name: str = "payment") -> Identity:
    return Identity(0, "service", "a-services-token", name)


def product(product_id: str = "p1", price_minor: int = 1999, currency: str = "USD") -> Product:
    return Product(product_id, f"Name of {product_id}", f"Description of {product_id}", price_minor, currency)


def line(product_id: str = "p1", price_minor: int = 1999, quantity: int = 1) -> Line:
    return Line(product_id, f"Name of {product_id}", f"Description of {product_id}", price_minor, quantity)


def draft(account_id: int = 7, *lines: Line, currency: str = "USD") -> Draft:
    chosen = lines or (line(),)
    return Draft(account_id, currency, sum(one.price_minor * one.quantity for one in chosen), chosen)


def order(order_id: int = 1, account_id: int = 7, *lines: Line, status: OrderStatus = INITIAL) -> Order:
    made = draft(account_id, *lines)
    return Order(order_id, account_id, made.currency, made.total_minor, made.lines, status, NOW, NOW)


def key(value: str = "a-key", fingerprint: str = "a-fingerprint") -> IdempotencyKey:
    return IdempotencyKey(value, fingerprint)


def items(**quantities: int) -> list[Item]:
    return [Item(product_id, quantity) for product_id, quantity in quantities.items()]
