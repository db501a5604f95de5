"""The product service on gRPC: protobuf in and out, nothing else."""

from typing import Protocol

from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.product.messages import draft_of, product_message
from services.product.progress import State
from services.product.service import Catalogue


class Progress(Protocol):
    """Who knows how far changes have come."""

    async def state(self) -> State:
        """Answers what is known now; raises UnavailableError."""


class ProductServer(product_v1.ProductServiceBase):
    """Answers each call as whoever its verified token says is calling; reads need no token."""

    def __init__(self, catalogue: Catalogue, progress: Progress) -> None:
        self._catalogue = catalogue
        self._progress = progress

    async def post_product(self, message: product_v1.PostProductRequest) -> product_v1.PostProductResponse:
        """Puts a product up for the caller."""
        product = await self._catalogue.create(rpc.caller(), draft_of(message))
        return product_v1.PostProductResponse(product=product_message(product))

    async def get_product(self, message: product_v1.GetProductRequest) -> product_v1.GetProductResponse:
        """Answers one product."""
        product = await self._catalogue.get(message.id)
        return product_v1.GetProductResponse(product=product_message(product))

    async def get_products(self, message: product_v1.GetProductsRequest) -> product_v1.GetProductsResponse:
        """Answers products by ids, by text, or a page of the catalogue: the first of these that is given."""
        if message.ids:
            products = await self._catalogue.get_many(message.ids)
        else:
            products = await self._catalogue.search(message.query, message.skip, message.take)
        return product_v1.GetProductsResponse(products=[product_message(product) for product in products])

    async def update_product(self, message: product_v1.UpdateProductRequest) -> product_v1.UpdateProductResponse:
        """Replaces what the caller's own product says."""
        draft = draft_of(message)
        product = await self._catalogue.update(rpc.caller(), message.id, draft, message.expected_version)
        return product_v1.UpdateProductResponse(product=product_message(product))

    async def delete_product(self, message: product_v1.DeleteProductRequest) -> product_v1.DeleteProductResponse:
        """Takes the caller's own product down."""
        await self._catalogue.delete(rpc.caller(), message.id)
        return product_v1.DeleteProductResponse()

    async def get_catalogue_state(self, _: product_v1.GetCatalogueStateRequest) -> product_v1.GetCatalogueStateResponse:
        """Answers what a cache has to know besides the events."""
        state = await self._progress.state()
        indexed = [product_v1.IndexedPartition(partition=each, next_offset=at) for each, at in state.indexed.items()]
        return product_v1.GetCatalogueStateResponse(
            backlogged=state.backlogged,
            refused=state.refused,
            indexed=indexed,
            index=state.index,
            index_complete=state.index_complete,
        )
