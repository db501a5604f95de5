"""The recommender behind the gateway in memory, without a model: what was seen, what is popular, what is new."""

from collections.abc import Iterator, Sequence

from protos.gen.ecommerce.recommender.v1 import Reason, Recommendation
from services.errors import ForbiddenError, InvalidError
from services.gateway.recommendations import MAX_ID, MAX_VIEWED, Recommended
from tests.fakes.gateway import FakeOrders, FakeProducts, FakeServices


class FakeRecommender:
    """Goes by `views`, the orders and the products of the other fakes; a test may give it a model and its tastes."""

    def __init__(self, services: FakeServices, products: FakeProducts, orders: FakeOrders) -> None:
        self._services = services
        self._products = products
        self._orders = orders
        # What each account viewed.
        self.views: dict[int, list[str]] = {}
        self.popular: list[str] = []
        # What a model would put first, whoever asks.
        self.tastes: list[Recommendation] = []
        self.model_version = 0
        # The viewed products of each call that went by them.
        self.sessions: list[list[str]] = []

    async def for_account(self, token: str, account_id: int, skip: int, take: int) -> Recommended:
        self._services.note("recommender", "for_account")
        caller = self._services.caller(token)
        if account_id != caller.account_id and not caller.is_administrator:
            raise ForbiddenError("This belongs to another account.")
        return self._page(self._bought(account_id), self.views.get(account_id, []), skip, take)

    async def for_viewed(self, product_ids: Sequence[str], skip: int, take: int) -> Recommended:
        self._services.note("recommender", "for_viewed")
        if len(product_ids) > MAX_VIEWED or any(len(product_id) > MAX_ID for product_id in product_ids):
            raise InvalidError("At most 100 products can be gone by.")
        self.sessions.append(list(product_ids))
        return self._page(set(product_ids), [], skip, take)

    def _page(self, without: set[str], seen: Sequence[str], skip: int, take: int) -> Recommended:
        if skip < 0 or not 1 <= take <= 100:
            raise InvalidError("skip must not be negative, and take be 1 to 100.")
        first: dict[str, Recommendation] = {}
        for each in self._all(seen):
            # What the model says of a product that is gone is what the gateway has to cope with.
            if each.product_id not in without and (each in self.tastes or each.product_id in self._products.rows):
                first.setdefault(each.product_id, each)
        return Recommended(list(first.values())[skip : skip + take], self.model_version)

    def _all(self, seen: Sequence[str]) -> Iterator[Recommendation]:
        yield from self.tastes
        yield from (Recommendation(product_id, Reason.SEEN) for product_id in seen)
        yield from (Recommendation(product_id, Reason.POPULAR) for product_id in self.popular)
        yield from (Recommendation(product_id, Reason.NEW) for product_id in reversed(self._products.rows))

    def _bought(self, account_id: int) -> set[str]:
        orders = [order for order in self._orders.rows.values() if order.account_id == account_id]
        return {line.product_id for order in orders for line in order.lines}
