"""A GraphQL client for tests and benchmarks: one HTTP connection pool, answers with their errors kept apart."""

from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

REGISTER = "mutation($a: RegisterInput!) { register(account: $a) { token } }"
LOGIN = "mutation($a: LoginInput!) { login(account: $a) { token } }"
CREATE_PRODUCT = "mutation($p: CreateProductInput!) { createProduct(product: $p) { id name price version } }"
UPDATE_PRODUCT = "mutation($p: UpdateProductInput!) { updateProduct(product: $p) { id version } }"
CREATE_ORDER = "mutation($o: OrderInput!) { createOrder(order: $o) { id totalPrice products { id price quantity } } }"
PRODUCT_BY_ID = "query($id: String) { product(id: $id) { id name price } }"
SEARCH = "query($q: String) { product(query: $q) { id name } }"
OWN_ORDERS = "query($p: PaginationInput) { accounts { id orders(pagination: $p) { id totalPrice } } }"
OWN_ACCOUNT = "{ accounts { id name email } }"
ORDER = "query($id: Int!) { order(id: $id) { id status totalPrice payments { id status amount refunded currency } } }"
CHECKOUT = "mutation($d: CheckoutInput) { createCheckoutSession(details: $d) { url } }"
RECOMMENDED = "query($p: PaginationInput) { product(byAccountId: true, pagination: $p) { id name } }"
RECOMMENDED_BY_VIEWED = (
    "query($v: [String], $p: PaginationInput) { product(viewedProductsIds: $v, pagination: $p) { id name } }"
)
RECOMMENDATIONS = """query($v: [String!], $p: PaginationInput) {
  recommendations(viewedProductsIds: $v, pagination: $p) { modelVersion items { reason product { id name } } }
}"""
PORTAL = "mutation($c: CustomerPortalSessionInput) { createCustomerPortalSession(credentials: $c) { url } }"


@dataclass(frozen=True)
class Answer:
    """What came back: `data` may be there in part beside `errors`."""

    status: int
    data: dict[str, Any]
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        """The errors' codes, in their order."""
        return [error.get("extensions", {}).get("code", "none") for error in self.errors]


class GraphQL:
    """Posts operations to one address, with an optional Bearer token and further headers; keeps no cookies."""

    def __init__(self, url: str, *, timeout: float = 60.0, connections: int = 16) -> None:
        limits = httpx.Limits(max_connections=connections)
        self._url = url
        # Otherwise an operation without a token would be that of whoever signed in last.
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx.AsyncClient(timeout=timeout, limits=limits, cookies=cookies)

    async def post(
        self, query: str, variables: dict[str, Any] | None = None, token: str | None = None, **headers: str
    ) -> httpx.Response:
        """Answers the raw response."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return await self._client.post(self._url, json={"query": query, "variables": variables or {}}, headers=headers)

    async def ask(
        self, query: str, variables: dict[str, Any] | None = None, token: str | None = None, **headers: str
    ) -> Answer:
        """Answers data and errors, whatever they are."""
        response = await self.post(query, variables, token, **headers)
        body = response.json()
        return Answer(response.status_code, body.get("data") or {}, body.get("errors") or [])

    async def __call__(
        self, query: str, variables: dict[str, Any] | None = None, token: str | None = None, **headers: str
    ) -> dict[str, Any]:
        """Answers the data of an operation that has to work; raises AssertionError with its errors otherwise."""
        answer = await self.ask(query, variables, token, **headers)
        if answer.errors:
            raise AssertionError(f"{answer.status}: {answer.errors}")
        return answer.data

    async def register(self, email: str, password: str = "a password of some length", name: str = "Test") -> str:
        """Makes an account and answers its token."""
        data = await self(REGISTER, {"a": {"name": name, "email": email, "password": password}})
        token: str = data["register"]["token"]
        return token

    async def login(self, email: str, password: str) -> str:
        """Signs in and answers the token."""
        data = await self(LOGIN, {"a": {"email": email, "password": password}})
        token: str = data["login"]["token"]
        return token

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()


async def all_orders(ask: GraphQL, token: str) -> set[int]:
    """Answers the ids of every order of the token's account, read a page at a time."""
    ids: set[int] = set()
    while True:
        (account,) = (await ask(OWN_ORDERS, {"p": {"skip": len(ids), "take": 100}}, token))["accounts"]
        if not account["orders"]:
            return ids
        ids |= {order["id"] for order in account["orders"]}
