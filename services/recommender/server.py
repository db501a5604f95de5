"""The recommender on gRPC: protobuf in and out, nothing else."""

from protos.gen.ecommerce.recommender import v1 as recommender_v1
from services import rpc
from services.recommender.domain import Reason, Recommended
from services.recommender.service import Page, RecommenderService


class RecommenderServer(recommender_v1.RecommenderServiceBase):
    """Answers each call as whoever its verified token says is calling."""

    def __init__(self, service: RecommenderService) -> None:
        self._service = service

    async def get_recommendations(
        self, message: recommender_v1.GetRecommendationsRequest
    ) -> recommender_v1.GetRecommendationsResponse:
        """Recommends to an account."""
        page = Page(message.skip, message.take)
        answer = await self._service.for_account(rpc.caller(), message.account_id, page)
        return recommender_v1.GetRecommendationsResponse(
            recommendations=_items(answer), model_version=answer.model_version
        )

    async def get_recommendations_based_on_viewed(
        self, message: recommender_v1.GetRecommendationsBasedOnViewedRequest
    ) -> recommender_v1.GetRecommendationsBasedOnViewedResponse:
        """Recommends to a session."""
        answer = await self._service.for_viewed(message.product_ids, Page(message.skip, message.take))
        return recommender_v1.GetRecommendationsBasedOnViewedResponse(
            recommendations=_items(answer), model_version=answer.model_version
        )


def _items(answer: Recommended) -> list[recommender_v1.Recommendation]:
    return [
        recommender_v1.Recommendation(product_id=item.product_id, reason=_reason(item.reason)) for item in answer.items
    ]


def _reason(reason: Reason) -> recommender_v1.Reason:
    return recommender_v1.Reason[reason.name]
