import asyncio
import contextvars
from collections.abc import Coroutine, Iterator
from contextlib import closing
from typing import Any, TypeVar

import pytest

from protos.gen.ecommerce.recommender import v1 as recommender_v1
from services.errors import ForbiddenError, InvalidError, UnauthenticatedError
from services.recommender.domain import Reason
from services.recommender.histories import Histories
from services.recommender.server import RecommenderServer, _reason
from services.recommender.service import RecommenderService
from services.recommender.workers import Workers
from services.rpc import context
from services.tokens import Identity
from tests.unit.recommender.shelves import NOW, model, stock, view
from tests.unit.recommender.stores import ScriptedStore

T = TypeVar("T")


@pytest.fixture
def server() -> Iterator[RecommenderServer]:
    with closing(Workers()) as workers:
        histories = Histories(ScriptedStore({7: [view("east-1")]}), lambda: 0.0)
        yield RecommenderServer(RecommenderService(stock(model()), histories, workers, lambda: NOW))


async def acting_as(caller: Identity | None, call: Coroutine[Any, Any, T]) -> T:
    """Makes the call in a context of its own, as services/rpc does for each one that arrives."""
    own = contextvars.copy_context()
    own.run(context.enter, caller, None)
    return await asyncio.create_task(call, context=own)


async def test_an_account_is_answered_with_reasons(server: RecommenderServer) -> None:
    """A page for the caller: products, why, and the model's version."""
    request = recommender_v1.GetRecommendationsRequest(account_id=7, skip=0, take=2)
    answer = await acting_as(Identity(7, "customer", "a-token"), server.get_recommendations(request))
    assert [(item.product_id, item.reason) for item in answer.recommendations] == [
        ("east-2", recommender_v1.Reason.TASTE),
        ("east-3", recommender_v1.Reason.TASTE),
    ]
    assert answer.model_version == 1


async def test_the_caller_of_the_token_counts(server: RecommenderServer) -> None:
    """Nobody and someone else are told apart."""
    request = recommender_v1.GetRecommendationsRequest(account_id=7, take=2)
    with pytest.raises(UnauthenticatedError):
        await acting_as(None, server.get_recommendations(request))
    with pytest.raises(ForbiddenError):
        await acting_as(Identity(8, "customer", "a-token"), server.get_recommendations(request))


async def test_a_session_needs_no_one(server: RecommenderServer) -> None:
    """Nobody is signed in, and skip and take are those of the request."""
    request = recommender_v1.GetRecommendationsBasedOnViewedRequest(product_ids=["north-1"], take=1)
    answer = await acting_as(None, server.get_recommendations_based_on_viewed(request))
    assert [(item.product_id, item.reason) for item in answer.recommendations] == [
        ("north-2", recommender_v1.Reason.VIEWED)
    ]
    none = recommender_v1.GetRecommendationsBasedOnViewedRequest(product_ids=["north-1"])
    with pytest.raises(InvalidError):
        await acting_as(None, server.get_recommendations_based_on_viewed(none))


def test_every_reason_has_a_word_on_the_wire() -> None:
    """The domain's reasons and those of the interface are the same, but for the one that says nothing."""
    assert {_reason(reason) for reason in Reason} == set(recommender_v1.Reason) - {recommender_v1.Reason.UNSPECIFIED}
