"""What an answer was made from, and what changed meanwhile: the two sides of every invalidation.

Resolvers write down in `Reads` what they looked at, and a cache that hears of changes writes those into `Changes`. An
answer is out of date when the two meet: a product that it shows was changed, or products came or went beneath a page
or a search. A search also depends on the texts of products that it did not find, so it meets every change.
"""

from dataclasses import dataclass, field
from typing import Final

# Changes told apart. A computation beneath which more happens counts as out of date without looking closer.
MAX_CHANGES: Final = 1_000


@dataclass(slots=True)
class Reads:
    """What one request's resolvers looked at."""

    # Ids of products that were shown, or asked for in vain.
    products: set[str] = field(default_factory=set)
    # Whether a page of the catalogue was: which products there are, and in which order.
    pages: bool = False
    searches: bool = False
    # Whether anything else was, which no event of a product tells of: accounts, orders, recommendations.
    personal: bool = False
    # The products that count as viewed whenever this is shown, each once.
    viewed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Changes:
    """What changed since a moment, such as the start of a computation."""

    everything: bool = False
    _updated: set[str] = field(default_factory=set)
    # Created or deleted.
    _membership: set[str] = field(default_factory=set)

    def updated(self, product_id: str) -> None:
        """Notes that a product has other contents."""
        self._note(self._updated, product_id)

    def came_or_went(self, product_id: str) -> None:
        """Notes that a product was created or deleted."""
        self._note(self._membership, product_id)

    def concern(self, reads: Reads) -> bool:
        """Answers whether what was read may be different now."""
        if self.everything or (reads.searches and (self._updated or self._membership)):
            return True
        if reads.pages and self._membership:
            return True
        return not (reads.products.isdisjoint(self._updated) and reads.products.isdisjoint(self._membership))

    def _note(self, products: set[str], product_id: str) -> None:
        products.add(product_id)
        if len(products) > MAX_CHANGES:
            self.everything = True
            self._updated.clear()
            self._membership.clear()
