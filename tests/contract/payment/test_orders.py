"""What every source of orders answers the payment service: the fake, and the order service behind its real client."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest

from local.datastores import Datastores
from local.platform import Platform
from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.errors import ConflictError, NotFoundError, UnavailableError
from services.payment.domain import Line, Order, OrderStatus
from services.payment.orders import OrderClient
from services.payment.service import Orders
from services.service_identity import ServiceToken
from tests.factories.payment import order
from tests.fakes.payment import FakeOrders

NAMES = ("account", "product", "order")


@dataclass
class Counter:
    """Where orders are known, a way to place one, and the same while nobody answers."""

    orders: Orders
    place: Callable[[], Awaitable[Order]]
    unreachable: Orders


@dataclass
class Real:
    """The order service as a process, its client, and a buyer."""

    client: OrderClient
    nobody: OrderClient
    wrong_secret: OrderClient
    channel: rpc.Channel
    token: str
    place: Callable[[], Awaitable[Order]]


@pytest.fixture
def fake_counter() -> Counter:
    """The fake."""
    fake = FakeOrders()

    async def place() -> Order:
        placed = order(len(fake.known) + 1)
        fake.known[placed.id] = placed
        return placed

    return Counter(fake, place, FakeOrders(available=False))


@pytest.fixture(scope="module")
async def real(datastores: Datastores, new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Real]:
    """Account, product and order as processes."""
    overrides = {name: {"DATABASE_URL": await new_database(name)} for name in NAMES}
    async with AsyncExitStack() as stack:
        platform = Platform(instances=NAMES, overrides=overrides, datastores=datastores)
        await stack.enter_async_context(platform)
        account, products, orders = (rpc.Channel(f"127.0.0.1:{platform.service(name).port}") for name in NAMES)
        nobody = rpc.Channel("127.0.0.1:1")
        for channel in (account, products, orders, nobody):
            stack.push_async_callback(channel.close)
        token = await _registered(account)
        product = await _put_up(products, token)
        stub = orders.stub(order_v1.OrderServiceStub)

        async def place() -> Order:
            asked = order_v1.PostOrderRequest(items=[order_v1.OrderItem(product_id=product.id, quantity=3)])
            with rpc.acting_as(token):
                placed = (await stub.post_order(asked)).order
            assert placed is not None
            lines = (Line(product.id, product.name, 1999, 3),)
            return Order(placed.id, placed.account_id, OrderStatus.PLACED, "USD", 5997, lines)

        _, _, secret = platform.environment("account")["SERVICE_SECRETS"].split(",")[0].partition(":")
        signed_in = ServiceToken(account, "payment", secret)
        wrong = ServiceToken(account, "payment", "x" * 32)
        yield Real(
            OrderClient(orders, signed_in),
            OrderClient(nobody, signed_in),
            OrderClient(orders, wrong),
            orders,
            token,
            place,
        )


async def _registered(account: rpc.Channel) -> str:
    request = account_v1.RegisterRequest(
        name="Buyer", email=f"buyer-{uuid4().hex[:8]}@example.com", password="a long enough password"
    )
    session = (await account.stub(account_v1.AccountServiceStub).register(request)).session
    assert session is not None
    return session.token


async def _put_up(products: rpc.Channel, token: str) -> product_v1.Product:
    price = Money(minor_units=1999, currency="USD")
    request = product_v1.PostProductRequest(name="Name", description="Description", price=price)
    with rpc.acting_as(token):
        product = (await products.stub(product_v1.ProductServiceStub).post_product(request)).product
    assert product is not None
    return product


@pytest.fixture
def real_counter(real: Real) -> Counter:
    """The order service."""
    return Counter(real.client, real.place, real.nobody)


@pytest.fixture(params=["fake_counter", "real_counter"])
def counter(request: pytest.FixtureRequest) -> Counter:
    """Each of them in turn."""
    chosen: Counter = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def buying(request: pytest.FixtureRequest, counter: Counter) -> str:
    """The buyer's token, as the handled call would carry it."""
    return request.getfixturevalue("real").token if isinstance(counter.orders, OrderClient) else "a-token"


async def test_an_order_is_told_whole(counter: Counter, buying: str) -> None:
    """Its owner, its total and its lines are those of the moment of sale."""
    placed = await counter.place()
    with rpc.acting_as(buying):
        assert await counter.orders.get(placed.id) == placed


async def test_an_unknown_order_is_not_found(counter: Counter, buying: str) -> None:
    """Nor is one with an impossible id."""
    for order_id in (2_000_000_000, 0, -1):
        with rpc.acting_as(buying), pytest.raises(NotFoundError):
            await counter.orders.get(order_id)


async def test_orders_that_cannot_be_had_are_unavailable(counter: Counter, buying: str) -> None:
    """They are never mistaken for unknown ones."""
    with rpc.acting_as(buying), pytest.raises(UnavailableError):
        await counter.unreachable.get(1)


async def test_the_service_reads_and_moves_any_order(real: Real) -> None:
    """As itself, whoever's order it is; again, nothing happens; and where no move leads, it is a conflict."""
    placed = await real.place()
    assert await real.client.get_as_service(placed.id) == placed
    for _ in range(2):
        await real.client.update_status(placed.id, OrderStatus.PAID)
    assert (await real.client.get_as_service(placed.id)).status == OrderStatus.PAID
    with pytest.raises(ConflictError):
        await real.client.update_status(placed.id, OrderStatus.CANCELLED)
    with pytest.raises(NotFoundError):
        await real.client.update_status(2_000_000_000, OrderStatus.PAID)


async def test_a_service_that_cannot_sign_in_waits(real: Real) -> None:
    """A wrong secret is for an operator to mend, and no order is given up for it."""
    placed = await real.place()
    with pytest.raises(UnavailableError):
        await real.wrong_secret.update_status(placed.id, OrderStatus.PAID)
    with pytest.raises(UnavailableError):
        await real.nobody.update_status(placed.id, OrderStatus.PAID)


class Refused:
    """A token that the order service does not take."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    async def current(self) -> str:
        return "not.a.token"

    def forget(self, token: str) -> None:
        self.forgotten.append(token)


async def test_a_token_that_is_not_taken_is_fetched_anew(real: Real) -> None:
    """Keys may have changed at once: the step waits, and the next try has another token."""
    placed = await real.place()
    token = Refused()
    client = OrderClient(real.channel, token)
    with pytest.raises(UnavailableError):
        await client.update_status(placed.id, OrderStatus.PAID)
    assert token.forgotten == ["not.a.token"]
