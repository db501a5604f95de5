"""The order service on gRPC: protobuf in and out, nothing else."""

from protos.gen.ecommerce.order import v1 as order_v1
from services import rpc
from services.order.messages import item_of, order_message, status_of
from services.order.service import OrderService


class OrderServer(order_v1.OrderServiceBase):
    """Answers each call as whoever its verified token says is calling."""

    def __init__(self, service: OrderService) -> None:
        self._service = service

    async def post_order(self, message: order_v1.PostOrderRequest) -> order_v1.PostOrderResponse:
        """Places an order for the caller."""
        items = [item_of(item) for item in message.items]
        order = await self._service.place(rpc.caller(), items, message.idempotency_key)
        return order_v1.PostOrderResponse(order=order_message(order))

    async def get_order(self, message: order_v1.GetOrderRequest) -> order_v1.GetOrderResponse:
        """Answers one order."""
        return order_v1.GetOrderResponse(order=order_message(await self._service.order(rpc.caller(), message.id)))

    async def get_orders_for_account(
        self, message: order_v1.GetOrdersForAccountRequest
    ) -> order_v1.GetOrdersForAccountResponse:
        """Answers one account's orders, newest first."""
        orders = await self._service.orders_for_account(rpc.caller(), message.account_id, message.skip, message.take)
        return order_v1.GetOrdersForAccountResponse(orders=[order_message(order) for order in orders])

    async def get_orders_for_accounts(
        self, message: order_v1.GetOrdersForAccountsRequest
    ) -> order_v1.GetOrdersForAccountsResponse:
        """Answers one entry for each account asked for, in that order; an account asked for twice has two."""
        pages = await self._service.orders_for_accounts(rpc.caller(), message.account_ids, message.skip, message.take)
        messages = {account_id: [order_message(order) for order in orders] for account_id, orders in pages.items()}
        return order_v1.GetOrdersForAccountsResponse(
            accounts=[
                order_v1.AccountOrders(account_id=account_id, orders=messages[account_id])
                for account_id in message.account_ids
            ]
        )

    async def update_order_status(
        self, message: order_v1.UpdateOrderStatusRequest
    ) -> order_v1.UpdateOrderStatusResponse:
        """Moves an order to another status."""
        order = await self._service.change_status(rpc.caller(), message.order_id, status_of(message.status))
        return order_v1.UpdateOrderStatusResponse(order=order_message(order))
