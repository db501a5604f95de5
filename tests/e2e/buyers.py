"""Somebody who buys: signs up, orders, and pays on the provider's page in a browser, all through the ingress."""

import re
from dataclasses import dataclass
from typing import Any, Self

from playwright.async_api import Page

from tests.client import CHECKOUT, CREATE_ORDER, CREATE_PRODUCT, ORDER, OWN_ACCOUNT, PORTAL
from tests.e2e.clusters import until
from tests.e2e.platforms import Entrance, Platform, a_name

PRICE, QUANTITY, TOTAL = 19.99, 2, 39.98


@dataclass(frozen=True)
class Buyer:
    """An account of a platform, and what it does there."""

    platform: Platform
    ask: Entrance
    token: str
    account: dict[str, Any]

    @classmethod
    async def of(cls, platform: Platform) -> Self:
        """Signs somebody up."""
        ask = platform.gateway()
        token = await ask.register(a_name(), name="Ada Lovelace")
        (account,) = (await ask(OWN_ACCOUNT, token=token))["accounts"]
        return cls(platform, ask, token, account)

    @property
    def back(self) -> str:
        """Where the provider's page sends the buyer in the end: a page of the shop."""
        return f"http://{self.platform.host}/playground?from=payment"

    async def order(self) -> int:
        """Puts up a product, orders it, and answers the order's id."""
        kettle = {"name": "Kettle", "description": "Boils a litre", "price": PRICE}
        product = (await self.ask(CREATE_PRODUCT, {"p": kettle}, self.token))["createProduct"]["id"]
        basket = {"products": [{"id": product, "quantity": QUANTITY}]}
        order: int = (await self.ask(CREATE_ORDER, {"o": basket}, self.token))["createOrder"]["id"]
        return order

    async def checkout(self, order: int) -> str:
        """Answers the address of the page where the order is paid."""
        variables = {"d": self.details(order)}
        url: str = (await self.ask(CHECKOUT, variables, self.token))["createCheckoutSession"]["url"]
        return url

    def details(self, order: int) -> dict[str, Any]:
        """Answers what a checkout is asked for with."""
        return {**self._person(), "redirectUrl": self.back, "products": [], "orderId": order}

    async def portal(self) -> str:
        """Answers the address of the page with the buyer's payments."""
        url: str = (await self.ask(PORTAL, {"c": self._person()}, self.token))["createCustomerPortalSession"]["url"]
        return url

    async def sees(self, order: int, status: str, within: float = 60) -> dict[str, Any]:
        """Waits until GraphQL shows the order in a status, and answers it with its payments."""

        async def look() -> dict[str, Any] | None:
            found: dict[str, Any] = (await self.ask.ask(ORDER, {"id": order}, self.token)).data.get("order") or {}
            return found if found.get("status") == status and found["payments"] is not None else None

        return await until(look, within=within, what=f"order {order} is {status}")

    async def press(self, page: Page, button: str) -> None:
        """Presses a button of the provider's checkout page, and waits until the buyer is back in the shop."""
        await page.get_by_role("button", name=re.compile(rf"^{button}")).click()
        await page.wait_for_url(re.compile(rf"^{re.escape(self.back)}&"))

    def _person(self) -> dict[str, Any]:
        return {"accountId": self.account["id"], "email": self.account["email"], "name": self.account["name"]}
