"""Account, product and order as processes on databases of their own, and what tests do with them."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest
import stamina

from local.datastores import Datastores
from local.platform import Platform
from local.service_process import ServiceProcess
from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.database import Database
from services.errors import UnavailableError
from services.service_identity import ServiceToken

PASSWORD = "correct horse battery staple"
PAYMENT_SECRET = "the secret of the payment service"


@dataclass(frozen=True)
class Person:
    """Someone with an account, signed in."""

    id: int
    token: str


class Shop:
    """The three services, called as one person or another."""

    def __init__(self, platform: Platform, database: Database, stack: AsyncExitStack) -> None:
        self.platform = platform
        self.database = database
        self._stack = stack
        self._numbers = itertools.count(1)
        self._account = self._channel("account").stub(account_v1.AccountServiceStub)
        self._product = self._channel("product").stub(product_v1.ProductServiceStub)
        self.orders = self._channel("order").stub(order_v1.OrderServiceStub)

    @property
    def order_process(self) -> ServiceProcess:
        return self.platform.service("order")

    async def customer(self) -> Person:
        """A new account."""
        number = next(self._numbers)
        request = account_v1.RegisterRequest(
            name=f"Customer {number}", email=f"customer{number}-{uuid4().hex[:8]}@example.com", password=PASSWORD
        )
        return _person((await self._account.register(request)).session)

    async def administrator(self) -> Person:
        """The account that was made at the first start."""
        request = account_v1.LoginRequest(
            email=self.platform.administrator_email, password=self.platform.administrator_password
        )
        return _person((await self._account.login(request)).session)

    async def product(self, owner: Person, price_minor: int, name: str = "A product") -> product_v1.Product:
        """A new product."""
        request = product_v1.PostProductRequest(
            name=name, description=f"What {name} is", price=Money(minor_units=price_minor, currency="USD")
        )
        with rpc.acting_as(owner.token):
            made = (await self._product.post_product(request)).product
        assert made is not None
        return made

    async def product_again(self, owner: Person, within: float = 30) -> None:
        """Puts products up until the service, which has just come back, is reached by this client, too."""
        async for attempt in stamina.retry_context(on=UnavailableError, attempts=None, timeout=within, wait_max=0.2):
            with attempt:
                await self.product(owner, 1)

    async def reprice(self, owner: Person, product: product_v1.Product, price_minor: int, name: str) -> None:
        """Changes a product."""
        request = product_v1.UpdateProductRequest(
            id=product.id, name=name, description="Changed", price=Money(minor_units=price_minor, currency="USD")
        )
        with rpc.acting_as(owner.token):
            await self._product.update_product(request)

    async def remove(self, owner: Person, product: product_v1.Product) -> None:
        """Takes a product down."""
        with rpc.acting_as(owner.token):
            await self._product.delete_product(product_v1.DeleteProductRequest(id=product.id))

    async def place(
        self, buyer: Person | None, quantities: Mapping[str, int] | Iterable[tuple[str, int]], key: str = ""
    ) -> order_v1.Order:
        """Places an order of these products and quantities."""
        pairs = quantities.items() if isinstance(quantities, Mapping) else quantities
        items = [order_v1.OrderItem(product_id=product_id, quantity=quantity) for product_id, quantity in pairs]
        with rpc.acting_as(None if buyer is None else buyer.token):
            response = await self.orders.post_order(order_v1.PostOrderRequest(items=items, idempotency_key=key))
        assert response.order is not None
        return response.order

    async def placed_again(
        self, buyer: Person, quantities: Mapping[str, int], key: str, within: float = 30
    ) -> order_v1.Order:
        """Repeats a request with its key until it is answered, as a client does while something is away."""
        async for attempt in stamina.retry_context(on=UnavailableError, attempts=None, timeout=within, wait_max=0.2):
            with attempt:
                return await self.place(buyer, quantities, key)
        raise AssertionError("unreachable")

    async def shown(self, viewer: Person, account_id: int, skip: int = 0, take: int = 100) -> list[order_v1.Order]:
        """The orders of an account, as a person sees them."""
        request = order_v1.GetOrdersForAccountRequest(account_id=account_id, skip=skip, take=take)
        with rpc.acting_as(viewer.token):
            return (await self.orders.get_orders_for_account(request)).orders

    async def move(self, mover: Person, order_id: int, status: order_v1.OrderStatus) -> order_v1.Order:
        """Changes an order's status."""
        request = order_v1.UpdateOrderStatusRequest(order_id=order_id, status=status)
        with rpc.acting_as(mover.token):
            response = await self.orders.update_order_status(request)
        assert response.order is not None
        return response.order

    async def reachable_again(self, viewer: Person) -> None:
        """Waits until the channel to a restarted order service has found it."""
        async for attempt in stamina.retry_context(on=UnavailableError, attempts=None, timeout=30, wait_max=0.2):
            with attempt:
                await self.shown(viewer, viewer.id, take=1)

    def payment(self, secret: str = PAYMENT_SECRET) -> ServiceToken:
        """The payment service as account and order see it."""
        return ServiceToken(self._channel("account"), "payment", secret)

    def _channel(self, service: str) -> rpc.Channel:
        channel = rpc.Channel(f"127.0.0.1:{self.platform.service(service).port}", timeout=10)
        self._stack.push_async_callback(channel.close)
        return channel


@pytest.fixture(scope="package")
async def shop(datastores: Datastores, new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Shop]:
    """The three services, running."""
    names = ("account", "product", "order")
    urls = {name: await new_database(name) for name in names}
    overrides = {name: {"DATABASE_URL": url} for name, url in urls.items()}
    overrides["account"]["SERVICE_SECRETS"] = f"payment:{PAYMENT_SECRET}"
    async with AsyncExitStack() as stack:
        platform = Platform(instances=names, overrides=overrides, datastores=datastores)
        await stack.enter_async_context(platform)
        database = Database(urls["order"], application_name="order-test")
        stack.push_async_callback(database.close)
        yield Shop(platform, database, stack)


@pytest.fixture(scope="package")
async def seller(shop: Shop) -> Person:
    """Owns the products."""
    return await shop.customer()


@pytest.fixture
async def buyer(shop: Shop) -> Person:
    """A customer without orders."""
    return await shop.customer()


@pytest.fixture(scope="package")
async def administrator(shop: Shop) -> Person:
    """May see and move everyone's orders."""
    return await shop.administrator()


def _person(session: account_v1.Session | None) -> Person:
    assert session is not None
    assert session.account is not None
    return Person(session.account.id, session.token)
