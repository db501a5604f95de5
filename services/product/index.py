"""The search index on Elasticsearch: reading it, writing it, and replacing it by a new one.

Everyone searches and writes through the alias `products`, which stands for one index, `products-<time of making>`. A
new index is filled through an alias of its own, `<index>-building`, and then takes over `products` in one atomic step.
It keeps the building alias until its maker has finished, so that work given up half-way can be told from work done.
Writes insist on an alias: should the index be gone, they fail, instead of making Elasticsearch invent an index.

Each document carries its product's version as an external version. Elasticsearch refuses to go back to an older one,
which is no error here: what it has is newer.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import structlog
from elastic_transport import JsonSerializer, TransportError
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError
from prometheus_client import Counter

from services.errors import ConflictError, UnavailableError
from services.product.documents import MAPPINGS, SETTINGS, document, product_of
from services.product.folding import fold
from services.product.query import ORDER, exact, forgiving, preference
from services.product.service import Product

ALIAS: Final = "products"
# A person waits for a search; nobody waits for a bulk.
SEARCH_SECONDS: Final = 2.0
WRITE_SECONDS: Final = 15.0
# Documents in one bulk request. At their largest they make 25 MB; Elasticsearch takes 100.
_BULK: Final = 200
# Folding can make a text longer; what a person has typed is shorter than this.
_MAX_WORDS: Final = 300
# An update of a document that never exists. Elasticsearch heeds the wish for an alias only with operations that could
# store something, and makes an index for a request of nothing but removals; this one makes it heed the wish.
_GUARD: Final[tuple[Mapping[str, Any], ...]] = ({"update": {"_id": "none"}}, {"doc": {}})
# A search as it goes over the wire: what the client's own method does to get there costs as much as sending it.
# Which documents match is kept until the next refresh of an index that has changed; Elasticsearch keeps answers with
# hits in them only where that is asked for. Having it leave out what is not shown would cost it more than telling it.
_SEARCH: Final = f"/{ALIAS}/_search?allow_partial_search_results=false&request_cache=true"
_JSON: Final = dict.fromkeys(("accept", "content-type"), "application/vnd.elasticsearch+json; compatible-with=9")
_INDEX_NAME: Final = re.compile(rf"{ALIAS}-\d{{16}}")

_encode: Final = msgspec.json.Encoder().encode
_WRITES: Final = Counter("product_index_writes", "Documents written to the search index", ["result"])
log = structlog.get_logger(__name__)


class RejectedError(Exception):
    """Elasticsearch will never take this document; the message says why."""


class _Json(JsonSerializer):
    """JSON by a compiled library."""

    def json_dumps(self, data: Any) -> bytes:
        return _encode(data)

    def json_loads(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


class ElasticsearchIndex:
    """The index on a cluster. `urls` are its nodes; a `ca_file` says whom to trust besides the usual ones."""

    def __init__(
        self, urls: Sequence[str], *, ca_file: str | None = None, search_seconds: float = SEARCH_SECONDS
    ) -> None:
        options: dict[str, Any] = {"ca_certs": ca_file} if ca_file else {}
        # Never repeated here: searchers hear at once that it is down, and writers repeat the whole batch.
        self._client = AsyncElasticsearch(
            list(urls),
            request_timeout=WRITE_SECONDS,
            max_retries=0,
            serializers={"application/json": _Json()},
            **options,
        )
        self._search_seconds = search_seconds
        self._translated = _Translation()

    async def close(self) -> None:
        """Closes every connection."""
        await self._client.close()

    async def search(self, words: str, skip: int, take: int) -> list[Product]:
        """Answers products that match the words, best first, ties by id; raises UnavailableError while it is down."""
        folded = fold(words)[:_MAX_WORDS]
        with self._translated("Search does not answer now. Try again later."):
            async with asyncio.timeout(self._search_seconds):
                found = await self._page(exact(folded), folded, skip, take)
                wider = forgiving(folded) if len(found) < take else None
                return found if wider is None else await self._page(wider, folded, skip, take)

    async def _page(self, query: Mapping[str, Any], folded: str, skip: int, take: int) -> list[Product]:
        body = {
            "query": query,
            "sort": ORDER,
            "from": skip,
            "size": take,
            "track_total_hits": False,
            # The server gives up first, so that what nobody waits for any more does not pile up there.
            "timeout": f"{self._search_seconds * 900:.0f}ms",
        }
        answer = await self._client.perform_request(
            "POST", f"{_SEARCH}&preference={preference(folded)}", headers=_JSON, body=_encode(body)
        )
        return [product_of(hit["_source"]) for hit in answer.body["hits"]["hits"]]

    async def write(
        self, alias: str, products: Sequence[Product], gone: Mapping[str, int], *, wait_until_visible: bool = False
    ) -> None:
        """Stores products as they are, and removes those that are gone, by id with the version of their removal.

        Whatever the index has in a newer version stays. With `wait_until_visible` every search that begins after the
        answer sees what was written, which takes as long as the next refresh. Raises UnavailableError when the same
        may pass later, then some of it may have been written; RejectedError when something of it never will.
        """
        operations = [*map(_put, products), *(_removal(*item) for item in gone.items())]
        for start in range(0, len(operations), _BULK):
            lines = [line for lines in operations[start : start + _BULK] for line in lines]
            # The refresh that shows the last of them shows all.
            refresh = "wait_for" if wait_until_visible and start + _BULK >= len(operations) else None
            with self._translated():
                answer = await self._client.bulk(
                    index=alias, operations=[*_GUARD, *lines], require_alias=True, refresh=refresh
                )
            _check(answer["items"][1:])

    # Replacing it. ----------------------------------------------------------------------------------------------------

    async def create(self) -> str:
        """Makes an empty index, which only its building alias leads to, and answers its name."""
        index = f"{ALIAS}-{time.time_ns() // 1000:016d}"
        with self._translated():
            await self._client.indices.create(
                index=index, settings=SETTINGS, mappings=MAPPINGS, aliases={building_alias(index): {}}
            )
        return index

    async def promote(self, index: str) -> None:
        """Makes `products` stand for this index and no other, in one step; raises ConflictError if it is gone.

        What was written to it can be found from that moment on.
        """
        with self._translated.gone_is_conflict():
            await self._client.indices.refresh(index=index)
        await self._change_aliases(
            {"remove": {"index": f"{ALIAS}-*", "alias": ALIAS, "must_exist": False}},
            {"add": {"index": index, "alias": ALIAS}},
        )

    async def finish(self, index: str) -> None:
        """Declares this index complete; raises ConflictError if it is gone."""
        await self._change_aliases({"remove": {"index": index, "alias": building_alias(index), "must_exist": True}})

    async def indices(self) -> dict[str, set[str]]:
        """Answers every index of ours with its aliases."""
        with self._translated():
            answer = await self._client.indices.get_alias(index=f"{ALIAS}-*")
        return {name: set(index["aliases"]) for name, index in answer.body.items() if _INDEX_NAME.fullmatch(name)}

    async def drop(self, index: str) -> None:
        """Deletes an index, if it is there."""
        with self._translated():
            await self._client.indices.delete(index=index, ignore_unavailable=True)

    async def _change_aliases(self, *actions: Mapping[str, Any]) -> None:
        with self._translated.gone_is_conflict():
            await self._client.indices.update_aliases(actions=actions)


def building_alias(index: str) -> str:
    """Answers the alias through which an index is filled."""
    return f"{index}-building"


def _put(product: Product) -> list[dict[str, Any]]:
    return [{"index": {"_id": product.id, **_version(product.version)}}, document(product)]


def _removal(product_id: str, version: int) -> list[dict[str, Any]]:
    return [{"delete": {"_id": product_id, **_version(version)}}]


def _version(version: int) -> dict[str, Any]:
    return {"version": version, "version_type": "external_gte"}


def _check(items: Sequence[Mapping[str, Any]]) -> None:
    """Counts what became of each document; raises where one was not written and the index has nothing newer."""
    failures: dict[str, str] = {}
    for item in items:
        (result,) = item.values()
        outcome = _outcome(result)
        _WRITES.labels(outcome).inc()
        if outcome in ("retriable", "rejected"):
            failures.setdefault(outcome, f"{result['error']['type']}: {result['error'].get('reason')}")
    if "retriable" in failures:
        log.warning("The search index has not taken everything.", reason=failures["retriable"])
        raise UnavailableError("The search index does not take everything now.")
    if "rejected" in failures:
        raise RejectedError(failures["rejected"])


def _outcome(result: Mapping[str, Any]) -> str:
    status = result["status"]
    if status < 300:
        return "written"
    if status == 409:
        return "superseded"
    if status == 404 and "error" not in result:
        return "absent"
    # Everything else can be mended from outside, without the document being changed: load, disks, rights, an index
    # made by an older version of this service, which a reindex replaces.
    outdated = result["error"]["type"] == "strict_dynamic_mapping_exception"
    return "rejected" if status in (400, 413) and not outdated else "retriable"


class _Translation:
    """Turns every way in which Elasticsearch can fail into UnavailableError.

    An outage is logged when it begins, when it changes its kind and when it ends, not for every search that it fails.
    """

    def __init__(self) -> None:
        self._failing: str | None = None

    @contextmanager
    def __call__(self, message: str = "The search index does not answer now.") -> Iterator[None]:
        """Gives what fails inside this message."""
        try:
            yield
        except (TransportError, ApiError, TimeoutError) as error:
            self._failed(error)
            raise UnavailableError(message) from error
        if self._failing:
            log.info("Elasticsearch answers again.")
            self._failing = None

    @contextmanager
    def gone_is_conflict(self) -> Iterator[None]:
        """Translates as well, but makes an index that is not there any more a ConflictError."""
        with self():
            try:
                yield
            except NotFoundError as error:
                raise ConflictError("The index that was being built has been deleted.") from error

    def _failed(self, error: Exception) -> None:
        kind = type(error).__name__
        if kind != self._failing:
            log.warning("Elasticsearch does not answer as it should.", error=kind, detail=str(error)[:500])
            self._failing = kind
