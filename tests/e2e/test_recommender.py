"""Claims about recommendations, through the ingress: they follow what accounts view and buy, also after a restart."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import pytest

from tests.client import (
    CREATE_ORDER,
    CREATE_PRODUCT,
    PRODUCT_BY_ID,
    RECOMMENDATIONS,
    RECOMMENDED,
    RECOMMENDED_BY_VIEWED,
)
from tests.e2e.clusters import Stage, is_running, until
from tests.e2e.platforms import Entrance, Platform, a_name

TASTES = {
    "tea": ("Green tea leaves", "Porcelain tea cup", "Bamboo tea whisk", "Black tea tin", "Clay tea pot"),
    "wood": ("Oak plank saw", "Steel wood chisel", "Carpenter's wood plane", "Wood glue", "Oak work bench"),
}
PRODUCTS, SHOPPERS, DEEDS = 10, 10, 6  # of each taste; and deeds of each shopper
# What is promised: seconds from a deed, and from a new product, to recommendations that know of it.
DEED_WITHIN, PRODUCT_WITHIN = 5.0, 60.0
# A model within the time between trainings (see SHOP) and that of a training, on a busy machine.
MODEL_WITHIN = 180.0
PAGE = {"skip": 0, "take": 50}
PODS = "app.kubernetes.io/component in (server, trainer)"


@dataclass(frozen=True)
class Shopper:
    """An account with a taste, and what it bought."""

    token: str
    taste: str
    bought: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Market:
    """A catalogue of two tastes in the shop, and the shoppers who have been there."""

    ask: Entrance
    seller: str
    products: dict[str, list[str]]
    shoppers: list[Shopper]

    async def view(self, token: str | None, product_id: str) -> None:
        """Somebody looks at a product."""
        assert (await self.ask(PRODUCT_BY_ID, {"id": product_id}, token))["product"]

    async def buy(self, token: str, product_id: str) -> None:
        """An account orders a product."""
        await self.ask(CREATE_ORDER, {"o": {"products": [{"id": product_id, "quantity": 1}]}}, token)

    async def put_up(self, name: str, number: int) -> str:
        """A new product."""
        made = {"name": f"{name} {number}", "description": f"{name} for everybody", "price": 19.99}
        product_id: str = (await self.ask(CREATE_PRODUCT, {"p": made}, self.seller))["createProduct"]["id"]
        return product_id

    async def recommended(self, token: str | None, viewed: list[str] | None = None) -> dict[str, Any]:
        """What is recommended, with the model's version and the reasons."""
        answer = await self.ask.ask(RECOMMENDATIONS, {"v": viewed, "p": PAGE}, token)
        return answer.data.get("recommendations") or {"modelVersion": None, "items": []}

    def is_of(self, taste: str, items: list[dict[str, Any]]) -> bool:
        """Whether at least four of the first five are of a taste, for a reason that is the person's own."""
        own = [each["product"]["id"] for each in items[:5] if each["reason"] in {"TASTE", "VIEWED", "SIMILAR"}]
        return len(set(own) & set(self.products[taste])) >= 4


@pytest.fixture
def market(shop: Platform, visited: Market) -> Market:
    """The market, entered by a client of the test's own."""
    return replace(visited, ask=shop.gateway())


@pytest.fixture(scope="module")
async def visited(shop: Platform) -> Market:
    """Two tastes, and twenty accounts that viewed and bought what is of theirs, in turns."""
    ask = shop.gateway()
    seller = await ask.register(a_name())
    market = Market(ask, seller, {}, [])
    for taste, names in TASTES.items():
        market.products[taste] = [await market.put_up(names[n % len(names)], n) for n in range(PRODUCTS)]
        market.shoppers.extend([Shopper(await ask.register(a_name()), taste) for _ in range(SHOPPERS)])
    for turn in turns(market):
        await asyncio.gather(*turn)
    return market


def turns(market: Market) -> Iterator[list[Any]]:
    """Deeds in rounds: in each one everybody views or buys one more product, so that the last ones are everybody's."""
    chance = random.Random(1)
    lists = [(each, chance.sample(market.products[each.taste], DEEDS)) for each in market.shoppers]
    for turn in range(DEEDS):
        buys = turn % 3 == 0
        if buys:
            for shopper, chosen in lists:
                shopper.bought.add(chosen[turn])
        deed = market.buy if buys else market.view
        yield [deed(shopper.token, chosen[turn]) for shopper, chosen in lists]


async def understood(market: Market, shopper: Shopper, within: float) -> int:
    """Waits until a model recommends a shopper the own taste, and nothing bought; answers its version."""

    async def look() -> int:
        found = await market.recommended(shopper.token)
        ids = {each["product"]["id"] for each in found["items"]}
        right = market.is_of(shopper.taste, found["items"]) and not ids & shopper.bought
        return int(found["modelVersion"] or 0) if right else 0

    return await until(look, within=within, what=f"{shopper.taste} is recommended to who likes it")


async def everyone_is_understood(market: Market, within: float) -> int:
    """Waits for that of every shopper; answers the newest version."""
    return max([await understood(market, shopper, within) for shopper in market.shoppers])


async def a_new_account_is_understood(market: Market, taste: str) -> float:
    """Somebody signs up and views two products, and that decides; then buys one, and it is gone.

    Answers the seconds that the slower of the two took.
    """
    token = await market.ask.register(a_name())
    for product_id in market.products[taste][:2]:
        await market.view(token, product_id)

    async def of_the_taste() -> list[Any]:
        items: list[Any] = (await market.recommended(token))["items"]
        return items if market.is_of(taste, items) else []

    began = monotonic()
    items = await until(of_the_taste, within=60, what=f"{taste} is recommended to who viewed it")
    understood = monotonic() - began
    wanted = items[0]["product"]["id"]
    await market.buy(token, wanted)

    async def left_out() -> bool:
        answer = await market.ask(RECOMMENDED, {"p": PAGE}, token)
        return wanted not in {each["id"] for each in answer["product"]}

    began = monotonic()
    await until(left_out, within=60, what="what was bought is no longer recommended")
    return max(understood, monotonic() - began)


async def new_accounts_are_understood(market: Market) -> None:
    """That, for two accounts of each taste; a busy machine may hold one of them up."""
    took = sorted([await a_new_account_is_understood(market, taste) for taste in (*TASTES, *TASTES)])
    print(f"\nseconds from a deed to recommendations that know of it: {[f'{each:.1f}' for each in took]}")
    assert took[1] < DEED_WITHIN, took


async def test_recommendations_follow(market: Market) -> None:
    """Two tastes: every account gets its own, and nothing it bought; a visitor's views decide for the visitor."""
    await everyone_is_understood(market, MODEL_WITHIN)
    await new_accounts_are_understood(market)
    for taste, products in market.products.items():
        viewed = products[:2]
        assert market.is_of(taste, (await market.recommended(None, viewed))["items"])
        page = (await market.ask(RECOMMENDED_BY_VIEWED, {"v": viewed, "p": PAGE}))["product"]
        assert len({each["id"] for each in page}) == len(page)
        assert not {each["id"] for each in page} & set(viewed)


async def test_a_new_product_is_recommended_on_its_first_day(market: Market) -> None:
    """Nobody has looked at it, and within a minute it reaches those who like what is described like it."""
    new = await market.put_up(TASTES["tea"][0], PRODUCTS)
    shopper = next(each for each in market.shoppers if each.taste == "tea")

    async def similar() -> bool:
        items = (await market.recommended(shopper.token))["items"]
        return any(each["product"]["id"] == new and each["reason"] == "SIMILAR" for each in items)

    await until(similar, within=PRODUCT_WITHIN, what="the new product is recommended")


async def test_recommendations_follow_after_a_restart(stage: Stage, shop: Platform, market: Market) -> None:
    """All its pods killed at once: those that come up have the model, know what was done, and learn on."""
    before = await everyone_is_understood(market, MODEL_WITHIN)
    killed = await stage.kill_pods(shop.namespace, f"{shop.of('recommender')},{PODS}")
    assert len(killed) == 3, "two that serve and one that trains"

    async def back() -> bool:
        pods = await stage.all(shop.namespace, "pods", f"{shop.of('recommender')},{PODS}")
        new = [pod for pod in pods if pod["metadata"]["name"] not in killed]
        return len(new) == 3 and all(map(is_running, new))

    await until(back, within=180, what="the recommender's pods run again")
    await shop.ready()
    assert await everyone_is_understood(market, 60) >= before
    await new_accounts_are_understood(market)
