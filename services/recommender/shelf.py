"""All that an answer is made from, in memory: what can be scored, what is popular, and what is new.

A `Shelf` is one state of that and is never changed: whoever ranks takes one and works on it for as long as it likes.
The `Stock` makes the next one out of the last whenever a loop brings something, and swaps it in by one assignment.

The one exception is `alive`, which all states share and which is always that of the newest: a product that was deleted
a moment ago is not shown by a list that was ranked before.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from services.recommender.assortment import Assortment, assorted
from services.recommender.model import Floats, Model

# As many of the newest products are at hand: more than one answer lists and any account hides (see ranking.py).
NEWEST: Final = 4_000
# Changes that are put into the order of ages one by one; for more of them, sorting anew costs less.
_FEW: Final = 50

# Minus the seconds since 1970 and the id: sorts newest first, and by id within one moment.
Age = tuple[float, str]


class CatalogueRow(Protocol):
    """What is followed of a product."""

    @property
    def product_id(self) -> str:
        """Whose row it is."""

    @property
    def alive(self) -> bool:
        """Whether it was not deleted."""

    @property
    def added_at(self) -> datetime:
        """When it was first heard of."""

    @property
    def changed_at(self) -> datetime:
        """When the row was last written, on the database's clock."""


@dataclass(frozen=True, eq=False)
class Shelf:
    """One state; `assortment` is None while there is no model.

    `popular` is best first, `newest` newest first; both may name products that were deleted.
    """

    alive: Mapping[str, Age]
    assortment: Assortment | None = None
    popular: tuple[str, ...] = ()
    newest: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """That of the model; 0 while there is none."""
        return self.assortment.version if self.assortment else 0

    @property
    def model(self) -> Model | None:
        """The model that is asked."""
        return self.assortment.model if self.assortment else None


class Stock:
    """Holds the newest shelf; all of its methods belong to the event loop's thread."""

    def __init__(self) -> None:
        self._alive: dict[str, Age] = {}
        self._ages: list[Age] = []
        self.shelf = Shelf(self._alive)

    def put_model(self, version: int, model: Model) -> None:
        """Swaps the model; the products placed for the last one go with it."""
        self.shelf = replace(self.shelf, assortment=assorted(version, model, self._alive))

    def put_placed(self, placed: Iterable[tuple[str, Floats]]) -> None:
        """Replaces the products that were placed after the training; for nothing where there is no model."""
        if self.shelf.assortment:
            self.shelf = replace(self.shelf, assortment=self.shelf.assortment.with_placed(placed, self._alive))

    def put_popular(self, product_ids: Sequence[str]) -> None:
        """Replaces what is popular, best first."""
        self.shelf = replace(self.shelf, popular=tuple(product_ids))

    def put_catalogue(self, rows: Iterable[CatalogueRow]) -> None:
        """Takes what the catalogue says of some products; what it said before may come again."""
        before: list[Age] = []
        after: list[Age] = []
        changed: list[tuple[str, bool]] = []
        # Of what is said twice of one product, the last.
        for row in {row.product_id: row for row in rows}.values():
            known = self._alive.get(row.product_id)
            wanted = (-row.added_at.timestamp(), row.product_id) if row.alive else None
            if known == wanted:
                continue
            changed.append((row.product_id, row.alive))
            if known is not None:
                before.append(self._alive.pop(row.product_id))
            if wanted is not None:
                self._alive[row.product_id] = wanted
                after.append(wanted)
        if changed:
            self._reorder(before, after)
            self._swap(changed)

    def _reorder(self, before: Sequence[Age], after: Sequence[Age]) -> None:
        if len(before) + len(after) > _FEW:
            gone = set(before)
            self._ages = sorted([age for age in self._ages if age not in gone] + sorted(after))
            return
        for age in before:
            del self._ages[bisect_left(self._ages, age)]
        for age in after:
            insort(self._ages, age)

    def _swap(self, changed: Iterable[tuple[str, bool]]) -> None:
        assortment = self.shelf.assortment and self.shelf.assortment.with_changed(changed)
        newest = tuple(product_id for _, product_id in self._ages[:NEWEST])
        self.shelf = replace(self.shelf, assortment=assortment, newest=newest)
