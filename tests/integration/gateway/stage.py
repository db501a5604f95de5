"""A real gateway process between a test's HTTP client and scripted gRPC services.

Every byte travels, and no datastore is needed. The test signs tokens with a key of its own, counts calls, and makes
services slow or absent.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from betterproto2.grpclib import ServiceBase

from local.ports import free_ports
from local.service_process import ServiceProcess
from local.topology import row_of
from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.payment import v1 as payment_v1
from protos.gen.ecommerce.product import v1 as product_v1
from protos.gen.ecommerce.recommender import v1 as recommender_v1
from services import rpc
from services.errors import NotFoundError
from services.tokens import PublicJwk, Verifier
from tests.factories.gateway import POLICY, SigningKey, usd


@dataclass
class Script:
    """What the services do."""

    key: SigningKey = field(default_factory=SigningKey)
    calls: Counter[str] = field(default_factory=Counter)
    # Who made each call to the account, order, payment and recommender services, by the token that reached them.
    callers: set[int | None] = field(default_factory=set)
    # What the payment service was asked to open.
    pages: list[payment_v1.CreateCheckoutSessionRequest] = field(default_factory=list)
    # A search for "slow", and recommendations for who viewed it, wait for this before they are answered.
    released: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def note(self, method: str) -> None:
        self.calls[method] += 1
        identity = rpc.caller()
        self.callers.add(identity.account_id if identity else None)


class AccountServer(account_v1.AccountServiceBase):
    """A hundred accounts."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def get_public_keys(self, _: account_v1.GetPublicKeysRequest) -> account_v1.GetPublicKeysResponse:
        self._script.calls["GetPublicKeys"] += 1
        public = self._script.key.public
        key = account_v1.PublicKey(key_id=public["kid"], x=public["x"], y=public["y"])
        return account_v1.GetPublicKeysResponse(keys=[key])

    async def get_account(self, message: account_v1.GetAccountRequest) -> account_v1.GetAccountResponse:
        self._script.note("GetAccount")
        return account_v1.GetAccountResponse(account=_account(message.id))

    async def get_accounts(self, message: account_v1.GetAccountsRequest) -> account_v1.GetAccountsResponse:
        self._script.note("GetAccounts")
        ids = range(1 + message.skip, 1 + min(100, message.skip + message.take))
        return account_v1.GetAccountsResponse(accounts=[_account(account_id) for account_id in ids])


class ProductServer(product_v1.ProductServiceBase):
    """Every id but "missing" is a product; a search for "slow" waits to be released, and finds one."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def get_product(self, message: product_v1.GetProductRequest) -> product_v1.GetProductResponse:
        self._script.calls["GetProduct"] += 1
        if message.id == "missing":
            raise NotFoundError("There is no such product.")
        product = product_v1.Product(id=message.id, name="Mug", price=usd(1999), account_id=1, version=1)
        return product_v1.GetProductResponse(product=product)

    async def get_products(self, message: product_v1.GetProductsRequest) -> product_v1.GetProductsResponse:
        self._script.calls["GetProducts"] += 1
        if message.query == "slow":
            self._script.arrived.release()
            await self._script.released.wait()
            return product_v1.GetProductsResponse(products=[product_v1.Product(id="slow", price=usd(1999), version=1)])
        found = [product_id for product_id in message.ids if product_id != "missing"]
        return product_v1.GetProductsResponse(
            products=[product_v1.Product(id=each, name="Mug", price=usd(1999), version=1) for each in found]
        )

    async def get_catalogue_state(self, _: product_v1.GetCatalogueStateRequest) -> product_v1.GetCatalogueStateResponse:
        return product_v1.GetCatalogueStateResponse()


class OrderServer(order_v1.OrderServiceBase):
    """One order for each account."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def get_orders_for_accounts(
        self, message: order_v1.GetOrdersForAccountsRequest
    ) -> order_v1.GetOrdersForAccountsResponse:
        self._script.note("GetOrdersForAccounts")
        return order_v1.GetOrdersForAccountsResponse(
            accounts=[order_v1.AccountOrders(account_id=n, orders=[_order(n)]) for n in message.account_ids]
        )


class PaymentServer(payment_v1.PaymentServiceBase):
    """One payment for each order."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def create_checkout_session(
        self, message: payment_v1.CreateCheckoutSessionRequest
    ) -> payment_v1.CreateCheckoutSessionResponse:
        self._script.note("CreateCheckoutSession")
        self._script.pages.append(message)
        return payment_v1.CreateCheckoutSessionResponse(url=f"{message.origin}/checkout/{message.order_id}")

    async def get_payments_for_orders(
        self, message: payment_v1.GetPaymentsForOrdersRequest
    ) -> payment_v1.GetPaymentsForOrdersResponse:
        self._script.note("GetPaymentsForOrders")
        return payment_v1.GetPaymentsForOrdersResponse(payments=[_payment(n) for n in message.order_ids])


class RecommenderServer(recommender_v1.RecommenderServiceBase):
    """A page of products of which the second is missing; whoever viewed "slow" waits to be released."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def get_recommendations(
        self, message: recommender_v1.GetRecommendationsRequest
    ) -> recommender_v1.GetRecommendationsResponse:
        self._script.note("GetRecommendations")
        items = _recommended(message.skip, message.take, recommender_v1.Reason.TASTE)
        return recommender_v1.GetRecommendationsResponse(recommendations=items, model_version=message.account_id)

    async def get_recommendations_based_on_viewed(
        self, message: recommender_v1.GetRecommendationsBasedOnViewedRequest
    ) -> recommender_v1.GetRecommendationsBasedOnViewedResponse:
        self._script.note("GetRecommendationsBasedOnViewed")
        if "slow" in message.product_ids:
            await self._script.released.wait()
        items = _recommended(message.skip, message.take, recommender_v1.Reason.VIEWED)
        version = len(message.product_ids)
        return recommender_v1.GetRecommendationsBasedOnViewedResponse(recommendations=items, model_version=version)


def _recommended(skip: int, take: int, reason: recommender_v1.Reason) -> list[recommender_v1.Recommendation]:
    ids = ["missing" if n == 1 else f"product-{n}" for n in range(skip, skip + take)]
    return [recommender_v1.Recommendation(product_id=each, reason=reason) for each in ids]


def _account(account_id: int) -> account_v1.Account:
    return account_v1.Account(id=account_id, name="Ada", email=f"ada.{account_id}@example.com")


def _order(account_id: int) -> order_v1.Order:
    line = order_v1.OrderLine(product_id="mug", name="Mug", price=usd(1999), quantity=1)
    return order_v1.Order(
        id=account_id,
        account_id=account_id,
        created_at=datetime.now(UTC),
        total_price=usd(1999),
        lines=[line],
        status=order_v1.OrderStatus.PAID,
    )


def _payment(order_id: int) -> payment_v1.Payment:
    return payment_v1.Payment(
        id=f"payment-{order_id}",
        order_id=order_id,
        account_id=order_id,
        provider="sandbox",
        status=payment_v1.PaymentStatus.SUCCEEDED,
        amount=usd(1999),
        created_at=datetime.now(UTC),
    )


@dataclass
class Stage:
    """The gateway's process, the script, and the servers by the name that /readyz gives them."""

    gateway: ServiceProcess
    script: Script
    servers: dict[str, rpc.Server]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"


@asynccontextmanager
async def staged(folder: Path, **environment: str) -> AsyncIterator[Stage]:
    """A stage with the gateway ready; Kafka is away all the time, which must not matter."""
    script = Script()
    servers = _servers(script)
    for server in servers.values():
        await server.start()
    gateway = ServiceProcess(
        row_of("gateway"),
        "gateway",
        folder / "gateway.log",
        {
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(free_ports(["gateway"])["gateway"]),
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_ports(['kafka'])['kafka']}",
            **{f"{name.upper()}_ADDRESS": f"127.0.0.1:{server.port}" for name, server in servers.items()},
            **environment,
        },
    )
    try:
        await gateway.start()
        yield Stage(gateway, script, servers)
    finally:
        script.released.set()
        await gateway.stop()
        for server in servers.values():
            await server.stop()


def _servers(script: Script) -> dict[str, rpc.Server]:
    async def keys() -> list[PublicJwk]:
        return [script.key.public]

    def serve(implementation: ServiceBase) -> rpc.Server:
        verifier = Verifier(keys, POLICY)
        return rpc.Server(rpc.ServerSettings("127.0.0.1", 0, drain_seconds=1), implementation, verifier=verifier)

    return {
        "account": serve(AccountServer(script)),
        "product": serve(ProductServer(script)),
        "order": serve(OrderServer(script)),
        "payment": serve(PaymentServer(script)),
        "recommender": serve(RecommenderServer(script)),
    }
