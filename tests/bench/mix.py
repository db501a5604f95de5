"""What visitors of a shop ask for, in the shares that the step load offers.

Of a thousand requests: 500 products by id, 260 pages of the catalogue (nearer ones more often), 150 searches, 50 of
somebody signed in for the own account with its last orders, 30 orders of 3 products, 5 sign-ins and 5 changes of a
product by its owner. A few products and words are asked for most, as Zipf's law has it.
"""

import json
import random
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from tests.bench.arrivals import Call, post
from tests.bench.catalogue import Catalogue
from tests.bench.data import ADJECTIVES, LINES_EACH, NOUNS, PASSWORD
from tests.bench.scenarios import BY_ID, PAGE, PAGE_OF, SEARCH_FOR
from tests.client import CREATE_ORDER, LOGIN, UPDATE_PRODUCT

SHARES: Final[Mapping[str, int]] = {
    "product by id": 500, "page": 260, "search": 150, "own orders": 50, "createOrder": 30, "login": 5, "update": 5,
}  # fmt: skip
PAGES: Final = 50
_OWN: Final = (
    "query($p: PaginationInput) { accounts { id name orders(pagination: $p) {"
    " id createdAt totalPrice products { id name price quantity } } } }"
)


@dataclass(frozen=True)
class Visitors:
    """Where they go, and who of them has an account: tokens in the order of the catalogue's owners."""

    host: str
    port: int
    catalogue: Catalogue
    tokens: Sequence[str]

    def draw(self, seed: int = 1) -> Callable[[], Call]:
        """Answers what draws one request after the other; the same at every run."""
        dice = random.Random(seed)
        kinds = [self._by_id, self._page, self._search, self._own_orders, self._create_order, self._login, self._update]
        bounds = list(accumulate(SHARES.values()))
        popular = Popularity(self.catalogue.products)

        def drawn() -> Call:
            return kinds[bisect(bounds, dice.random() * bounds[-1])](dice, popular)

        return drawn

    def _by_id(self, dice: random.Random, popular: "Popularity") -> Call:
        product_id = Catalogue.product_id(popular.draw(dice))
        return self._call(BY_ID, {"id": product_id}, contains(f'"id":"{product_id}"'))

    def _page(self, dice: random.Random, _popular: "Popularity") -> Call:
        page = min(int(dice.expovariate(0.3)), PAGES - 1)
        return self._call(PAGE_OF, {"p": {"skip": PAGE * page, "take": PAGE}}, contains('"id":', PAGE))

    def _search(self, dice: random.Random, _popular: "Popularity") -> Call:
        words = f"{ADJECTIVES[min(int(dice.expovariate(0.4)), 9)]} {NOUNS[min(int(dice.expovariate(0.4)), 9)]}"
        variables = {"q": words, "p": {"skip": 0, "take": PAGE}}
        return self._call(SEARCH_FOR, variables, contains(f'"name":"{words}', PAGE))

    def _own_orders(self, dice: random.Random, _popular: "Popularity") -> Call:
        variables = {"p": {"skip": 0, "take": 5}}
        return self._call(_OWN, variables, contains('"totalPrice":', 5), dice.choice(self.tokens))

    def _create_order(self, dice: random.Random, popular: "Popularity") -> Call:
        bought = {popular.draw(dice) for _ in range(LINES_EACH)}
        lines = [{"id": Catalogue.product_id(number), "quantity": 1} for number in bought]
        right = contains('"quantity":1', len(lines))
        return self._call(CREATE_ORDER, {"o": {"products": lines}}, right, dice.choice(self.tokens))

    def _login(self, dice: random.Random, _popular: "Popularity") -> Call:
        email = f"buyer{dice.randrange(len(self.tokens))}@example.com"
        return self._call(LOGIN, {"a": {"email": email, "password": PASSWORD}}, contains('"token":"'))

    def _update(self, dice: random.Random, popular: "Popularity") -> Call:
        number = popular.draw(dice)
        product = self.catalogue.product(number)
        price = dice.randrange(99, 5_000) / 100
        changed = {"id": product.id, "name": product.name, "description": product.description, "price": price}
        token = self.tokens[number % len(self.tokens)]
        return self._call(UPDATE_PRODUCT, {"p": changed}, contains(f'"id":"{product.id}"'), token)

    def _call(
        self, query: str, variables: dict[str, Any], right: Callable[[bytes], bool], token: str | None = None
    ) -> Call:
        body = json.dumps({"query": query, "variables": variables}, separators=(",", ":")).encode()
        return Call(post(self.host, self.port, body, token), right)


class Popularity:
    """Draws one of `count` things: the n-th most popular one with a weight of 1/n."""

    def __init__(self, count: int) -> None:
        self._bounds = list(accumulate(1 / (place + 1) for place in range(count)))

    def draw(self, dice: random.Random) -> int:
        """Answers its number, from 0."""
        return min(bisect(self._bounds, dice.random() * self._bounds[-1]), len(self._bounds) - 1)


def contains(text: str, times: int = 1) -> Callable[[bytes], bool]:
    """Answers what tells that a body has this in it so often, and no error."""
    wanted = text.encode()
    return lambda body: b'"errors"' not in body and body.count(wanted) == times
