"""The gateway's whole HTTP application over fakes of the services, called without a socket."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from litestar.types import ASGIApp
from prometheus_client import REGISTRY

from services.gateway.app import create_app
from services.gateway.catalogue_cache import CatalogueCache
from services.gateway.context import Platform
from services.gateway.endpoint import Endpoint, Rules
from services.gateway.health import Readiness
from services.gateway.identity import Cookies
from services.gateway.interactions import Interactions
from services.gateway.limits import Limits
from services.gateway.money import Currency
from services.gateway.schema import SCHEMA
from services.serving import Drain
from services.tokens import Role, Verifier
from tests.factories.gateway import PASSWORD, POLICY, email
from tests.fakes.gateway import FakeAccounts, FakeOrders, FakeProducts, FakePublisher, FakeServices
from tests.fakes.gateway_payments import FakePayments
from tests.fakes.gateway_recommender import FakeRecommender


@dataclass(frozen=True)
class Answer:
    """A response, and what GraphQL clients look at in it."""

    response: httpx.Response
    data: Any
    errors: list[dict[str, Any]]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]

    @property
    def message(self) -> str:
        return str(self.errors[0]["message"])


class Shop:
    """The application, its fakes, and a client."""

    def __init__(
        self,
        rules: Rules | None = None,
        cors_origins: list[str] | None = None,
        catalogue_cache: CatalogueCache | None = None,
    ) -> None:
        self.services = FakeServices()
        self.accounts = FakeAccounts(self.services)
        self.products = FakeProducts(self.services)
        self.orders = FakeOrders(self.services, self.products)
        self.payments = FakePayments(self.services, self.orders)
        self.recommender = FakeRecommender(self.services, self.products, self.orders)
        self.publisher = FakePublisher()
        self.interactions = Interactions(self.publisher)
        self.drain = Drain()
        self.verifier = Verifier(self.services.public_keys, POLICY)
        platform = Platform(
            self.accounts,
            self.products,
            self.orders,
            self.payments,
            self.recommender,
            self.interactions,
            Cookies(secure=True),
            Currency(),
            catalogue_cache,
        )
        endpoint = Endpoint(SCHEMA, platform, self.verifier, self.drain, rules or Rules())
        self.app: ASGIApp = create_app(
            endpoint,
            readiness=Readiness({}),
            drain=self.drain,
            verifier=self.verifier,
            registry=lambda: REGISTRY,
            cors_origins=cors_origins or [],
        )
        transport = httpx.ASGITransport(cast("Any", self.app))
        self.http = httpx.AsyncClient(transport=transport, base_url="https://shop.example")

    async def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        token: str | None = None,
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Answer:
        given = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        encoded = {name: value.encode() if isinstance(value, str) else value for name, value in given.items()}
        body = {"query": query, "variables": variables}
        response = await self.http.post("/graphql", json=body, headers=[*_names(encoded)])
        return answer_of(response)

    async def data(self, query: str, variables: Mapping[str, Any] | None = None, token: str | None = None) -> Any:
        """The data of an operation that has to work."""
        answer = await self.ask(query, variables, token)
        assert not answer.errors
        return answer.data

    async def customer(self) -> str:
        """A registered account's token."""
        return (await self.accounts.register("Ada", email(), PASSWORD)).token

    async def token(self, role: Role = "customer") -> str:
        session = await self.accounts.register("Grace", email(), PASSWORD)
        assert session.account
        return self.services.key.token(session.account.id, role)

    async def product(self, token: str, name: str = "Mug", price: float = 19.99) -> str:
        """A product's id."""
        query = "mutation($p: CreateProductInput!) { createProduct(product: $p) { id } }"
        product = {"name": name, "description": "Holds tea.", "price": price}
        data = await self.data(query, {"p": product}, token)
        return str(data["createProduct"]["id"])


def _names(headers: Mapping[str, bytes]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value) for name, value in headers.items()]


def answer_of(response: httpx.Response) -> Answer:
    body = response.json()
    return Answer(response, body.get("data"), body.get("errors", []))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    yield shop
    await shop.http.aclose()


@pytest.fixture
async def small_shop() -> AsyncIterator[Shop]:
    """A shop with limits low enough to pass in a few words."""
    limits = Limits(
        body=2_000,
        tokens=100,
        depth=3,
        aliases=2,
        root_fields=4,
        fields=20,
        list_items=5,
        objects=5,
        errors=3,
        seconds=0.2,
        concurrent=2,
    )
    shop = Shop(Rules(limits))
    yield shop
    await shop.http.aclose()
