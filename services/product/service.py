"""The catalogue's verbs: put up, look up, change, take down and search products.

The record (`Products`) decides what is true and in which order changes happen; the search side (`Search`) follows it
within a second and only ever answers text searches, so its failure costs nothing else. Rules about who may do what
live here: reads are anyone's, a product is changed by its owner and nobody else, administrators included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.errors import ConflictError, ForbiddenError, NotFoundError
from services.product import rules
from services.tokens import Identity, require_identity

Clock = Callable[[], datetime]
Ids = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Product:
    """One product as of one version; `price_minor` counts the currency's smallest unit, times are UTC."""

    id: str
    name: str
    description: str
    price_minor: int
    currency: str
    account_id: int
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """What an owner says about a product, not yet checked."""

    name: str
    description: str
    price_minor: int
    currency: str


class Products(Protocol):
    """The record. Every change is stored together with the event that tells of it, or not at all."""

    async def add(self, product: Product) -> None:
        """Stores a new product."""

    async def get(self, product_id: str) -> Product | None:
        """Answers one product, or None; the id has the form of one."""

    async def get_many(self, ids: Sequence[str]) -> list[Product]:
        """Answers those that exist, in any order; the ids have the form of one."""

    async def page(self, skip: int, take: int) -> list[Product]:
        """Answers a page of all products, oldest first."""

    async def change(self, product_id: str, decide: Callable[[Product], Product]) -> Product:
        """Replaces a product by what `decide` makes of it while nobody else can change it.

        A `decide` that answers the very product it was given changes nothing and no event is told; one that raises
        leaves everything as it was. Raises NotFoundError when there is no such product.
        """

    async def remove(self, product_id: str, allow: Callable[[Product], None]) -> None:
        """Deletes a product unless `allow` raises. Raises NotFoundError when there is no such product."""


class Search(Protocol):
    """The search side."""

    async def search(self, words: str, skip: int, take: int) -> list[Product]:
        """Answers products that match the words, best first, ties by id; raises UnavailableError while it is down."""


class Catalogue:
    """What the product service does."""

    def __init__(self, products: Products, search: Search, *, currency: str, clock: Clock, ids: Ids) -> None:
        self._products = products
        self._search = search
        self._currency = currency
        self._clock = clock
        self._ids = ids

    async def create(self, caller: Identity | None, draft: Draft) -> Product:
        """Puts a product up for the caller."""
        owner = require_identity(caller)
        draft = self._clean(draft)
        now = self._clock()
        product = Product(
            id=self._ids(),
            name=draft.name,
            description=draft.description,
            price_minor=draft.price_minor,
            currency=draft.currency,
            account_id=owner.account_id,
            version=1,
            created_at=now,
            updated_at=now,
        )
        await self._products.add(product)
        return product

    async def get(self, product_id: str) -> Product:
        """Answers one product; raises NotFoundError for every id that is no product's."""
        product = await self._products.get(product_id) if rules.is_product_id(product_id) else None
        if product is None:
            raise NotFoundError("There is no such product.")
        return product

    async def get_many(self, ids: Sequence[str]) -> list[Product]:
        """Answers products in the order of the ids, each once; ids that are no product's are left out.

        Raises InvalidError for more than 1,000 ids, and where the answer would be too large for one message.
        """
        wanted = rules.check_ids(ids)
        if not wanted:
            return []
        found = {product.id: product for product in await self._products.get_many(wanted)}
        rules.check_answer(product.description for product in found.values())
        return [found[product_id] for product_id in wanted if product_id in found]

    async def page(self, skip: int, take: int) -> list[Product]:
        """Answers a page of the catalogue, oldest first; at most 100."""
        skip, take = rules.check_page(skip, take)
        return await self._products.page(skip, take) if take else []

    async def search(self, query: str, skip: int, take: int) -> list[Product]:
        """Answers a page of what matches the query, best first; a blank query is the catalogue's page."""
        if not query.strip():
            return await self.page(skip, take)
        skip, take = rules.check_search_page(skip, take)
        words = rules.clean_query(query)
        return await self._search.search(words, skip, take) if words and take else []

    async def update(
        self, caller: Identity | None, product_id: str, draft: Draft, expected_version: int | None = None
    ) -> Product:
        """Replaces name, description and price of the caller's own product.

        With an expected version, raises ConflictError when the product is at another one. An update that would
        change nothing answers the product as it is: no new version, no event.
        """
        identity = require_identity(caller)
        draft = self._clean(draft)

        def decide(current: Product) -> Product:
            _require_owner(current, identity)
            if expected_version is not None and expected_version != current.version:
                raise ConflictError(f"The product has changed: it is at version {current.version} now.")
            changed = replace(
                current,
                name=draft.name,
                description=draft.description,
                price_minor=draft.price_minor,
                currency=draft.currency,
            )
            if changed == current:
                return current
            return replace(changed, version=current.version + 1, updated_at=self._clock())

        return await self._products.change(_known(product_id), decide)

    async def delete(self, caller: Identity | None, product_id: str) -> None:
        """Takes the caller's own product down for good."""
        identity = require_identity(caller)
        await self._products.remove(_known(product_id), lambda current: _require_owner(current, identity))

    def _clean(self, draft: Draft) -> Draft:
        return Draft(
            name=rules.clean_name(draft.name),
            description=rules.clean_description(draft.description),
            price_minor=rules.check_price(draft.price_minor, draft.currency, self._currency),
            currency=self._currency,
        )


def _known(product_id: str) -> str:
    """Answers the id if it can be a product's; nothing else may reach the record."""
    if not rules.is_product_id(product_id):
        raise NotFoundError("There is no such product.")
    return product_id


def _require_owner(product: Product, caller: Identity) -> None:
    if product.account_id != caller.account_id:
        raise ForbiddenError("This product belongs to another account.")
