"""Claims about cached reads over HTTP: who gets them, when they are right, and what HTTP makes of them."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from services.errors import UnavailableError
from services.gateway.catalogue_cache import CatalogueCache
from services.gateway.endpoint import Rules
from services.gateway.limits import Limits
from tests.unit.gateway.conftest import Shop
from tests.unit.gateway.test_catalogue_cache import Events

PAGE = "{ product { id name } }"
SEARCH = "query($q: String) { product(query: $q) { id name } }"
BY_ID = "query($id: String) { product(id: $id) { id name version } }"
UPDATE = "mutation($p: UpdateProductInput!) { updateProduct(product: $p) { version } }"
READS = ("products.page", "products.search", "products.get", "products.get_many")


class CachedShop(Shop):
    """A shop whose gateway has a cache, over events that a test stops and starts."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.events = Events()
        super().__init__(rules, catalogue_cache=CatalogueCache(self.events, 1_000_000))

    @property
    def reads(self) -> int:
        """How often the product service was asked to read."""
        return sum(self.services.counts[name] for name in READS)

    async def get(self, query: str, headers: dict[str, str] | None = None, **parameters: str) -> httpx.Response:
        return await self.http.get("/graphql", params={"query": query, **parameters}, headers=headers)


@pytest.fixture
async def shop() -> AsyncIterator[CachedShop]:
    shop = CachedShop()
    yield shop
    await shop.http.aclose()


async def _update(shop: Shop, token: str, product: str, name: str) -> Any:
    changed = {"id": product, "name": name, "description": "", "price": 1.0}
    return await shop.ask(UPDATE, {"p": changed}, token)


def _counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("gateway_catalogue_cache_total", {"outcome": outcome}) or 0.0


async def test_an_unchanged_read_is_answered_from_the_cache(shop: CachedShop) -> None:
    """By id, by page and by search, what was asked before is answered in the same words without asking a service."""
    product = await shop.product(await shop.customer())
    for query, variables in ((PAGE, None), (SEARCH, {"q": "mug"}), (BY_ID, {"id": product}), (BY_ID, {"id": "none"})):
        before = shop.reads
        first = await shop.ask(query, variables)
        again = [await shop.ask(query, variables), await shop.ask(query.replace(" ", "\n"), variables)]
        assert {answer.response.content for answer in again} == {first.response.content}
        assert not first.errors
        assert shop.reads == before + 1


async def test_what_the_cache_did_is_counted(shop: CachedShop) -> None:
    """Misses, hits and those who pass by are told apart, and each is a request like any other."""
    before = {outcome: _counted(outcome) for outcome in ("hit", "miss", "bypass")}
    for _ in range(3):
        await shop.ask(PAGE)
    await shop.ask(PAGE, token=await shop.customer())
    await shop.ask("{ __typename }")
    assert {outcome: _counted(outcome) - count for outcome, count in before.items()} == {
        "hit": 2,
        "miss": 1,
        "bypass": 1,
    }


async def test_a_change_through_this_gateway_shows_at_once(shop: CachedShop) -> None:
    """A creation, an update and a deletion are seen by the very next anonymous read of each kind."""
    token = await shop.customer()

    async def names() -> list[list[str]]:
        read = [await shop.data(PAGE), await shop.data(SEARCH, {"q": "mug"}), await shop.data(BY_ID, {"id": product})]
        return [[each["name"] for each in data["product"]] for data in read]

    product = await shop.product(token, "Old mug")
    assert await names() == [["Old mug"]] * 3
    assert not (await _update(shop, token, product, "New mug")).errors
    assert await names() == [["New mug"]] * 3
    await shop.product(token, "Other mug")
    assert await names() == [["New mug", "Other mug"], ["New mug", "Other mug"], ["New mug"]]
    await shop.data("mutation($id: String!) { deleteProduct(id: $id) }", {"id": product}, token)
    assert await names() == [["Other mug"], ["Other mug"], []]


async def test_a_refused_change_drops_nothing(shop: CachedShop) -> None:
    """Who may not change a product cannot make the gateway forget it either."""
    product = await shop.product(await shop.customer())
    await shop.data(BY_ID, {"id": product})
    reads = shop.reads
    assert (await _update(shop, await shop.customer(), product, "Mine")).codes == ["FORBIDDEN"]
    await shop.data(BY_ID, {"id": product})
    assert shop.reads == reads


async def test_a_change_of_unknown_outcome_counts_as_one(shop: CachedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that was made although its answer got lost is seen by the next read."""
    token = await shop.customer()
    product = await shop.product(token)
    await shop.data(BY_ID, {"id": product})
    update = shop.products.update

    async def lose(*given: Any) -> Any:
        await update(*given)
        raise UnavailableError("The answer got lost.")

    monkeypatch.setattr(shop.products, "update", lose)
    assert (await _update(shop, token, product, "New")).codes == ["UNAVAILABLE"]
    assert (await shop.data(BY_ID, {"id": product}))["product"][0]["name"] == "New"


async def test_who_is_signed_in_passes_the_cache_by(shop: CachedShop) -> None:
    """With a token, in the header or in the cookie, each read is answered anew, and what it shows is not kept."""
    token = await shop.customer()
    await shop.ask(PAGE)
    reads = shop.reads
    signed_in = [
        await shop.ask(PAGE, token=token),
        await shop.ask(PAGE, headers={"Cookie": f"a=b; token={token}"}),
        await shop.ask(PAGE, headers={"Authorization": "Bearer nonsense"}),
        await shop.ask(PAGE, headers={"Authorization": ""}),
    ]
    assert shop.reads == reads + 4
    assert {answer.response.headers["cache-control"] for answer in signed_in} == {"no-store"}
    assert not any("etag" in answer.response.headers for answer in signed_in)
    await shop.ask(PAGE, headers={"Cookie": "theme=dark; token="})
    assert shop.reads == reads + 4


async def test_nothing_comes_from_the_cache_without_events(shop: CachedShop) -> None:
    """While the stream of events is not live each read is answered anew; afterwards the cache serves again."""
    await shop.ask(PAGE)
    shop.events.live = False
    answers = [await shop.ask(PAGE) for _ in range(2)]
    assert shop.reads == 3
    assert {answer.response.headers["cache-control"] for answer in answers} == {"no-store"}
    shop.events.live = True
    await shop.ask(PAGE)
    assert shop.reads == 3


async def test_answers_with_errors_are_not_kept(shop: CachedShop) -> None:
    """A failure is told to those who asked, and the next who asks is answered anew."""
    shop.services.failures["products"] = UnavailableError("Products cannot be had now.")
    assert (await shop.ask(PAGE)).codes == ["UNAVAILABLE"]
    shop.services.failures.clear()
    assert not (await shop.ask(PAGE)).errors


async def test_recommendations_are_not_kept(shop: CachedShop) -> None:
    """Products by what was viewed are up to the recommender, of which no event of a product tells."""
    product = await shop.product(await shop.customer())
    query = "query($v: [String]) { product(viewedProductsIds: $v) { id } }"
    for _ in range(2):
        answer = await shop.ask(query, {"v": [product]})
        assert answer.response.headers["cache-control"] == "no-store"
    assert shop.services.counts["recommender.for_viewed"] == 2


async def test_each_who_sees_a_product_has_viewed_it(shop: CachedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hits and those who share a computation tell of a view each, as anybody; who sees a page has viewed none."""
    views: list[tuple[str, int | None]] = []
    monkeypatch.setattr(shop.interactions, "viewed", lambda product, account: views.append((product, account)))
    product = await shop.product(await shop.customer())
    twice = "query($id: String) { a: product(id: $id) { id } b: product(id: $id) { id } }"
    await asyncio.gather(*(shop.ask(twice, {"id": product}) for _ in range(5)))
    await shop.ask(twice, {"id": product})
    await shop.ask(PAGE)
    assert views == [(product, None)] * 6


async def test_many_callers_are_one_call(shop: CachedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred who ask at once cost one call; those who give up leave the others their answer."""
    page, go, arrived, calls = shop.products.page, asyncio.Event(), asyncio.Event(), 0

    async def slow(skip: int, take: int) -> Any:
        nonlocal calls
        calls += 1
        arrived.set()
        await go.wait()
        return await page(skip, take)

    monkeypatch.setattr(shop.products, "page", slow)
    first = asyncio.create_task(shop.ask(PAGE))
    await arrived.wait()
    others = [asyncio.create_task(shop.ask(PAGE)) for _ in range(99)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    go.set()
    assert [answer.data for answer in await asyncio.gather(*others)] == [{"product": []}] * 99
    assert calls == 1


async def test_a_shared_computation_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that never answers costs each caller the time limit and no more."""
    shop, never = CachedShop(Rules(Limits(seconds=0.1))), asyncio.Event()

    async def hang(*_: Any) -> Any:
        await never.wait()

    monkeypatch.setattr(shop.products, "page", hang)
    answers = await asyncio.gather(*(shop.ask(PAGE) for _ in range(3)))
    assert [answer.codes for answer in answers] == [["UNAVAILABLE"]] * 3
    assert {answer.response.status_code for answer in answers} == {503}
    await shop.http.aclose()


async def test_a_get_is_answered_as_a_post_is(shop: CachedShop) -> None:
    """Query, name and variables of a GET's query string mean what they mean in a POST, and share its answers."""
    product = await shop.product(await shop.customer())
    posted = await shop.ask(BY_ID, {"id": product})
    reads = shop.reads
    got = await shop.get(BY_ID, variables=f'{{"id": "{product}"}}', operationName="")
    assert got.content == posted.response.content
    assert got.headers["etag"] == posted.response.headers["etag"]
    assert shop.reads == reads


async def test_what_a_client_has_is_not_sent_again(shop: CachedShop) -> None:
    """A GET that names the answer's tag gets 304 without a body, until the answer changes."""
    token = await shop.customer()
    product = await shop.product(token)
    first = await shop.get(PAGE)
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["vary"] == "Authorization, Cookie, Accept-Encoding"
    known = {"If-None-Match": first.headers["etag"]}
    again = await shop.get(PAGE, known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-type" not in again.headers
    assert (await shop.ask(PAGE, headers=known)).response.status_code == 200
    await _update(shop, token, product, "New")
    changed = await shop.get(PAGE, known)
    assert (changed.status_code, changed.headers["etag"] != first.headers["etag"]) == (200, True)


async def test_large_answers_are_compressed(shop: CachedShop) -> None:
    """A large stored answer is compressed for those who take gzip; each form has a tag that is good for it alone."""
    token = await shop.customer()
    for number in range(30):
        await shop.product(token, f"A mug with a long name {number}")
    plain = await shop.get(PAGE, {"Accept-Encoding": "identity"})
    async with shop.http.stream("GET", "/graphql", params={"query": PAGE}, headers={"Accept-Encoding": "gzip"}) as got:
        compressed = b"".join([piece async for piece in got.aiter_raw()])
    assert gzip.decompress(compressed) == plain.content
    assert int(got.headers["content-length"]) == len(compressed) < len(plain.content)
    tags = {plain.headers["etag"], got.headers["etag"]}
    assert len(tags) == 2
    for tag in tags:
        again = await shop.get(PAGE, {"Accept-Encoding": "gzip", "If-None-Match": tag})
        assert again.status_code == (304 if tag == got.headers["etag"] else 200)


async def test_a_stored_answer_closes_a_leaving_gateways_connections(shop: CachedShop) -> None:
    """Answers from the cache heed the end of the gateway, too, and are as they were afterwards."""
    await shop.ask(PAGE)
    shop.drain.started = True
    assert (await shop.ask(PAGE)).response.headers["connection"] == "close"
    shop.drain.started = False
    assert "connection" not in (await shop.ask(PAGE)).response.headers
