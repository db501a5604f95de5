"""The GraphQL schema's queries, and the schema as a whole.

Every name, argument and nullability here is the contract's (tests/unit/gateway/test_schema.py holds the table);
`schema.graphql` is its export, compared in CI. Resolvers check who may ask, call one service, and convert its answer.
"""

import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter

from services.errors import ForbiddenError, NotFoundError
from services.gateway import types
from services.gateway.context import Info
from services.gateway.execution import PlainExecutor
from services.gateway.mutations import Mutation
from services.gateway.recommendations import Recommended, latest_viewed
from services.gateway.types import (
    TIME,
    Account,
    Order,
    Page,
    PaginationInput,
    Product,
    Recommendations,
    Time,
    account_of,
    order_of,
    product_of,
    products_of,
    recommended_products,
)
from services.tokens import Identity


@strawberry.type
class Query:
    """What can be read."""

    @strawberry.field
    async def accounts(
        self,
        info: Info,
        pagination: PaginationInput | None = strawberry.UNSET,
        id: int | None = strawberry.UNSET,  # noqa: A002 the contract's name
    ) -> list[Account]:
        """Answers the caller's own account; an administrator gets the one asked for, or a page of all."""
        page = Page(pagination)
        identity = await info.context.caller.identity()
        if identity.is_administrator and not isinstance(id, int):
            return await _page_of_accounts(info, identity, page)
        account_id = id if isinstance(id, int) else identity.account_id
        if account_id != identity.account_id and not identity.is_administrator:
            raise ForbiddenError("This is another account: only administrators may see it.")
        # The list of what the caller may see has one element, and is paged like any other.
        if page.skip or not page.take:
            return []
        return await _one_account(info, identity, account_id)

    @strawberry.field
    async def order(self, info: Info, id: int) -> Order | None:  # noqa: A002 as in `product`
        """Answers one order of the caller, or any to an administrator; null when there is none to be seen."""
        context = info.context
        token = (await context.caller.identity()).token
        try:
            found = await context.platform.orders.get(token, id)
        except NotFoundError:
            return None
        context.spend(1 + len(found.lines))
        return order_of(found, context.currency)

    @strawberry.field
    async def product(  # noqa: PLR0913, PLR0917 the contract's arguments
        self,
        info: Info,
        pagination: PaginationInput | None = strawberry.UNSET,
        query: str | None = strawberry.UNSET,
        id: str | None = strawberry.UNSET,  # noqa: A002 the contract's name
        viewed_products_ids: list[str | None] | None = strawberry.UNSET,
        by_account_id: bool | None = strawberry.UNSET,  # noqa: FBT001 the contract's argument
    ) -> list[Product]:
        """Answers products by the first that is given: id, viewed products, the caller, a text; otherwise a page."""
        page = Page(pagination)
        if isinstance(id, str):
            return await _viewed_product(info, id)
        # No viewed products, or a blank text, leave nothing to go by: they count as not given.
        if any(viewed_products_ids or ()):
            return await _recommended_page(info, None, viewed_products_ids, page)
        if by_account_id:
            return await _recommended_page(info, await info.context.caller.identity(), None, page)
        return await _products(info, (query or "").strip(), page)

    @strawberry.field
    async def recommendations(
        self,
        info: Info,
        viewed_products_ids: list[str] | None = strawberry.UNSET,
        pagination: PaginationInput | None = strawberry.UNSET,
    ) -> Recommendations | None:
        """Answers what to show next: by viewed products, else for the caller; null, with an error, if none can tell."""
        page = Page(pagination)
        caller = None if any(viewed_products_ids or ()) else await info.context.caller.signed_in()
        # One at least, because the version is an answer, too.
        found = await _recommended(info, caller, viewed_products_ids, page.skip, max(1, page.take))
        return Recommendations(model_version=found.model_version or None, recommended=found.items[: page.take])


async def _page_of_accounts(info: Info, identity: Identity, page: Page) -> list[Account]:
    if not page.take:
        return []
    accounts = await info.context.platform.accounts.page(identity.token, page.skip, page.take)
    return [account_of(account) for account in accounts]


async def _one_account(info: Info, identity: Identity, account_id: int) -> list[Account]:
    try:
        return [account_of(await info.context.platform.accounts.get(identity.token, account_id))]
    except NotFoundError:
        return []


async def _viewed_product(info: Info, product_id: str) -> list[Product]:
    context = info.context
    context.reads.products.add(product_id)
    product = await context.product_by_id.load(product_id)
    if product is None:
        return []
    await context.view(product.id)
    return [product_of(product, context.currency)]


async def _recommended_page(
    info: Info, caller: Identity | None, viewed: Sequence[str | None] | None, page: Page
) -> list[Product]:
    info.context.reads.personal = True
    if not page.take:
        return []
    recommended = await _recommended(info, caller, viewed, page.skip, page.take)
    return [product for product in await recommended_products(info, recommended.items) if product]


async def _recommended(
    info: Info, caller: Identity | None, viewed: Sequence[str | None] | None, skip: int, take: int
) -> Recommended:
    """For the caller's account, or without a caller by what was viewed."""
    recommender = info.context.platform.recommender
    if caller:
        return await recommender.for_account(caller.token, caller.account_id, skip, take)
    return await recommender.for_viewed(latest_viewed(viewed or ()), skip, take)


async def _products(info: Info, query: str, page: Page) -> list[Product]:
    if not page.take:
        return []
    products, reads = info.context.platform.products, info.context.reads
    if query:
        reads.searches = True
        found = await products.search(query, page.skip, page.take)
    else:
        reads.pages = True
        found = await products.page(page.skip, page.take)
    reads.products.update(product.id for product in found)
    return products_of(found, info.context.currency)


def _describe() -> None:
    """Makes the docstrings of types, inputs and resolvers the schema's descriptions, which GraphiQL shows."""
    for kind in (Query, Mutation, *vars(types).values()):
        definition = getattr(kind, "__strawberry_definition__", None)
        if definition is None:
            continue
        definition.description = inspect.getdoc(kind)
        for field in getattr(definition, "fields", ()):
            if field.base_resolver is not None:
                field.description = inspect.getdoc(field.base_resolver.wrapped_func)


_describe()


class _Names(NameConverter):
    """Strawberry's names; each is worked out once, and not for every argument of every request."""

    def apply_naming_config(self, name: str) -> str:
        return _named(name)


@lru_cache(maxsize=2_000)
def _named(name: str) -> str:
    return NameConverter().apply_naming_config(name)


SCHEMA: Final = strawberry.Schema(
    Query,
    Mutation,
    config=StrawberryConfig(scalar_map={Time: TIME}, name_converter=_Names()),
    execution_context_class=PlainExecutor,
)
