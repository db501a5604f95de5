"""Each client of the gateway twice: the fake, and the one over gRPC on the real service and its real datastores."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from local.datastores import Datastores
from local.platform import Platform
from services import rpc
from services.gateway.clients import Accounts, AccountsClient, Orders, OrdersClient, Products, ProductsClient
from tests.factories.gateway import PASSWORD, email
from tests.fakes.gateway import FakeAccounts, FakeOrders, FakeProducts, FakeServices


@dataclass(frozen=True)
class Services:
    """The clients of one kind, and an administrator's token."""

    accounts: Accounts
    products: Products
    orders: Orders
    administrator: str

    async def customer(self) -> tuple[str, int]:
        """A new account's token and id."""
        session = await self.accounts.register("Ada", email(), PASSWORD)
        assert session.account is not None
        return session.token, session.account.id


@pytest.fixture(scope="package")
async def real(datastores: Datastores) -> AsyncIterator[Services]:
    """Account, product and order as processes."""
    instances = ("account", "product", "order")
    async with Platform(instances=instances, datastores=datastores) as platform:
        ports = platform.layout.ports
        channels = {name: rpc.Channel(f"127.0.0.1:{ports[name]}") for name in instances}
        accounts = AccountsClient(channels["account"])
        session = await accounts.login(platform.administrator_email, platform.administrator_password)
        yield Services(accounts, ProductsClient(channels["product"]), OrdersClient(channels["order"]), session.token)
        for channel in channels.values():
            await channel.close()


@pytest.fixture
async def fake() -> Services:
    """The fakes, sharing one signing key."""
    services = FakeServices()
    accounts, products = FakeAccounts(services), FakeProducts(services)
    session = await accounts.register("Admin", email(), PASSWORD)
    assert session.account is not None
    administrator = services.key.token(session.account.id, "administrator")
    return Services(accounts, products, FakeOrders(services, products), administrator)


@pytest.fixture(params=["fake", "real"])
def services(request: pytest.FixtureRequest) -> Services:
    """The clients, in either kind."""
    found: Services = request.getfixturevalue(request.param)
    return found
