"""A catalogue of two clear tastes, and accounts that have one of them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from services.events import Event
from tests.integration.recommender import feed

WORDS: Final = {
    "tea": ("green tea leaves", "porcelain tea cup", "bamboo tea whisk", "black tea tin", "tea pot of clay"),
    "wood": ("oak plank saw", "wood chisel of steel", "carpenter plane", "wood glue bottle", "oak work bench"),
}


@dataclass(frozen=True)
class Tastes:
    """Products by taste, and accounts by taste; nobody else has such ids."""

    products: dict[str, list[str]]
    accounts: dict[str, list[int]]

    def others(self) -> "Tastes":
        """Answers as many new accounts for the same products."""
        return Tastes(self.products, _accounts(len(next(iter(self.accounts.values())))))

    def taste_of(self, product_id: str) -> str:
        """Answers the taste that a product belongs to, or nothing."""
        return next((taste for taste, ids in self.products.items() if product_id in ids), "")

    def catalogue(self) -> Iterator[Event]:
        """Tells of every product; the descriptions of one taste share words."""
        for taste, ids in self.products.items():
            for number, product_id in enumerate(ids):
                yield feed.product(product_id, WORDS[taste][number % len(WORDS[taste])])

    def deeds(self, *, days: float = 10, each: int = 8, seed: int = 1, crossed: bool = False) -> list[Event]:
        """Tells of accounts that view, and now and then buy, what is of their taste, or crossed, of the other one.

        They end now; every account does something in every stretch of time, in an order that `seed` decides.
        """
        chance = random.Random(seed)
        began, told = datetime.now(UTC) - timedelta(days=days), list[tuple[datetime, Event]]()
        for taste, accounts in self.accounts.items():
            of_taste = self.products[_other(taste) if crossed else taste]
            for account_id in accounts:
                for turn, product_id in enumerate(chance.sample(of_taste, min(each, len(of_taste)))):
                    at = began + timedelta(days=days * (turn + chance.random()) / each)
                    deed = feed.purchase if turn % 4 == 0 else feed.view
                    told.append((at, deed(account_id, product_id, at)))
        return [event for _, event in sorted(told, key=lambda pair: pair[0])]


def two_tastes(products: int = 15, accounts: int = 30) -> Tastes:
    """Answers so many products and accounts of each of two tastes."""
    return Tastes(
        {taste: [f"{taste}-{uuid4().hex[:8]}" for _ in range(products)] for taste in WORDS}, _accounts(accounts)
    )


def _accounts(number: int) -> dict[str, list[int]]:
    # Far above the accounts that the account service has made.
    first = 1_000_000 + uuid4().int % 1_000_000 * 1_000
    return {taste: [first + at * number + each for each in range(number)] for at, taste in enumerate(WORDS)}


def _other(taste: str) -> str:
    (other,) = set(WORDS) - {taste}
    return other
