"""What the product service tells on Kafka: every change, under the product's id, so that a product's stay in order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from betterproto2 import Message

from protos.gen.ecommerce.events import v1 as events_v1
from services import events
from services.events import Event
from services.product.messages import snapshot
from services.product.service import Product

SOURCE: Final = "/product"
TOPIC: Final = "product_events"


@dataclass(frozen=True, slots=True)
class Announcer:
    """Makes the events of products; their ids and times come from what it is given."""

    clock: Callable[[], datetime]
    ids: Callable[[], str]

    def created(self, product: Product) -> Event:
        """Answers that the product was put up."""
        return self._event(product.id, events_v1.ProductCreated(product=snapshot(product)))

    def updated(self, product: Product) -> Event:
        """Answers that the product is like this now."""
        return self._event(product.id, events_v1.ProductUpdated(product=snapshot(product)))

    def deleted(self, product: Product) -> Event:
        """Answers that the product, last seen like this, is gone; that counts as one more version."""
        gone = events_v1.ProductDeleted(id=product.id, account_id=product.account_id, version=product.version + 1)
        return self._event(product.id, gone)

    def _event(self, product_id: str, message: Message) -> Event:
        return events.new_event(TOPIC, product_id, message, SOURCE, self.clock, self.ids)
