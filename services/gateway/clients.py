"""The services as the gateway sees them: a thin client each, one call a method.

Each port is a Protocol with two implementations: the one here, over gRPC, and a fake for tests; one contract suite
runs on both. A method that takes a token acts as its owner; one that takes none asks as anybody, so that reading the
catalogue costs no signature check behind the gateway.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.errors import InvalidError, NotFoundError, UnavailableError
from services.gateway.gathering import Gatherer

M = TypeVar("M")

# Seconds that the catalogue's state may take: it is asked for several times a second, and an old one is worth nothing.
STATE_SECONDS: Final = 0.4
# A page, which fits one answer however long the descriptions are; more products could be too large for it.
MAX_PRODUCTS: Final = 100


class Accounts(Protocol):
    """Who people are."""

    async def register(self, name: str, email: str, password: str) -> account_v1.Session:
        """Creates an account and signs it in; InvalidError, ConflictError when the e-mail is taken."""

    async def login(self, email: str, password: str) -> account_v1.Session:
        """Signs in; one UnauthenticatedError for an unknown e-mail and a wrong password."""

    async def get(self, token: str, account_id: int) -> account_v1.Account:
        """Answers the account; ForbiddenError where it is another's, NotFoundError where there is none."""

    async def page(self, token: str, skip: int, take: int) -> Sequence[account_v1.Account]:
        """Answers accounts by id ascending; ForbiddenError for all but administrators."""


class Products(Protocol):
    """What is for sale."""

    async def create(self, token: str, name: str, description: str, price: Money) -> product_v1.Product:
        """Puts a product up for the token's account; InvalidError."""

    async def update(self, token: str, product: product_v1.Product, version: int | None) -> product_v1.Product:
        """Replaces name, description and price; ForbiddenError, NotFoundError, ConflictError on another version."""

    async def delete(self, token: str, product_id: str) -> None:
        """Takes a product down; ForbiddenError, NotFoundError."""

    async def get(self, product_id: str) -> product_v1.Product:
        """Answers one product; NotFoundError."""

    async def get_many(self, product_ids: Sequence[str]) -> Sequence[product_v1.Product]:
        """Answers those that exist, in the order asked for."""

    async def page(self, skip: int, take: int) -> Sequence[product_v1.Product]:
        """Answers a page of the catalogue, oldest first."""

    async def search(self, query: str, skip: int, take: int) -> Sequence[product_v1.Product]:
        """Answers a page of what the text finds, best first; UnavailableError while the search engine is down."""


class Orders(Protocol):
    """Who bought what."""

    async def place(self, token: str, items: Sequence[order_v1.OrderItem], idempotency_key: str) -> order_v1.Order:
        """Places an order for the token's account; InvalidError, NotFoundError for an unknown product."""

    async def get(self, token: str, order_id: int) -> order_v1.Order:
        """Answers the order; NotFoundError where there is none, or it is another's and the token no administrator's."""

    async def of_accounts(
        self, token: str, account_ids: Sequence[int], skip: int, take: int
    ) -> Sequence[Sequence[order_v1.Order]]:
        """Answers each account's orders, newest first, in the order of the ids; ForbiddenError for another's."""


class AccountsClient:
    """Accounts over gRPC."""

    def __init__(self, channel: rpc.Channel) -> None:
        self._stub = channel.stub(account_v1.AccountServiceStub)

    async def register(self, name: str, email: str, password: str) -> account_v1.Session:
        """See Accounts."""
        with rpc.acting_as(None):
            request = account_v1.RegisterRequest(name=name, email=email, password=password)
            return present((await self._stub.register(request)).session)

    async def login(self, email: str, password: str) -> account_v1.Session:
        """See Accounts."""
        with rpc.acting_as(None):
            request = account_v1.LoginRequest(email=email, password=password)
            return present((await self._stub.login(request)).session)

    async def get(self, token: str, account_id: int) -> account_v1.Account:
        """See Accounts."""
        with rpc.acting_as(token):
            return present((await self._stub.get_account(account_v1.GetAccountRequest(id=account_id))).account)

    async def page(self, token: str, skip: int, take: int) -> Sequence[account_v1.Account]:
        """See Accounts."""
        with rpc.acting_as(token):
            return (await self._stub.get_accounts(account_v1.GetAccountsRequest(skip=skip, take=take))).accounts


class ProductsClient:
    """Products over gRPC."""

    def __init__(self, channel: rpc.Channel) -> None:
        self._stub = channel.stub(product_v1.ProductServiceStub)
        self._by_id = Gatherer(self._gathered, MAX_PRODUCTS)

    async def create(self, token: str, name: str, description: str, price: Money) -> product_v1.Product:
        """See Products."""
        with rpc.acting_as(token):
            request = product_v1.PostProductRequest(name=name, description=description, price=price)
            return present((await self._stub.post_product(request)).product)

    async def update(self, token: str, product: product_v1.Product, version: int | None) -> product_v1.Product:
        """See Products."""
        with rpc.acting_as(token):
            request = product_v1.UpdateProductRequest(
                id=product.id,
                name=product.name,
                description=product.description,
                price=product.price,
                expected_version=version,
            )
            return present((await self._stub.update_product(request)).product)

    async def delete(self, token: str, product_id: str) -> None:
        """See Products."""
        with rpc.acting_as(token):
            await self._stub.delete_product(product_v1.DeleteProductRequest(id=product_id))

    async def get(self, product_id: str) -> product_v1.Product:
        """See Products; what requests ask for at the same time is one call."""
        product = await self._by_id.get(product_id)
        if product is None:
            raise NotFoundError("There is no such product.")
        return product

    async def get_many(self, product_ids: Sequence[str]) -> Sequence[product_v1.Product]:
        """See Products."""
        return await self._list(product_v1.GetProductsRequest(ids=list(product_ids)))

    async def page(self, skip: int, take: int) -> Sequence[product_v1.Product]:
        """See Products."""
        return await self._list(product_v1.GetProductsRequest(skip=skip, take=take))

    async def search(self, query: str, skip: int, take: int) -> Sequence[product_v1.Product]:
        """See Products."""
        return await self._list(product_v1.GetProductsRequest(query=query, skip=skip, take=take))

    async def state(self) -> product_v1.GetCatalogueStateResponse:
        """Answers what a cache has to know besides product_events; see protos/product.proto."""
        with rpc.acting_as(None):
            return await self._stub.get_catalogue_state(product_v1.GetCatalogueStateRequest(), timeout=STATE_SECONDS)

    async def _gathered(self, product_ids: Sequence[str]) -> Mapping[str, product_v1.Product]:
        if len(product_ids) == 1:
            return await self._one(product_ids[0])
        try:
            return {product.id: product for product in await self.get_many(product_ids)}
        except InvalidError:
            # One of them is nothing that can be sent: the others are not to blame.
            alone = await asyncio.gather(*map(self._one, product_ids))
            return {product_id: product for found in alone for product_id, product in found.items()}

    async def _one(self, product_id: str) -> Mapping[str, product_v1.Product]:
        with rpc.acting_as(None):
            try:
                answer = await self._stub.get_product(product_v1.GetProductRequest(id=product_id))
            except (NotFoundError, InvalidError):
                # What cannot even be sent is no product's id either.
                return {}
        return {product_id: present(answer.product)}

    async def _list(self, request: product_v1.GetProductsRequest) -> Sequence[product_v1.Product]:
        with rpc.acting_as(None):
            return (await self._stub.get_products(request)).products


class OrdersClient:
    """Orders over gRPC."""

    def __init__(self, channel: rpc.Channel) -> None:
        self._stub = channel.stub(order_v1.OrderServiceStub)

    async def place(self, token: str, items: Sequence[order_v1.OrderItem], idempotency_key: str) -> order_v1.Order:
        """See Orders."""
        with rpc.acting_as(token):
            request = order_v1.PostOrderRequest(items=list(items), idempotency_key=idempotency_key)
            return present((await self._stub.post_order(request)).order)

    async def get(self, token: str, order_id: int) -> order_v1.Order:
        """See Orders."""
        with rpc.acting_as(token):
            return present((await self._stub.get_order(order_v1.GetOrderRequest(id=order_id))).order)

    async def of_accounts(
        self, token: str, account_ids: Sequence[int], skip: int, take: int
    ) -> Sequence[Sequence[order_v1.Order]]:
        """See Orders."""
        with rpc.acting_as(token):
            request = order_v1.GetOrdersForAccountsRequest(account_ids=list(account_ids), skip=skip, take=take)
            answer = await self._stub.get_orders_for_accounts(request)
        found = {entry.account_id: entry.orders for entry in answer.accounts}
        return [found.get(account_id, []) for account_id in account_ids]


def present(message: M | None) -> M:
    """Answers a member that the contract promises; an answer without it is a service of another version."""
    if message is None:
        raise UnavailableError("A service gave an incomplete answer.")
    return message
