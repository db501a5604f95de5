"""Each client of the gateway twice: the fake, and the one over gRPC on the real service and its real datastores."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import stamina

from local.datastores import Datastores
from local.platform import Platform
from protos.gen.ecommerce.order.v1 import OrderStatus
from services import rpc
from services.gateway.clients import Accounts, AccountsClient, Orders, OrdersClient, Products, ProductsClient
from services.gateway.interactions import Interactions
from services.gateway.payments import Payments, PaymentsClient
from services.gateway.recommendations import Recommender, RecommenderClient
from services.publisher import Publisher
from tests.factories.gateway import PASSWORD, email
from tests.fakes.gateway import FakeAccounts, FakeOrders, FakeProducts, FakeServices
from tests.fakes.gateway_payments import FakePayments
from tests.fakes.gateway_recommender import FakeRecommender
from tests.sandbox_page import press


@dataclass(frozen=True)
class Services:
    """The clients of one kind, an administrator's token, and a buyer.

    `origin` is where buyers reach the platform; `pay` has one pay for an order on the page at a URL, and returns once
    the order is paid; `view` tells that the account looked at the product, as the gateway does.
    """

    accounts: Accounts
    products: Products
    orders: Orders
    payments: Payments
    recommender: Recommender
    administrator: str
    origin: str
    pay: Callable[[int, str], Awaitable[object]]
    view: Callable[[str, int], Awaitable[object]]

    async def customer(self) -> tuple[str, int]:
        """A new account's token and id."""
        session = await self.accounts.register("Ada", email(), PASSWORD)
        assert session.account is not None
        return session.token, session.account.id


@pytest.fixture(scope="package")
async def real(datastores: Datastores) -> AsyncIterator[Services]:
    """Account, product, order, payment and recommender as processes; without a trainer there is never a model."""
    instances = ("account", "product", "order", "payment", "recommender")
    async with Platform(instances=instances, datastores=datastores) as platform:
        ports = platform.layout.ports
        channels = {name: rpc.Channel(f"127.0.0.1:{ports[name]}") for name in instances}
        accounts, orders = AccountsClient(channels["account"]), OrdersClient(channels["order"])
        session = await accounts.login(platform.administrator_email, platform.administrator_password)

        async def pay(order_id: int, url: str) -> None:
            await press(url)
            async for attempt in stamina.retry_context(on=AssertionError, attempts=None, timeout=30, wait_max=0.2):
                with attempt:
                    assert (await orders.get(session.token, order_id)).status is OrderStatus.PAID

        interactions = Interactions(Publisher(platform.datastores.kafka.bootstrap_servers, client_id="test"))

        async def view(product_id: str, account_id: int) -> None:
            interactions.viewed(product_id, account_id)
            await interactions.run_once()

        yield Services(
            accounts,
            ProductsClient(channels["product"]),
            orders,
            PaymentsClient(channels["payment"]),
            RecommenderClient(channels["recommender"]),
            session.token,
            f"http://127.0.0.1:{ports['payment-http']}",
            pay,
            view,
        )
        stop = asyncio.Event()
        stop.set()
        await interactions.run(stop)
        for channel in channels.values():
            await channel.close()


@pytest.fixture
async def fake() -> Services:
    """The fakes, sharing one signing key."""
    services = FakeServices()
    accounts, products = FakeAccounts(services), FakeProducts(services)
    orders = FakeOrders(services, products)
    payments = FakePayments(services, orders)
    recommender = FakeRecommender(services, products, orders)
    session = await accounts.register("Admin", email(), PASSWORD)
    assert session.account is not None
    administrator = services.key.token(session.account.id, "administrator")

    async def pay(order_id: int, _: str) -> None:
        await payments.pay(order_id)

    async def view(product_id: str, account_id: int) -> None:
        recommender.views.setdefault(account_id, []).append(product_id)

    origin = "http://shop.example"
    return Services(accounts, products, orders, payments, recommender, administrator, origin, pay, view)


@pytest.fixture(params=["fake", "real"])
def services(request: pytest.FixtureRequest) -> Services:
    """The clients, in either kind."""
    found: Services = request.getfixturevalue(request.param)
    return found
