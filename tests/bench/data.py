"""The data set: 2,000 products, 200 accounts, 5 orders of 3 products for each, made through GraphQL like a client's."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.client import CREATE_ORDER, CREATE_PRODUCT, GraphQL

PRODUCTS = 2_000
ACCOUNTS = 200
ORDERS_EACH = 5
LINES_EACH = 3
PASSWORD = "a password for the benchmark"
# Requests under way at once while loading: enough to keep the platform at work, and none waits long for another.
WIDTH = 4

T = TypeVar("T")

ADJECTIVES = ("amber", "brass", "copper", "crimson", "ebony", "golden", "ivory", "jade", "marble", "velvet")
NOUNS = ("anchor", "basket", "candle", "drum", "easel", "flask", "globe", "hammock", "kettle", "lantern")


@dataclass
class Dataset:
    """What was made: product ids with their prices, e-mails with their tokens."""

    products: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


async def load(ask: GraphQL) -> Dataset:
    """Makes the whole data set; the same every time, but for the ids that the platform gives."""
    made = Dataset()
    dice = random.Random(2026)
    await _each(range(ACCOUNTS), lambda n: _register(ask, made, n))
    emails = sorted(made.tokens)
    await _each(range(PRODUCTS), lambda n: _create(ask, made, n, made.tokens[emails[n % ACCOUNTS]]))
    ids = sorted(made.products)
    picks = [(email, dice.sample(ids, LINES_EACH)) for email in emails for _ in range(ORDERS_EACH)]
    await _each(picks, lambda pick: _order(ask, made.tokens[pick[0]], pick[1]))
    return made


async def _each(items: Sequence[T], act: Callable[[T], Awaitable[None]]) -> None:
    places = asyncio.Semaphore(WIDTH)

    async def one(item: T) -> None:
        async with places:
            await act(item)

    await asyncio.gather(*(one(item) for item in items))


async def _register(ask: GraphQL, made: Dataset, number: int) -> None:
    email = f"buyer{number}@example.com"
    made.tokens[email] = await ask.register(email, PASSWORD, f"Buyer {number}")


async def _create(ask: GraphQL, made: Dataset, number: int, token: str) -> None:
    adjective, noun = ADJECTIVES[number % 10], NOUNS[number // 10 % 10]
    product = {
        "name": f"{adjective} {noun} {number}",
        "description": f"A {noun} made of {adjective}, number {number} of the series, packed with care.",
        "price": (number % 5_000 + 99) / 100,
    }
    answer = (await ask(CREATE_PRODUCT, {"p": product}, token))["createProduct"]
    made.products[answer["id"]] = answer["price"]


async def _order(ask: GraphQL, token: str, product_ids: list[str]) -> None:
    order = {"products": [{"id": product_id, "quantity": 1} for product_id in product_ids]}
    await ask(CREATE_ORDER, {"o": order}, token)
