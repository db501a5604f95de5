"""Claims about recommendations through GraphQL on real services: what people do there is in what they are shown.

No trainer runs here, so what is new comes first, whatever other tests' people view and buy.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from uuid import uuid4

import pytest

from local.platform import Platform
from tests.client import (
    CREATE_ORDER,
    CREATE_PRODUCT,
    PRODUCT_BY_ID,
    RECOMMENDATIONS,
    RECOMMENDED,
    RECOMMENDED_BY_VIEWED,
    GraphQL,
)
from tests.factories.gateway import email

# Seconds in which what was done is in the recommendations, on a busy machine.
PATIENCE = 30.0


@pytest.fixture
async def ask(platform: Platform) -> AsyncIterator[GraphQL]:
    """A client of the platform's gateway."""
    client = GraphQL(platform.graphql_url)
    yield client
    await client.close()


async def _told(
    ask: GraphQL, mine: Collection[str], token: str | None = None, viewed: list[str] | None = None
) -> dict[str, str]:
    """The reason of each of mine that is recommended; other tests' products are among them."""
    data = await ask(RECOMMENDATIONS, {"v": viewed}, token)
    items = data["recommendations"]["items"]
    return {each["product"]["id"]: each["reason"] for each in items if each["product"]["id"] in mine}


async def _until_told(ask: GraphQL, wanted: dict[str, str], token: str | None, mine: Collection[str]) -> None:
    """Returns once just these of mine are recommended for these reasons.

    Answers are kept for a moment. So whoever is not signed in is another visitor at every try.
    """
    told: dict[str, str] | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            while told != wanted:
                told = await _told(ask, mine, token, viewed=None if token else [str(uuid4())])
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{told} instead of {wanted}") from None


async def _products(ask: GraphQL, count: int) -> list[str]:
    """New products' ids, once they can be recommended."""
    owner = await ask.register(email())
    wanted = {"name": "Mug", "description": "Holds tea.", "price": 19.99}
    made = [(await ask(CREATE_PRODUCT, {"p": wanted}, owner))["createProduct"]["id"] for _ in range(count)]
    await _until_told(ask, dict.fromkeys(made, "NEW"), None, made)
    return made


async def test_what_buyers_do_is_in_what_they_are_shown(ask: GraphQL) -> None:
    """A look at a product brings it back with its reason, a purchase takes it away, and others see none of that."""
    seen, bought, new = mine = await _products(ask, 3)
    token, other = await ask.register(email()), await ask.register(email())
    await ask(PRODUCT_BY_ID, {"id": seen}, token)
    await ask(CREATE_ORDER, {"o": {"products": [{"id": bought, "quantity": 1}]}}, token)
    await _until_told(ask, {seen: "SEEN", new: "NEW"}, token, mine)
    shown = [product["id"] for product in (await ask(RECOMMENDED, {}, token))["product"] if product["id"] in mine]
    assert shown == [seen, new]
    assert set(await _told(ask, mine, other)) == set(mine)
    assert (await ask.ask(RECOMMENDED)).codes == ["UNAUTHENTICATED"]


async def test_a_visitors_session_is_gone_by(ask: GraphQL) -> None:
    """Without signing in, viewed products lead to others, page by page and never to themselves."""
    first, second, third, fourth = mine = await _products(ask, 4)
    viewed = [third, "no id at all"]
    assert set(await _told(ask, mine, viewed=viewed)) == {first, second, fourth}
    pages = [
        (await ask(RECOMMENDED_BY_VIEWED, {"v": viewed, "p": {"skip": skip, "take": 1}}))["product"]
        for skip in range(3)
    ]
    assert [[product["id"] for product in page] for page in pages] == [[fourth], [second], [first]]
