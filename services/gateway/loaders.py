"""One batch a request: what nested or repeated fields ask for one by one is fetched together.

A loader gathers the keys that the resolvers of one request ask for within a turn of the event loop, and answers them
all with one call: the orders of 100 accounts cost as many calls as those of 1. Keys that page differently cannot share
a call, so each page costs one. A loader lives as long as its request, and so does what it remembers.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from strawberry.dataloader import DataLoader

from protos.gen.ecommerce.order.v1 import Order
from protos.gen.ecommerce.payment.v1 import Payment
from protos.gen.ecommerce.product.v1 import Product
from services.errors import EcommerceError, NotFoundError
from services.gateway.clients import MAX_PRODUCTS, Orders, Products
from services.gateway.identity import Caller
from services.gateway.payments import Payments

# What one GetOrdersForAccounts takes (order.proto).
MAX_ACCOUNTS: Final = 100
# What one GetPaymentsForOrders takes (payment.proto).
MAX_ORDERS: Final = 1_000


class OrdersOf(NamedTuple):
    """A page of one account's orders."""

    account_id: int
    skip: int
    take: int


OrdersLoader = DataLoader[OrdersOf, Sequence[Order]]
ProductLoader = DataLoader[str, Product | None]
PaymentsLoader = DataLoader[int, Sequence[Payment]]


def orders_loader(orders: Orders, caller: Caller) -> OrdersLoader:
    """Answers a loader of the orders of accounts, newest first, as the caller may see them."""

    async def load(keys: list[OrdersOf]) -> list[Sequence[Order] | BaseException]:
        token = (await caller.identity()).token
        found: dict[OrdersOf, Sequence[Order] | BaseException] = {}

        async def fetch(batch: list[OrdersOf]) -> None:
            account_ids = [key.account_id for key in batch]
            try:
                pages = await orders.of_accounts(token, account_ids, batch[0].skip, batch[0].take)
            except EcommerceError as error:
                # For these accounts only: the other pages of the request are not to blame.
                found.update(dict.fromkeys(batch, error))
            else:
                found.update(zip(batch, pages, strict=True))

        await asyncio.gather(*(fetch(batch) for batch in _batches(keys)))
        return [found[key] for key in keys]

    return DataLoader(load)


def payments_loader(payments: Payments, caller: Caller) -> PaymentsLoader:
    """Answers a loader of the payments of orders, by the order's id, as the caller may see them."""

    async def load(order_ids: list[int]) -> list[Sequence[Payment]]:
        token = (await caller.identity()).token
        batches = [order_ids[i : i + MAX_ORDERS] for i in range(0, len(order_ids), MAX_ORDERS)]
        answers = await asyncio.gather(*(payments.of_orders(token, batch) for batch in batches))
        return [of_order for answer in answers for of_order in answer]

    return DataLoader(load)


def product_loader(products: Products) -> ProductLoader:
    """Answers a loader of products by id; None stands for one that does not exist."""

    async def load(product_ids: list[str]) -> list[Product | None]:
        if len(product_ids) == 1:
            return [await _get(products, product_ids[0])]
        found = {product.id: product for product in await products.get_many(product_ids)}
        return [found.get(product_id) for product_id in product_ids]

    return DataLoader(load, max_batch_size=MAX_PRODUCTS)


async def _get(products: Products, product_id: str) -> Product | None:
    try:
        return await products.get(product_id)
    except NotFoundError:
        return None


def _batches(keys: Sequence[OrdersOf]) -> list[list[OrdersOf]]:
    """Keys of the same page together, as many as one call takes."""
    pages: dict[tuple[int, int], list[OrdersOf]] = {}
    for key in keys:
        pages.setdefault((key.skip, key.take), []).append(key)
    return [page[i : i + MAX_ACCOUNTS] for page in pages.values() for i in range(0, len(page), MAX_ACCOUNTS)]
