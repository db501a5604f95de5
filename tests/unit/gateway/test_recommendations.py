"""Claims about recommendations: whose they are, what they go by, what they cost, and what stays without them."""

from typing import Any

import pytest

from protos.gen.ecommerce.recommender.v1 import Reason, Recommendation
from services.errors import UnavailableError
from services.gateway.recommendations import latest_viewed
from services.gateway.types import RecommendationReason
from tests.unit.gateway.conftest import Shop

BY_CALLER = "query($p: PaginationInput) { product(byAccountId: true, pagination: $p) { id } }"
BY_VIEWED = "query($v: [String], $p: PaginationInput) { product(viewedProductsIds: $v, pagination: $p) { id } }"
TOLD = """query($v: [String!], $p: PaginationInput) {
  recommendations(viewedProductsIds: $v, pagination: $p) { modelVersion items { reason product { id name price } } }
}"""
BUY = "mutation($o: OrderInput!) { createOrder(order: $o) { id } }"
PAGE = {"skip": 0, "take": 100}


async def _products(shop: Shop, count: int) -> list[str]:
    owner = await shop.customer()
    return [await shop.product(owner, f"Mug {n}") for n in range(count)]


async def _ids(shop: Shop, query: str, variables: dict[str, Any], token: str | None = None) -> list[str]:
    return [product["id"] for product in (await shop.data(query, variables, token))["product"]]


def _told(data: Any) -> list[tuple[str, str]]:
    return [(item["product"]["id"], item["reason"]) for item in data["recommendations"]["items"]]


# What they go by. -----------------------------------------------------------------------------------------------------


async def test_the_caller_is_asked_for_a_sign_in(shop: Shop) -> None:
    """Without a token, or with an expired one, byAccountId is UNAUTHENTICATED, and nobody is asked."""
    await _products(shop, 1)
    shop.services.calls.clear()
    assert (await shop.ask(BY_CALLER)).codes == ["UNAUTHENTICATED"]
    assert (await shop.ask(BY_CALLER, token=shop.services.key.expired_token(1))).codes == ["UNAUTHENTICATED"]
    assert not shop.services.calls


async def test_what_the_caller_did_is_gone_by(shop: Shop) -> None:
    """Seen before new, and never what the caller has bought; another caller gets other products."""
    first, second, third = await _products(shop, 3)
    token, other = await shop.customer(), await shop.customer()
    await shop.data(BUY, {"o": {"products": [{"id": third, "quantity": 1}]}}, token)
    shop.recommender.views[2] = [first]
    assert await _ids(shop, BY_CALLER, {}, token) == [first, second]
    assert await _ids(shop, BY_CALLER, {}, other) == [third, second, first]
    told = _told(await shop.data(TOLD, token=token))
    assert told == [(first, "SEEN"), (second, "NEW")]


async def test_viewed_products_go_before_the_caller(shop: Shop) -> None:
    """With viewed products given, who is signed in counts for nothing, and the viewed ones are not answered."""
    first, second, third = await _products(shop, 3)
    token = await shop.customer()
    shop.recommender.views[2] = [second]
    for given in (None, token, shop.services.key.expired_token(2)):
        assert await _ids(shop, BY_VIEWED, {"v": [None, first, ""]}, given) == [third, second]
        assert _told(await shop.data(TOLD, {"v": [first]}, given)) == [(third, "NEW"), (second, "NEW")]
    assert shop.recommender.sessions == [[first]] * 6


async def test_a_visitor_gets_what_is_popular(shop: Shop) -> None:
    """Without viewed products and sign-in, or with a token that is not accepted, recommendations go by nobody."""
    first, second = await _products(shop, 2)
    shop.recommender.popular = [first]
    strange = "no token at all"
    for variables, token in (({}, None), ({"v": []}, None), ({"v": [""]}, strange), ({}, strange)):
        assert _told(await shop.data(TOLD, variables, token)) == [(first, "POPULAR"), (second, "NEW")]
    assert shop.recommender.sessions == [[]] * 4


async def test_a_service_has_no_recommendations_of_its_own(shop: Shop) -> None:
    """The token of a service is no account's: it is answered as a visitor is."""
    (product,) = await _products(shop, 1)
    token = shop.services.key.token(0, "service")
    assert _told(await shop.data(TOLD, token=token)) == [(product, "NEW")]
    assert shop.services.counts["recommender.for_account"] == 0


async def test_only_the_last_viewed_travel(shop: Shop) -> None:
    """A session's list may grow as it likes: its last 100 different ids count, and what can be no id does not."""
    await _products(shop, 1)
    viewed = [f"product-{n}" for n in range(300)]
    await shop.data(BY_VIEWED, {"v": ["x" * 65, *viewed, viewed[0]]})
    assert shop.recommender.sessions == [[*viewed[201:], viewed[0]]]


def test_the_last_mention_counts() -> None:
    """An id viewed twice is as new as its last view; nulls and blanks are nothing."""
    assert latest_viewed(["a", None, "b", "", "a", "c"]) == ["b", "a", "c"]


# What is answered. ----------------------------------------------------------------------------------------------------


async def test_the_version_and_every_reason_are_told(shop: Shop) -> None:
    """`recommendations` says which model was asked, null without one, and names each reason as the recommender does."""
    products = await _products(shop, len(RecommendationReason))
    assert (await shop.data(TOLD))["recommendations"]["modelVersion"] is None
    shop.recommender.model_version = 7
    reasons = [reason for reason in Reason if reason is not Reason.UNSPECIFIED]
    shop.recommender.tastes = [Recommendation(each, why) for each, why in zip(products, reasons, strict=True)]
    data = await shop.data(TOLD)
    assert data["recommendations"]["modelVersion"] == 7
    assert _told(data) == [(each, why.name) for each, why in zip(products, reasons, strict=True)]


async def test_products_are_as_they_are_now(shop: Shop) -> None:
    """The order is the recommender's, the product the catalogue's, and one that is gone by now is left out."""
    first, second = await _products(shop, 2)
    shop.recommender.tastes = [Recommendation(each, Reason.TASTE) for each in (second, "gone", first)]
    change = "mutation($p: UpdateProductInput!) { updateProduct(product: $p) { id } }"
    new = {"id": first, "name": "Cup", "description": "", "price": 5}
    await shop.data(change, {"p": new}, shop.services.key.token(1))
    items = (await shop.data(TOLD))["recommendations"]["items"]
    assert [item["product"] for item in items] == [
        {"id": second, "name": "Mug 1", "price": 19.99},
        {"id": first, "name": "Cup", "price": 5.0},
    ]
    assert await _ids(shop, BY_CALLER, {}, shop.services.key.token(1)) == [second, first]


async def test_pages_follow_each_other(shop: Shop) -> None:
    """`skip` and `take` page as everywhere: without gap or overlap, 100 at most, all by default."""
    products = await _products(shop, 105)
    token = await shop.customer()
    for query, token_given in ((BY_CALLER, token), (BY_VIEWED, None)):
        pages = [
            await _ids(shop, query, {"v": ["other"], "p": {"skip": skip, "take": 2**31 - 1}}, token_given)
            for skip in (0, 100, 2**31 - 1)
        ]
        assert [len(page) for page in pages] == [100, 5, 0]
        assert pages[0] + pages[1] == products[::-1]
        assert await _ids(shop, query, {"v": ["other"]}, token_given) == pages[0]
    told = [_told(await shop.data(TOLD, {"p": {"skip": 50 * n, "take": 50}})) for n in range(3)]
    assert [product_id for page in told for product_id, _ in page] == products[::-1]


async def test_none_can_be_asked_for(shop: Shop) -> None:
    """`take: 0` answers no product, and costs nobody anything where there is no version to be told."""
    await _products(shop, 2)
    token = await shop.customer()
    shop.recommender.model_version = 3
    shop.services.calls.clear()
    none = {"v": ["some"], "p": {"skip": 0, "take": 0}}
    assert await _ids(shop, BY_VIEWED, none) == await _ids(shop, BY_CALLER, none, token) == []
    assert not shop.services.calls
    assert (await shop.data(TOLD, none))["recommendations"] == {"modelVersion": 3, "items": []}


@pytest.mark.parametrize("page", [{"skip": -1, "take": 1}, {"skip": 0, "take": -1}])
async def test_negative_pages_are_refused(shop: Shop, page: dict[str, int]) -> None:
    """INVALID, before anybody is asked."""
    token = await shop.customer()
    shop.services.calls.clear()
    for query in (BY_CALLER, BY_VIEWED, TOLD):
        answer = await shop.ask(query, {"v": ["some"], "p": page}, token)
        assert (answer.codes, answer.message) == (["INVALID"], "skip and take must not be negative.")
    assert not shop.services.calls


# What they cost. ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 100])
@pytest.mark.parametrize("query", [BY_CALLER, BY_VIEWED, TOLD])
async def test_a_page_is_two_calls(shop: Shop, query: str, count: int) -> None:
    """One to the recommender and one to the product service, for 2 products and for 100."""
    await _products(shop, count)
    token = await shop.customer()
    shop.services.calls.clear()
    await shop.data(query, {"v": ["other"], "p": PAGE}, token)
    asked = "for_account" if query == BY_CALLER else "for_viewed"
    assert shop.services.calls == [f"recommender.{asked}", "products.get_many"]


async def test_what_is_not_asked_for_costs_nothing(shop: Shop) -> None:
    """The version alone needs no product."""
    await _products(shop, 2)
    shop.services.calls.clear()
    await shop.data("{ recommendations { modelVersion } }")
    assert shop.services.calls == ["recommender.for_viewed"]


async def test_two_pages_share_their_products(shop: Shop) -> None:
    """Fields of one request ask for their products together, each product once."""
    products = await _products(shop, 3)
    shop.services.calls.clear()
    query = """{ a: recommendations { items { product { id } } items { reason } } b: product(viewedProductsIds: ["x"])
      { id } }"""
    data = await shop.data(query)
    assert [product["id"] for product in data["b"]] == products[::-1]
    assert shop.services.counts == {"recommender.for_viewed": 2, "products.get_many": 1}


async def test_many_products_travel_in_pages(shop: Shop) -> None:
    """More products than a page, which could be too large for one answer, are fetched by several calls."""
    products = await _products(shop, 150)
    shop.services.calls.clear()
    query = """{ a: recommendations(pagination: {skip: 0, take: 100}) { items { product { id } } }
      b: recommendations(pagination: {skip: 100, take: 100}) { items { product { id } } } }"""
    data = await shop.data(query)
    found = [item["product"]["id"] for page in ("a", "b") for item in data[page]["items"]]
    assert found == products[::-1]
    assert shop.services.counts["products.get_many"] == 2


async def test_being_shown_is_no_view(shop: Shop) -> None:
    """Recommended products are not told as viewed: otherwise recommendations would feed on themselves."""
    await _products(shop, 3)
    token = await shop.customer()
    await shop.data(BY_CALLER, token=token)
    await shop.data(BY_VIEWED, {"v": ["some"]}, token)
    await shop.data(TOLD, token=token)
    assert shop.interactions._left() == 0


# Without them. --------------------------------------------------------------------------------------------------------


async def test_the_rest_does_without_them(shop: Shop) -> None:
    """With the recommender away its field is null with UNAVAILABLE, and everything else of the request is answered."""
    (product,) = await _products(shop, 1)
    shop.services.failures["recommender"] = UnavailableError("RecommenderService does not answer now.")
    answer = await shop.ask("{ product { id } recommendations { modelVersion } }")
    assert answer.codes == ["UNAVAILABLE"]
    assert answer.data == {"product": [{"id": product}], "recommendations": None}
    assert (await shop.ask(BY_VIEWED, {"v": ["some"]})).codes == ["UNAVAILABLE"]


async def test_products_that_cannot_be_had_are_an_error(shop: Shop) -> None:
    """With the product service away there is nothing to be shown, and it says so."""
    await _products(shop, 2)
    shop.services.failures["products"] = UnavailableError("ProductService does not answer now.")
    answer = await shop.ask(TOLD)
    assert (answer.codes, answer.data) == (["UNAVAILABLE"], {"recommendations": None})
    assert (await shop.ask(BY_VIEWED, {"v": ["some"]})).codes == ["UNAVAILABLE"]
