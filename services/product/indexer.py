"""From events to the index, level-triggered: an event only names a product whose document may be out of date.

What is written is the product's row as it is now, whatever the event said, under the row's version; a product without
a row is removed under the version of the newest event that names it. So it makes no difference whether an event comes
once, twice, late or out of order, and after any replay the index is again what the table is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from protos.gen.ecommerce.events import v1 as events_v1
from services.events import Event
from services.product.index import ALIAS
from services.product.rules import is_product_id
from services.product.service import Product


class Record(Protocol):
    """The table, as the indexer needs it."""

    async def get_many(self, ids: Sequence[str]) -> list[Product]:
        """Answers those that exist, in any order."""


class Documents(Protocol):
    """The index, as the indexer needs it."""

    async def write(
        self, alias: str, products: Sequence[Product], gone: Mapping[str, int], *, wait_until_visible: bool = False
    ) -> None:
        """Stores products, removes what is gone; raises UnavailableError when the same may pass later."""


class MeaninglessEventError(Exception):
    """The event names no product; the message says why. It will never mean more."""


class Indexer:
    """Applies batches of product events; the consumer's handler. Safe to repeat and to run beside another."""

    def __init__(self, record: Record, documents: Documents) -> None:
        self._record = record
        self._documents = documents

    async def __call__(self, events: Sequence[Event]) -> None:
        """Brings the index in use up to date; writes nothing and raises MeaninglessEventError where an event is.

        Returns when every search sees it, so that the group's committed offsets tell how far searches see.
        """
        await self.apply(events, ALIAS, wait_until_visible=True)

    async def apply(self, events: Sequence[Event], alias: str, *, wait_until_visible: bool = False) -> None:
        """Brings the index behind this alias up to date for every product that the events name."""
        told = newest_versions(events)
        products = await self._record.get_many(list(told))
        gone = dict(told)
        for product in products:
            del gone[product.id]
        await self._documents.write(alias, products, gone, wait_until_visible=wait_until_visible)


def newest_versions(events: Iterable[Event]) -> dict[str, int]:
    """Answers the ids that the events name, each with the newest version told of."""
    versions: dict[str, int] = {}
    for event in events:
        product_id, version = _named(event)
        versions[product_id] = max(version, versions.get(product_id, 0))
    return versions


def is_meaningful(event: Event) -> bool:
    """Tells whether the event names a product."""
    try:
        _named(event)
    except MeaninglessEventError:
        return False
    return True


def _named(event: Event) -> tuple[str, int]:
    match event.message:
        case events_v1.ProductCreated(product=events_v1.ProductSnapshot(id=product_id, version=version)):
            pass
        case events_v1.ProductUpdated(product=events_v1.ProductSnapshot(id=product_id, version=version)):
            pass
        case events_v1.ProductDeleted(id=product_id, version=version):
            pass
        case other:
            raise MeaninglessEventError(f"{type(other).__name__} tells of no product.")
    if not is_product_id(product_id) or version < 1:
        raise MeaninglessEventError("The event's product has no valid id and version.")
    return product_id, version
