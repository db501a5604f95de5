"""The domain's orders as protobuf messages, for answers and for events."""

from collections.abc import Mapping
from typing import Final

from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.order import v1 as order_v1
from services.errors import InvalidError
from services.order.domain import Item, Line, Order
from services.order.status import OrderStatus

_STATUSES: Final[Mapping[OrderStatus, order_v1.OrderStatus]] = {
    status: order_v1.OrderStatus[status.name] for status in OrderStatus
}
_DOMAIN_STATUSES: Final = {int(message): status for status, message in _STATUSES.items()}


def order_message(order: Order) -> order_v1.Order:
    """Answers the whole order."""
    return order_v1.Order(
        id=order.id,
        account_id=order.account_id,
        created_at=order.created_at,
        total_price=Money(minor_units=order.total_minor, currency=order.currency),
        lines=[_line_message(line, order.currency) for line in order.lines],
        status=_STATUSES[order.status],
    )


def status_message(status: OrderStatus) -> order_v1.OrderStatus:
    """Answers the status's number on the wire."""
    return _STATUSES[status]


def status_of(message: order_v1.OrderStatus) -> OrderStatus:
    """Answers the status; raises InvalidError when none is given or the number is not one of ours."""
    status = _DOMAIN_STATUSES.get(int(message))
    if status is None:
        raise InvalidError("Name one of the statuses that an order can have.")
    return status


def item_of(message: order_v1.OrderItem) -> Item:
    """Answers what is asked for, unchecked."""
    return Item(message.product_id, message.quantity)


def _line_message(line: Line, currency: str) -> order_v1.OrderLine:
    return order_v1.OrderLine(
        product_id=line.product_id,
        name=line.name,
        description=line.description,
        price=Money(minor_units=line.price_minor, currency=currency),
        quantity=line.quantity,
    )
