"""A made-up shop at the size that is measured: products in groups of taste, accounts that keep to a few of them.

Tastes have two levels: fine groups of a hundred products, twenty of which make a broad one. Most of what an
account does is in three fine groups of its two broad ones, the rest in those broad ones, and some anywhere. Inside a
group a few products get most of the interest, as Zipf's law has it, and a few accounts do most of the work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

IN_GROUP: Final = 100
FINE_IN_BROAD: Final = 20
OWN_FINE: Final = 3
OWN_BROAD: Final = 2
# Shares of the deeds of an account.
IN_FINE: Final = 0.6
IN_BROAD: Final = 0.25
BOUGHT: Final = 0.1
ZIPF: Final = 0.8
DAYS: Final = 180
# Deeds made at once.
CHUNK: Final = 200_000


@dataclass(frozen=True, eq=False)
class Deeds:
    """Some interactions, oldest first: `ages` are seconds before now, `bought` marks the purchases."""

    accounts: Integers
    products: Integers
    bought: npt.NDArray[np.bool_]
    ages: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shop:
    """How large it is; accounts are numbered from 1, products from 0 in words that `product_id` makes."""

    products: int = 100_000
    accounts: int = 100_000
    interactions: int = 5_000_000
    seed: int = 2026

    def scaled(self, size: float) -> "Shop":
        """Answers one of the same shape and another size; no smaller than two broad groups."""
        products = max(2 * FINE_IN_BROAD, round(self.products * size / IN_GROUP)) * IN_GROUP
        return Shop(products, round(self.accounts * size), round(self.interactions * size), self.seed)

    @property
    def fine_groups(self) -> int:
        """How many fine groups there are."""
        return self.products // IN_GROUP

    @staticmethod
    def product_id(number: int) -> str:
        """Answers an id as long as the real ones."""
        return f"00000000-0000-7000-8000-{number:012d}"

    def describe(self, number: int) -> tuple[str, str]:
        """Answers the name and the description of a product: words of its groups and one of its own."""
        fine = number % self.fine_groups
        broad = fine // FINE_IN_BROAD
        return f"thing {number} of kind{fine}", f"One of kind{fine} in the field of broad{broad}, packed with care."

    def deeds(self) -> Iterator[Deeds]:
        """Yields everything that happened, in chunks; the same every time."""
        dice = np.random.default_rng(self.seed)
        activity = dice.lognormal(0, 1, self.accounts)
        broad = dice.integers(0, self.fine_groups // FINE_IN_BROAD, (self.accounts, OWN_BROAD))
        within = dice.integers(0, FINE_IN_BROAD, (self.accounts, OWN_FINE))
        fine = broad[:, np.arange(OWN_FINE) % OWN_BROAD] * FINE_IN_BROAD + within
        whose = np.cumsum(activity / activity.sum())
        for start in range(0, self.interactions, CHUNK):
            count = min(CHUNK, self.interactions - start)
            accounts = np.minimum(np.searchsorted(whose, dice.random(count)), self.accounts - 1)
            groups = self._groups(dice, fine[accounts], broad[accounts])
            ages = DAYS * 86_400 * (1 - (start + np.arange(count)) / self.interactions)
            products = groups + self.fine_groups * self._ranks(dice, count)
            yield Deeds(accounts + 1, products, dice.random(count) < BOUGHT, ages)

    def _groups(self, dice: np.random.Generator, fine: Integers, broad: Integers) -> Integers:
        """Answers the fine group of each deed."""
        count, rows = len(fine), np.arange(len(fine))
        own = fine[rows, dice.integers(0, OWN_FINE, count)]
        near = broad[rows, dice.integers(0, OWN_BROAD, count)] * FINE_IN_BROAD + dice.integers(0, FINE_IN_BROAD, count)
        anywhere = dice.integers(0, self.fine_groups, count)
        drawn = dice.random(count)
        return np.select([drawn < IN_FINE, drawn < IN_FINE + IN_BROAD], [own, near], anywhere)

    def _ranks(self, dice: np.random.Generator, count: int) -> Integers:
        """Answers the place of each deed's product in its group."""
        weights = 1 / np.arange(1, IN_GROUP + 1) ** ZIPF
        drawn: Integers = np.searchsorted(np.cumsum(weights) / weights.sum(), dice.random(count))
        return np.minimum(drawn, len(weights) - 1)
