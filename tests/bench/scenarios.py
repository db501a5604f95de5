"""The operations that are measured: what is sent, and how a right answer is told from a wrong one.

A read is asked for once before it is measured: its answer is checked here, field by field, and from then on the load
tool demands that very answer, byte by byte. Writes answer something new each time, so they are held to a pattern.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bench.data import ADJECTIVES, LINES_EACH, NOUNS, PASSWORD, Dataset
from tests.client import LOGIN, GraphQL

# Different requests of one operation, taken in turn.
VARIANTS = 100
PAGE = 20


@dataclass(frozen=True)
class Request:
    """One POST to /graphql: a GraphQL document, its variables, and the token that goes with it."""

    query: str
    variables: dict[str, Any]
    token: str | None = None

    @property
    def body(self) -> str:
        """What is sent."""
        return json.dumps({"query": self.query, "variables": self.variables}, separators=(",", ":"))


@dataclass(frozen=True)
class Scenario:
    """An operation: `variants` of it, and for an answer either `check` (asked for once) or a Lua `pattern`."""

    name: str
    requests: list[Request]
    check: Callable[[Request, dict[str, Any]], bool] | None = None
    pattern: str | None = None

    @property
    def may_be_kept(self) -> bool:
        """Whether a response cache may answer it: a read that is asked for by nobody in particular."""
        return self.check is not None and all(request.token is None for request in self.requests)


def scenarios(made: Dataset, administrator: str) -> list[Scenario]:
    """Answers what is measured, reads before writes, so that the answers of reads stay the same."""
    dice = random.Random(7)
    return [
        _product_by_id(made, dice),
        _catalogue_page(),
        search(),
        _accounts_with_orders(administrator),
        _login(made),
        _create_order(made, dice),
    ]


async def expected_bodies(scenario: Scenario, ask: GraphQL) -> list[str]:
    """Answers the body of each of its requests' answers; raises RuntimeError when one of them is not right.

    Empty where the scenario goes by a pattern.
    """
    bodies = []
    for request in scenario.requests if scenario.check else []:
        response = await ask.post(request.query, request.variables, request.token)
        answer = response.json()
        if answer.get("errors") or scenario.check is None or not scenario.check(request, answer["data"]):
            raise RuntimeError(f"{scenario.name}: a wrong answer to {request.variables}: {answer}")
        bodies.append(response.text)
    return bodies


FIELDS = "id name description price accountId"
BY_ID = f"query($id: String) {{ product(id: $id) {{ {FIELDS} }} }}"
PAGE_OF = f"query($p: PaginationInput) {{ product(pagination: $p) {{ {FIELDS} }} }}"
SEARCH_FOR = f"query($q: String, $p: PaginationInput) {{ product(query: $q, pagination: $p) {{ {FIELDS} }} }}"
PLACE_ORDER = (
    "mutation($o: OrderInput!) { createOrder(order: $o) {"
    " id createdAt totalPrice products { id name price quantity } } }"
)
_LINE = r'{"id":"[%w-]+","name":"[%w ]+","price":[%d.]+,"quantity":1}'
# Lua's pattern of a placed order.
PLACED_ORDER = (
    r'^{"data":{"createOrder":{"id":%d+,"createdAt":"[%w:.+-]+","totalPrice":[%d.]+,"products":%['
    + ",".join([_LINE] * LINES_EACH)
    + "%]}}}$"
)


def _product_by_id(made: Dataset, dice: random.Random) -> Scenario:
    def right(request: Request, data: dict[str, Any]) -> bool:
        (product,) = data["product"]
        wanted = request.variables["id"]
        return bool(product["id"] == wanted and product["price"] == made.products[wanted])

    ids = dice.sample(sorted(made.products), VARIANTS)
    return Scenario("product by id", [Request(BY_ID, {"id": each}) for each in ids], right)


def _catalogue_page() -> Scenario:
    def right(_request: Request, data: dict[str, Any]) -> bool:
        return len({product["id"] for product in data["product"]}) == PAGE

    pages = [{"p": {"skip": PAGE * n, "take": PAGE}} for n in range(VARIANTS)]
    return Scenario(f"catalogue page of {PAGE}", [Request(PAGE_OF, page) for page in pages], right)


def search() -> Scenario:
    """Answers the scenario of a search that fills a page, for the data set or any catalogue of its shape."""

    def right(request: Request, data: dict[str, Any]) -> bool:
        names = [product["name"] for product in data["product"]]
        return len(names) == PAGE and all(name.startswith(request.variables["q"]) for name in names)

    words = [f"{adjective} {noun}" for adjective, noun in zip(ADJECTIVES, NOUNS, strict=True)]
    page = {"skip": 0, "take": PAGE}
    return Scenario(f"search of {PAGE}", [Request(SEARCH_FOR, {"q": word, "p": page}) for word in words], right)


def _accounts_with_orders(administrator: str) -> Scenario:
    query = (
        "query($p: PaginationInput) { accounts(pagination: $p) { id name email orders {"
        " id createdAt totalPrice products { id name price quantity } } } }"
    )

    def right(_request: Request, data: dict[str, Any]) -> bool:
        orders = [order for account in data["accounts"] for order in account["orders"]]
        return len(data["accounts"]) == PAGE and all(len(order["products"]) == LINES_EACH for order in orders)

    pages = [{"p": {"skip": 1 + PAGE * n, "take": PAGE}} for n in range(9)]
    requests = [Request(query, page, administrator) for page in pages]
    return Scenario(f"{PAGE} accounts with orders", requests, right)


def _login(made: Dataset) -> Scenario:
    accounts = [{"a": {"email": email, "password": PASSWORD}} for email in sorted(made.tokens)[:VARIANTS]]
    pattern = r'^{"data":{"login":{"token":"[%w_-]+%.[%w_-]+%.[%w_-]+"}}}$'
    return Scenario("login", [Request(LOGIN, account) for account in accounts], pattern=pattern)


def _create_order(made: Dataset, dice: random.Random) -> Scenario:
    ids = sorted(made.products)
    requests = []
    for token in list(made.tokens.values())[:VARIANTS]:
        lines = [{"id": product_id, "quantity": 1} for product_id in dice.sample(ids, LINES_EACH)]
        requests.append(Request(PLACE_ORDER, {"o": {"products": lines}}, token))
    return Scenario("createOrder of 3", requests, pattern=PLACED_ORDER)
