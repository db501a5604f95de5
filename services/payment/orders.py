"""Orders as the order service tells them.

A buyer's order is read with the buyer's own token, so that the order service says whose it is. What the payment service
does by itself it does as itself, with a token of its own.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol

from protos.gen.ecommerce.order import v1 as order_v1
from services import rpc
from services.errors import InternalError, UnauthenticatedError, UnavailableError
from services.payment.domain import Line, Order, OrderStatus

_MESSAGES: Final[Mapping[OrderStatus, order_v1.OrderStatus]] = {
    status: order_v1.OrderStatus[status.name] for status in OrderStatus
}
_STATUSES: Final = {int(message): status for status, message in _MESSAGES.items()}


class Token(Protocol):
    """The service's own token."""

    async def current(self) -> str:
        """Answers one that is good for a while; raises UnavailableError when none can be had."""

    def forget(self, token: str) -> None:
        """Has another one fetched next time."""


class OrderClient:
    """Asks the order service behind one channel."""

    def __init__(self, channel: rpc.Channel, service_token: Token) -> None:
        self._orders = channel.stub(order_v1.OrderServiceStub)
        self._token = service_token

    async def get(self, order_id: int) -> Order:
        """Answers an order as the one whose call is being handled.

        Raises NotFoundError for an order that is not the caller's, and UnavailableError.
        """
        return order_of((await self._orders.get_order(order_v1.GetOrderRequest(id=order_id))).order)

    async def get_as_service(self, order_id: int) -> Order:
        """Answers any order; raises NotFoundError and UnavailableError."""
        async with self._as_service():
            return await self.get(order_id)

    async def update_status(self, order_id: int, status: OrderStatus) -> None:
        """Moves an order; one that has this status already is left as it is.

        Raises ConflictError when its state machine has no such move, NotFoundError, and UnavailableError.
        """
        request = order_v1.UpdateOrderStatusRequest(order_id=order_id, status=_MESSAGES[status])
        async with self._as_service():
            await self._orders.update_order_status(request)

    @contextlib.asynccontextmanager
    async def _as_service(self) -> AsyncIterator[None]:
        token = await self._token.current()
        try:
            with rpc.acting_as(token):
                yield
        except UnauthenticatedError as error:
            # The keys were changed at once, or a clock is wrong: nobody's request is at fault.
            self._token.forget(token)
            raise UnavailableError("The order service does not take the service's token.") from error


def order_of(message: order_v1.Order | None) -> Order:
    """Answers the order in a message; raises InternalError when it cannot be one."""
    if message is None or message.total_price is None or not message.total_price.currency:
        raise InternalError("An order cannot be read.")
    total = message.total_price
    return Order(
        message.id,
        message.account_id,
        order_status(message.status),
        total.currency,
        total.minor_units,
        tuple(_line(line) for line in message.lines),
    )


def order_status(message: order_v1.OrderStatus) -> OrderStatus:
    """Answers the status; raises InternalError when it is one that is not known here."""
    status = _STATUSES.get(int(message))
    if status is None:
        raise InternalError("An order's status cannot be read.")
    return status


def _line(line: order_v1.OrderLine) -> Line:
    return Line(line.product_id, line.name, 0 if line.price is None else line.price.minor_units, line.quantity)
