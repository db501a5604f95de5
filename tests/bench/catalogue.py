"""A made-up catalogue with orders, of any size: its rows and documents, the same at every run.

Products are those of the small benchmark's shape: a hundred pairs of words and a number of their own, so that a search
for a pair finds a hundredth of them, whatever the size. Ids grow with the number, as those of the platform do.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.order.domain import Draft, Line
from services.order.status import INITIAL
from services.product.documents import document
from services.product.service import Product
from tests.bench.data import ADJECTIVES, LINES_EACH, NOUNS

CURRENCY: Final = "USD"
# Orders of one account, as in the small benchmark.
ORDERS_EACH: Final = 5
_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)

PRODUCT_COLUMNS: Final = Product.__slots__
ORDER_COLUMNS: Final = ("id", "account_id", "status", "total_minor", "currency", "created_at", "updated_at", "size")
LINE_COLUMNS: Final = ("order_id", "position", "product_id", "name", "description", "price_minor", "quantity")

Row = tuple[object, ...]


@dataclass(frozen=True)
class Catalogue:
    """How large it is; product n belongs to one of the `owners`, accounts by their ids, in turn."""

    products: int
    orders: int
    owners: Sequence[int]

    @staticmethod
    def product_id(number: int) -> str:
        """Answers the id of a product."""
        return f"01900000-0000-7000-8000-{number:012x}"

    def product(self, number: int) -> Product:
        """Answers one of them, as the service would have made it."""
        adjective, noun = ADJECTIVES[number % 10], NOUNS[number // 10 % 10]
        at = _BEGAN + timedelta(seconds=number)
        return Product(
            id=self.product_id(number),
            name=f"{adjective} {noun} {number}",
            description=f"A {noun} made of {adjective}, number {number} of the series, packed with care.",
            price_minor=number % 5_000 + 99,
            currency=CURRENCY,
            account_id=self.owners[number % len(self.owners)],
            version=1,
            created_at=at,
            updated_at=at,
        )

    def product_rows(self) -> Iterator[Row]:
        """Yields the rows of `products`, by id."""
        for number in range(self.products):
            product = self.product(number)
            yield tuple(getattr(product, name) for name in PRODUCT_COLUMNS)

    def documents(self, numbers: range) -> Iterator[dict[str, Any]]:
        """Yields documents of the search index."""
        for number in numbers:
            yield document(self.product(number))

    def orders_with_lines(self) -> Iterator[tuple[Row, list[Row]]]:
        """Yields each order's row with the rows of its lines; orders are numbered from 1, newest last."""
        dice = random.Random(2026)
        for order_id in range(1, self.orders + 1):
            draft = self._draft(order_id, dice)
            at = _BEGAN + timedelta(seconds=order_id)
            order: Row = (order_id, draft.account_id, INITIAL.value, draft.total_minor, CURRENCY, at, at, draft.size)
            lines: list[Row] = [
                (order_id, position, line.product_id, line.name, line.description, line.price_minor, line.quantity)
                for position, line in enumerate(draft.lines)
            ]
            yield order, lines

    def _draft(self, order_id: int, dice: random.Random) -> Draft:
        bought = [self.product(int(dice.random() * self.products)) for _ in range(LINES_EACH)]
        lines = tuple(Line(each.id, each.name, each.description, each.price_minor, 1) for each in bought)
        return Draft(self.buyer(order_id), CURRENCY, sum(each.price_minor for each in bought), lines)

    def buyer(self, order_id: int) -> int:
        """Answers whose order it is: the owners have the first ones, and accounts that nobody signs in to the rest."""
        place = (order_id - 1) // ORDERS_EACH
        return self.owners[place] if place < len(self.owners) else max(self.owners) + place
