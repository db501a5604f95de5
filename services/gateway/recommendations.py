"""The recommender as the gateway sees it: a port and its client over gRPC, as in clients.py.

It answers ids and reasons; products as they are now come from the product service.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from protos.gen.ecommerce.recommender import v1 as recommender_v1
from services import rpc

# What one GetRecommendationsBasedOnViewed takes (recommender.proto).
MAX_VIEWED: Final = 100
# Longer texts are no product's id, and the recommender refuses them.
MAX_ID: Final = 64
# Seconds. An answer takes milliseconds, and a page with other things on it is better shown without this one than late.
TIMEOUT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Recommended:
    """A page, best first; `model_version` is 0 while there is no model."""

    items: Sequence[recommender_v1.Recommendation]
    model_version: int


class Recommender(Protocol):
    """What to show next; `take` is 1 to 100, InvalidError otherwise."""

    async def for_account(self, token: str, account_id: int, skip: int, take: int) -> Recommended:
        """Goes by what the account did; ForbiddenError where it is another's and the token no administrator's."""

    async def for_viewed(self, product_ids: Sequence[str], skip: int, take: int) -> Recommended:
        """Goes by up to 100 viewed products, of which none is answered; without any, answers what is popular."""


class RecommenderClient:
    """Recommender over gRPC."""

    def __init__(self, channel: rpc.Channel) -> None:
        self._stub = channel.stub(recommender_v1.RecommenderServiceStub)

    async def for_account(self, token: str, account_id: int, skip: int, take: int) -> Recommended:
        """See Recommender."""
        request = recommender_v1.GetRecommendationsRequest(account_id=account_id, skip=skip, take=take)
        with rpc.acting_as(token):
            answer = await self._stub.get_recommendations(request, timeout=TIMEOUT)
        return Recommended(answer.recommendations, answer.model_version)

    async def for_viewed(self, product_ids: Sequence[str], skip: int, take: int) -> Recommended:
        """See Recommender."""
        request = recommender_v1.GetRecommendationsBasedOnViewedRequest(
            product_ids=list(product_ids), skip=skip, take=take
        )
        with rpc.acting_as(None):
            answer = await self._stub.get_recommendations_based_on_viewed(request, timeout=TIMEOUT)
        return Recommended(answer.recommendations, answer.model_version)


def latest_viewed(product_ids: Iterable[str | None]) -> list[str]:
    """Answers the last 100 different ids, oldest first; a session's list grows at its end, without asking how far.

    What can be no id is left out, as an id that no product has would be.
    """
    possible = [product_id for product_id in product_ids if product_id and len(product_id) <= MAX_ID]
    latest = list(dict.fromkeys(reversed(possible)))[:MAX_VIEWED]
    return latest[::-1]
