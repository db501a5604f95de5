"""What events come to here; both handlers are safe to repeat, in any order.

A product that was put up, changed or taken down becomes what the catalogue has; only newer versions win. A view or a
purchase becomes an interaction, once for its event's id; what visitors viewed comes together, and becomes one for each
product. What is older than the history that is kept is left out, so that a replay does not bring back what was
forgotten.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from betterproto2 import Message

from protos.gen.ecommerce.events import v1 as events_v1
from services.events import Event
from services.recommender.domain import Gone, Interaction, Kind, Product

# What the columns hold (32 bits, signed).
_LARGEST: Final = 2**31 - 1
# An id of ours has 36 characters; what is much longer was made up.
LONGEST_ID: Final = 200
# A clock that goes wrong would make everything else look old: later than this from now is no time.
_AHEAD: Final = timedelta(hours=1)


class MeaninglessEventError(Exception):
    """The event is not whole; the message says what is missing. It will never mean more."""


class Catalogue(Protocol):
    """The products that there are."""

    async def put_products(self, items: Sequence[Product | Gone]) -> None:
        """Keeps the newest version of each."""


class Deeds(Protocol):
    """What was done with them."""

    async def add_interactions(self, items: Sequence[Interaction]) -> None:
        """Keeps each once."""


class ProductReactions:
    """The handler of product_events."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def __call__(self, batch: Sequence[Event]) -> None:
        """Keeps the newest version of every product told of; MeaninglessEventError if an event tells of none."""
        await self._catalogue.put_products([_told(event) for event in batch])


class InteractionReactions:
    """The handler of interaction_events; `history` is how long an interaction counts."""

    def __init__(self, deeds: Deeds, clock: Callable[[], datetime], history: timedelta) -> None:
        self._deeds = deeds
        self._clock = clock
        self._history = history

    async def __call__(self, batch: Sequence[Event]) -> None:
        """Keeps what was done; MeaninglessEventError if an event tells of nothing that was."""
        now = self._clock()
        done = [interaction for event in batch for interaction in _done(event, now + _AHEAD)]
        await self._deeds.add_interactions([one for one in done if one.at >= now - self._history])


def _told(event: Event) -> Product | Gone:
    match event.message:
        case events_v1.ProductCreated(product=product) | events_v1.ProductUpdated(product=product):
            return _product(product, event.time)
        case events_v1.ProductDeleted() as gone:
            _require_product(gone.id, gone.version)
            return Gone(gone.id, gone.version, event.time)
        case other:
            raise MeaninglessEventError(f"{type(other).__name__} tells of no product.")


def _product(product: events_v1.ProductSnapshot | None, at: datetime) -> Product:
    if product is None or product.price is None or not product.price.currency or product.price.minor_units < 0:
        raise MeaninglessEventError("The event's product has no price.")
    _require_product(product.id, product.version)
    price = product.price
    # PostgreSQL's text holds every character but this one.
    name, description = product.name.replace("\0", ""), product.description.replace("\0", "")
    return Product(product.id, name, description, price.minor_units, price.currency, product.version, at)


def _done(event: Event, latest: datetime) -> list[Interaction]:
    """Answers what the event tells of; of several the first has the event's id, the others also their place."""
    # A key that an index does not hold, and no id of ours.
    if len(event.id) > LONGEST_ID or "\0" in event.id:
        raise MeaninglessEventError("The event has no valid id.")
    if event.time > latest or event.time < datetime(2000, 1, 1, tzinfo=UTC):
        raise MeaninglessEventError(f"The event's time, {event.time.isoformat()}, cannot be.")
    done = _deeds(event.message)
    for _, product_id, account_id, quantity in done:
        _require_id(product_id)
        if not 1 <= quantity <= _LARGEST or (account_id is not None and account_id < 1):
            raise MeaninglessEventError("The event's quantity or account cannot be.")
    ids = (event.id, *(f"{event.id}/{place}" for place in range(1, len(done))))
    return [Interaction(each, *deed, event.time) for each, deed in zip(ids, done, strict=True)]


def _deeds(message: Message) -> list[tuple[Kind, str, int | None, int]]:
    """Answers what was done, with which product, by which account, and how often."""
    match message:
        case events_v1.ProductRetrieved(product_id=product_id, account_id=account_id):
            return [(Kind.VIEW, product_id, account_id, 1)]
        case events_v1.ProductsRetrieved(retrievals=[_, *_] as retrievals):
            return [(Kind.VIEW, each.product_id, None, each.quantity) for each in retrievals]
        case events_v1.ProductPurchased(product_id=product_id, account_id=account_id, quantity=quantity):
            return [(Kind.PURCHASE, product_id, account_id, quantity)]
        case other:
            raise MeaninglessEventError(f"{type(other).__name__} tells of nothing that was done.")


def _require_product(product_id: str, version: int) -> None:
    _require_id(product_id)
    if version < 1:
        raise MeaninglessEventError("The event's product has no valid version.")


def _require_id(product_id: str) -> None:
    # A line break, too, is none of an id: a model's ids are kept as lines (see artefact.py).
    if not 0 < len(product_id) <= LONGEST_ID or not product_id.isprintable():
        raise MeaninglessEventError("The event's product has no valid id.")
