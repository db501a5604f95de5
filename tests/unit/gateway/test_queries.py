"""Claims about reading: who sees what, which argument goes first, how lists are paged, how often services are asked."""

from typing import Any

import pytest

from services.errors import UnavailableError
from tests.unit.gateway.conftest import Shop

ACCOUNTS = "query($id: Int, $p: PaginationInput) { accounts(id: $id, pagination: $p) { id } }"
WITH_ORDERS = """query($p: PaginationInput) {
  accounts(pagination: $p) { id orders { id totalPrice products { name price quantity } } }
}"""
PRODUCT = """query($id: String, $q: String, $p: PaginationInput, $v: [String], $b: Boolean) {
  product(id: $id, query: $q, pagination: $p, viewedProductsIds: $v, byAccountId: $b) { id name }
}"""
ORDER = "mutation($o: OrderInput!) { createOrder(order: $o) { id } }"


async def _order(shop: Shop, token: str, product: str) -> None:
    await shop.data(ORDER, {"o": {"products": [{"id": product, "quantity": 1}]}}, token)


# Accounts. ------------------------------------------------------------------------------------------------------------


async def test_a_customer_sees_the_own_account(shop: Shop) -> None:
    """With no arguments, or the own id, a customer gets a list of the own account, and the service is asked once."""
    await shop.customer()
    token = await shop.customer()
    assert (await shop.data(ACCOUNTS, token=token))["accounts"] == [{"id": 2}]
    assert (await shop.data(ACCOUNTS, {"id": 2}, token))["accounts"] == [{"id": 2}]
    assert shop.services.counts["accounts.get"] == 2
    assert shop.services.counts["accounts.page"] == 0


async def test_a_customer_is_refused_another_account(shop: Shop) -> None:
    """Another's id is FORBIDDEN, whether that account exists or not, and no service is asked."""
    await shop.customer()
    token = await shop.customer()
    for account_id in (1, 99):
        answer = await shop.ask(ACCOUNTS, {"id": account_id}, token)
        assert (answer.codes, answer.data) == (["FORBIDDEN"], None)
    assert shop.services.counts["accounts.get"] == 0


async def test_the_own_account_is_a_list_of_one(shop: Shop) -> None:
    """Paging past the own account, or taking none, answers an empty list."""
    token = await shop.customer()
    assert (await shop.data(ACCOUNTS, {"p": {"skip": 0, "take": 10}}, token))["accounts"] == [{"id": 1}]
    assert (await shop.data(ACCOUNTS, {"p": {"skip": 1, "take": 10}}, token))["accounts"] == []
    assert (await shop.data(ACCOUNTS, {"p": {"skip": 0, "take": 0}}, token))["accounts"] == []


async def test_an_administrator_sees_all(shop: Shop) -> None:
    """An administrator pages through everybody, finds one by id, and gets an empty list for nobody."""
    token = await shop.token("administrator")
    for _ in range(3):
        await shop.customer()
    assert (await shop.data(ACCOUNTS, token=token))["accounts"] == [{"id": n} for n in (1, 2, 3, 4)]
    assert (await shop.data(ACCOUNTS, {"p": {"skip": 1, "take": 2}}, token))["accounts"] == [{"id": 2}, {"id": 3}]
    assert (await shop.data(ACCOUNTS, {"id": 3}, token))["accounts"] == [{"id": 3}]
    assert (await shop.data(ACCOUNTS, {"id": 99}, token))["accounts"] == []


async def test_nobody_sees_accounts_without_signing_in(shop: Shop) -> None:
    """Without a token every account is UNAUTHENTICATED."""
    answer = await shop.ask(ACCOUNTS, {"id": 1})
    assert (answer.codes, answer.message) == (["UNAUTHENTICATED"], "Sign in first.")


# Orders of accounts. --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accounts", [1, 100])
async def test_orders_cost_one_call_for_any_number_of_accounts(shop: Shop, accounts: int) -> None:
    """The orders of 100 accounts are fetched by as many calls as those of 1: one."""
    token = await shop.token("administrator")
    product = await shop.product(token)
    customers = [token] + [await shop.customer() for _ in range(accounts - 1)]
    for customer in customers:
        await _order(shop, customer, product)
    shop.services.calls.clear()
    data = await shop.data(WITH_ORDERS, {"p": {"skip": 0, "take": 100}}, token)
    assert [len(account["orders"]) for account in data["accounts"]] == [1] * accounts
    assert shop.services.calls == ["accounts.page", "orders.of_accounts"]


async def test_orders_are_paged_newest_first(shop: Shop) -> None:
    """`orders` takes a page; two different pages in one request are two calls, the same page twice is one."""
    token = await shop.customer()
    product = await shop.product(token)
    for _ in range(3):
        await _order(shop, token, product)
    shop.services.calls.clear()
    query = """{ accounts {
      newest: orders(pagination: {skip: 0, take: 2}) { id }
      again: orders(pagination: {skip: 0, take: 2}) { id }
      rest: orders(pagination: {skip: 2, take: 2}) { id }
      none: orders(pagination: {skip: 0, take: 0}) { id }
    } }"""
    account = (await shop.data(query, token=token))["accounts"][0]
    assert account == {
        "newest": [{"id": 3}, {"id": 2}],
        "again": [{"id": 3}, {"id": 2}],
        "rest": [{"id": 1}],
        "none": [],
    }
    assert shop.services.counts["orders.of_accounts"] == 2


async def test_one_page_that_fails_blames_no_other(shop: Shop) -> None:
    """Orders that cannot be had fail with the service's own error."""
    token = await shop.customer()
    shop.services.failures["orders"] = UnavailableError("OrderService does not answer now.")
    answer = await shop.ask(WITH_ORDERS, token=token)
    assert answer.codes == ["UNAVAILABLE"]
    assert answer.errors[0]["path"] == ["accounts", 0, "orders"]


# Products. ------------------------------------------------------------------------------------------------------------


async def test_the_catalogue_needs_no_sign_in(shop: Shop) -> None:
    """Anyone reads the catalogue; no pagination means the first page."""
    token = await shop.customer()
    products = [await shop.product(token, f"Mug {n}") for n in range(3)]
    assert [product["id"] for product in (await shop.data(PRODUCT))["product"]] == products


async def test_an_id_goes_before_everything(shop: Shop) -> None:
    """The order of precedence is id, viewed products, the caller, the text, the page."""
    token = await shop.customer()
    mug, bowl = await shop.product(token, "Mug"), await shop.product(token, "Bowl")
    everything: dict[str, Any] = {"id": mug, "v": [bowl], "b": True, "q": "bowl", "p": {"skip": 0, "take": 1}}
    assert (await shop.data(PRODUCT, everything, token))["product"] == [{"id": mug, "name": "Mug"}]
    by_viewed = everything | {"id": None}
    assert (await shop.data(PRODUCT, by_viewed, token))["product"] == [{"id": mug, "name": "Mug"}]
    assert shop.recommender.sessions == [[bowl]]
    for_caller = by_viewed | {"v": None}
    assert (await shop.data(PRODUCT, for_caller, token))["product"] == [{"id": bowl, "name": "Bowl"}]
    assert shop.services.counts["recommender.for_account"] == 1
    by_text = for_caller | {"b": False}
    assert (await shop.data(PRODUCT, by_text, token))["product"] == [{"id": bowl, "name": "Bowl"}]
    assert shop.services.counts["products.search"] == 1
    by_page = by_text | {"q": None}
    assert (await shop.data(PRODUCT, by_page, token))["product"] == [{"id": mug, "name": "Mug"}]


@pytest.mark.parametrize("given", [{"v": []}, {"v": [None]}, {"b": False}, {"q": ""}, {"q": "  "}, {}])
async def test_nothing_to_go_by_is_not_given(shop: Shop, given: dict[str, Any]) -> None:
    """An empty list of viewed products, a false flag and a blank text leave the catalogue's page."""
    product = await shop.product(await shop.customer())
    assert [row["id"] for row in (await shop.data(PRODUCT, given))["product"]] == [product]


async def test_a_missing_product_is_an_empty_list(shop: Shop) -> None:
    """An id that no product has is no error."""
    assert (await shop.data(PRODUCT, {"id": "nothing"}))["product"] == []


async def test_products_by_id_are_fetched_together(shop: Shop) -> None:
    """Several ids in one request cost one call, and each answer is the right one."""
    token = await shop.customer()
    mug, bowl = await shop.product(token, "Mug"), await shop.product(token, "Bowl")
    query = (
        f'{{ b: product(id: "{bowl}") {{ name }} a: product(id: "{mug}") {{ name }} c: product(id: "x") {{ name }} }}'
    )
    assert await shop.data(query) == {"b": [{"name": "Bowl"}], "a": [{"name": "Mug"}], "c": []}
    assert shop.services.counts["products.get_many"] == 1
    assert shop.services.counts["products.get"] == 0


@pytest.mark.parametrize("query", [None, "mug"])
async def test_pages_are_bounded(shop: Shop, query: str | None) -> None:
    """`take` is capped at 100 and 0 takes none; a huge `skip` answers nothing; negative numbers are INVALID."""
    token = await shop.customer()
    for n in range(105):
        await shop.product(token, f"Mug {n}")

    async def count(skip: int, take: int) -> int:
        return len((await shop.data(PRODUCT, {"q": query, "p": {"skip": skip, "take": take}}))["product"])

    assert await count(0, 2**31 - 1) == 100
    assert await count(100, 100) == 5
    assert await count(0, 0) == 0
    assert await count(2**31 - 1, 100) == 0
    for page in ({"skip": -1, "take": 1}, {"skip": 0, "take": -1}):
        answer = await shop.ask(PRODUCT, {"q": query, "p": page})
        assert (answer.codes, answer.message) == (["INVALID"], "skip and take must not be negative.")
