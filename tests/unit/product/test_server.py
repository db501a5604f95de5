"""The gRPC face: every field in and out, and which of the three reads is meant."""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.product import v1 as product_v1
from services.errors import ConflictError, InvalidError, NotFoundError, UnauthenticatedError
from services.product.index import ALIAS
from services.product.progress import State
from services.product.server import ProductServer
from services.product.service import Catalogue
from services.rpc import context
from services.tokens import Identity
from tests.factories.product import NOW, announcer, customer, product_id, product_ids
from tests.fakes.product import FakeProducts, FakeSearchIndex

T = TypeVar("T")
PRICE = Money(minor_units=1999, currency="USD")


class Served:
    """The server on fakes."""

    def __init__(self) -> None:
        self.products, self.index = FakeProducts(announcer()), FakeSearchIndex()
        catalogue = Catalogue(self.products, self.index, currency="USD", clock=lambda: NOW, ids=product_ids())
        self.server = ProductServer(catalogue, self)
        self.known = State(backlogged=False, refused="", indexed={}, index="", index_complete=False)

    async def state(self) -> State:
        return self.known

    async def post(self, name: str) -> product_v1.Product:
        request = product_v1.PostProductRequest(name=name, description="Any", price=PRICE)
        made = (await _as(customer(), self.server.post_product(request))).product
        assert made is not None
        return made

    async def read(self, **asked: Any) -> list[product_v1.Product]:
        return (await _as(None, self.server.get_products(product_v1.GetProductsRequest(**asked)))).products


@pytest.fixture
async def served() -> Served:
    served = Served()
    await served.index.promote(await served.index.create())
    return served


async def _as(caller: Identity | None, call: Coroutine[Any, Any, T]) -> T:
    """Makes the call in a context of its own, as services/rpc does for each one that arrives."""
    own = contextvars.copy_context()
    own.run(context.enter, caller, None)
    return await asyncio.create_task(call, context=own)


async def test_every_field(served: Served) -> None:
    """What was put up is answered whole, by each way of asking."""
    made = await served.post("Kettle")
    assert made == product_v1.Product(
        id=product_id(1),
        name="Kettle",
        description="Any",
        price=PRICE,
        account_id=7,
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    await served.index.write(ALIAS, list(served.products.rows.values()), {})
    response = await _as(None, served.server.get_product(product_v1.GetProductRequest(id=made.id)))
    assert response.product == made
    assert await served.read(ids=[made.id]) == [made]
    assert await served.read(query="kettle", take=1) == [made]
    assert await served.read(take=1) == [made]


async def test_precedence(served: Served) -> None:
    """Ids come before a query, a query before a page; to ids no page is applied."""
    one, two = await served.post("Kettle"), await served.post("Teapot")
    await served.index.write(ALIAS, list(served.products.rows.values()), {})
    assert await served.read(ids=[two.id, one.id], query="kettle", skip=1, take=1) == [two, one]
    assert await served.read(query="teapot", take=10) == [two]
    assert await served.read(skip=1, take=10) == [two]


async def test_update_and_delete(served: Served) -> None:
    """An expected version is one only where it is given; version 0 is one."""
    made = await served.post("Kettle")
    request = product_v1.UpdateProductRequest(id=made.id, name="Teapot", price=PRICE)
    changed = (await _as(customer(), served.server.update_product(request))).product
    assert changed is not None
    assert (changed.name, changed.description, changed.version) == ("Teapot", "", 2)
    request.expected_version = 0
    with pytest.raises(ConflictError):
        await _as(customer(), served.server.update_product(request))
    await _as(customer(), served.server.delete_product(product_v1.DeleteProductRequest(id=made.id)))
    with pytest.raises(NotFoundError):
        await _as(None, served.server.get_product(product_v1.GetProductRequest(id=made.id)))


async def test_no_price(served: Served) -> None:
    """A product without a price is refused."""
    with pytest.raises(InvalidError):
        await _as(customer(), served.server.post_product(product_v1.PostProductRequest(name="Kettle")))


async def test_nobody(served: Served) -> None:
    """Who is not signed in puts nothing up."""
    request = product_v1.PostProductRequest(name="Kettle", price=PRICE)
    with pytest.raises(UnauthenticatedError):
        await _as(None, served.server.post_product(request))
    assert served.products.rows == {}


async def test_the_state_of_the_catalogue(served: Served) -> None:
    """What is known is told field by field, to anybody."""
    served.known = State(backlogged=True, refused="a", indexed={2: 7}, index="products-1", index_complete=True)
    told = await _as(None, served.server.get_catalogue_state(product_v1.GetCatalogueStateRequest()))
    assert told == product_v1.GetCatalogueStateResponse(
        backlogged=True,
        refused="a",
        indexed=[product_v1.IndexedPartition(partition=2, next_offset=7)],
        index="products-1",
        index_complete=True,
    )
