"""What the order service tells on Kafka.

Everything about one order goes to order_events under the order's id, so that it arrives in the order in which it
happened; what was bought goes to interaction_events under the account's id, one event a product.

Descriptions are left out of OrderPlaced: a hundred long ones could make a record larger than Kafka takes, and the
event would be lost for everyone. Who needs them asks the order service.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from betterproto2 import Message

from protos.gen.ecommerce.events import v1 as events_v1
from services import events
from services.events import Event
from services.order.domain import Order
from services.order.messages import order_message, status_message
from services.order.status import OrderStatus

SOURCE: Final = "/order"


@dataclass(frozen=True, slots=True)
class Announcer:
    """Makes the events of orders, with ids from what it is given; each happened when the order says so."""

    ids: Callable[[], str]

    def placed(self, order: Order) -> list[Event]:
        """Answers that an order was placed, and one purchase for each of its lines."""
        brief = replace(order, lines=tuple(replace(line, description="") for line in order.lines))
        purchases = [
            events_v1.ProductPurchased(
                product_id=line.product_id, account_id=order.account_id, quantity=line.quantity, order_id=order.id
            )
            for line in order.lines
        ]
        return [
            self._event("order_events", order.id, events_v1.OrderPlaced(order=order_message(brief)), order.created_at),
            *(self._event("interaction_events", order.account_id, one, order.created_at) for one in purchases),
        ]

    def status_changed(self, order: Order, previous: OrderStatus) -> Event:
        """Answers that an order has its present status since its last update, and had this one before."""
        change = events_v1.OrderStatusChanged(
            order_id=order.id,
            account_id=order.account_id,
            previous=status_message(previous),
            current=status_message(order.status),
            changed_at=order.updated_at,
        )
        return self._event("order_events", order.id, change, order.updated_at)

    def _event(self, topic: str, key: int, message: Message, moment: datetime) -> Event:
        return events.new_event(topic, str(key), message, SOURCE, lambda: moment, self.ids)
