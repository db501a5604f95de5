import asyncio
import contextvars
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from protos.gen.ecommerce.order import v1 as order_v1
from services.errors import InvalidError, UnauthenticatedError
from services.order.events import Announcer
from services.order.server import OrderServer
from services.order.service import OrderService
from services.rpc import context
from services.tokens import Identity
from tests.factories.order import NOW, administrator, customer, product, service
from tests.fakes.order import FakeCatalogue, FakeStore

T = TypeVar("T")


@pytest.fixture
def server() -> OrderServer:
    numbers = itertools.count(1)
    store = FakeStore(Announcer(lambda: f"event-{next(numbers)}"), lambda: NOW)
    return OrderServer(OrderService(store, FakeCatalogue({"a": product("a"), "b": product("b", 5)})))


async def acting_as(caller: Identity | None, call: Coroutine[Any, Any, T]) -> T:
    """Makes the call in a context of its own, as services/rpc does for each one that arrives."""
    own = contextvars.copy_context()
    own.run(context.enter, caller, None)
    return await asyncio.create_task(call, context=own)


async def place(server: OrderServer, account_id: int, **quantities: int) -> order_v1.Order:
    items = [order_v1.OrderItem(product_id=name, quantity=quantity) for name, quantity in quantities.items()]
    call = server.post_order(order_v1.PostOrderRequest(items=items))
    answered = (await acting_as(customer(account_id), call)).order
    assert answered is not None
    return answered


async def test_an_order_is_answered_as_it_was_frozen(server: OrderServer) -> None:
    """Names, descriptions and prices are in the answer; the owner is the caller."""
    order = await place(server, 7, a=1, b=3)
    assert order.account_id == 7
    assert order.status is order_v1.OrderStatus.PLACED
    assert order.total_price is not None
    assert (order.total_price.minor_units, order.total_price.currency) == (2014, "USD")
    assert [(line.product_id, line.name, line.description, line.quantity) for line in order.lines] == [
        ("a", "Name of a", "Description of a", 1),
        ("b", "Name of b", "Description of b", 3),
    ]


async def test_the_key_of_the_request_counts(server: OrderServer) -> None:
    """Two requests with one key are answered with one order."""
    request = order_v1.PostOrderRequest(items=[order_v1.OrderItem(product_id="a", quantity=1)], idempotency_key="a-key")
    answers = [(await acting_as(customer(), server.post_order(request))).order for _ in range(2)]
    assert answers[0] == answers[1]


async def test_nobody_is_the_caller_without_a_token(server: OrderServer) -> None:
    """Every method asks for a sign-in."""
    for call in (
        server.post_order(order_v1.PostOrderRequest()),
        server.get_order(order_v1.GetOrderRequest(id=1)),
        server.get_orders_for_account(order_v1.GetOrdersForAccountRequest(account_id=7)),
        server.get_orders_for_accounts(order_v1.GetOrdersForAccountsRequest()),
        server.update_order_status(order_v1.UpdateOrderStatusRequest(order_id=1, status=order_v1.OrderStatus.PAID)),
    ):
        with pytest.raises(UnauthenticatedError):
            await acting_as(None, call)


async def test_many_accounts_are_answered_in_the_order_of_asking(server: OrderServer) -> None:
    """One entry for each mention, also for accounts without orders and for repeated ones."""
    mine, theirs = await place(server, 7, a=1), await place(server, 8, b=1)
    asked = order_v1.GetOrdersForAccountsRequest(account_ids=[8, 9, 7, 8], take=10)
    answered = await acting_as(administrator(), server.get_orders_for_accounts(asked))
    assert [(entry.account_id, entry.orders) for entry in answered.accounts] == [
        (8, [theirs]),
        (9, []),
        (7, [mine]),
        (8, [theirs]),
    ]


async def test_one_account_is_answered_newest_first(server: OrderServer) -> None:
    """The page is the one that skip and take say."""
    placed = [await place(server, 7, a=1) for _ in range(3)]
    asked = order_v1.GetOrdersForAccountRequest(account_id=7, skip=1, take=1)
    answered = await acting_as(customer(7), server.get_orders_for_account(asked))
    assert answered.orders == [placed[1]]


async def test_one_order_is_answered_whole(server: OrderServer) -> None:
    """To its owner and to the payment service alike, as it was placed."""
    placed = await place(server, 7, a=1, b=2)
    for caller in (customer(7), service("payment")):
        answered = await acting_as(caller, server.get_order(order_v1.GetOrderRequest(id=placed.id)))
        assert answered.order == placed


async def test_an_order_moves_on(server: OrderServer) -> None:
    """The answer is the order with its new status."""
    placed = await place(server, 7, a=1)
    asked = order_v1.UpdateOrderStatusRequest(order_id=placed.id, status=order_v1.OrderStatus.CANCELLED)
    moved = (await acting_as(administrator(), server.update_order_status(asked))).order
    assert moved is not None
    assert (moved.id, moved.status) == (placed.id, order_v1.OrderStatus.CANCELLED)


@pytest.mark.parametrize("number", [0, 99])
async def test_a_status_must_be_one_of_ours(server: OrderServer, number: int) -> None:
    """An absent or unknown status is the request's fault."""
    asked = order_v1.UpdateOrderStatusRequest(order_id=1, status=order_v1.OrderStatus(number))
    with pytest.raises(InvalidError):
        await acting_as(administrator(), server.update_order_status(asked))
