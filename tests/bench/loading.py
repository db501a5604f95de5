"""Puts a made-up catalogue into a running platform past its services: COPY into the tables, _bulk into the index.

A million of each takes minutes this way. Checks between tables and the index's refreshes wait until all is there; what
was written is then brought into the state that it would be in after some hours of ordinary life: vacuumed, analysed,
and with no merge of the index left to do.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import asyncpg
import httpx
import msgspec

from local.platform import Platform
from services.product.documents import SETTINGS
from tests.bench.catalogue import LINE_COLUMNS, ORDER_COLUMNS, PRODUCT_COLUMNS, Catalogue, Row
from tests.bench.data import PASSWORD
from tests.client import OWN_ACCOUNT, GraphQL

# Seconds; far above what it takes, but not for ever.
_LONGEST: Final = 1_800
# Orders that are written between two looks at the generator; with their lines some ten MiB.
_ORDERS: Final = 20_000
# Documents of one request, and requests under way at once.
_BULK: Final = 2_000
_WIDTH: Final = 3
# How often a request is made that the index refuses for want of memory, or because the service that makes the index has
# only just started; and seconds in between.
_ATTEMPTS: Final = 60
_PAUSE: Final = 1.0
# What these benchmarks need; payments wait for a provider, and recommendations are measured on their own.
INSTANCES: Final = ("account", "product", "order", "gateway")


async def stocked(
    platform: Platform, ask: GraphQL, products: int, orders: int, buyers: int
) -> tuple[Catalogue, list[str]]:
    """Registers accounts and loads a catalogue that they own; answers it and their tokens, in the owners' order."""
    tokens = [await ask.register(f"buyer{n}@example.com", PASSWORD, f"Buyer {n}") for n in range(buyers)]
    own: list[dict[str, Any]] = [await ask(OWN_ACCOUNT, token=token) for token in tokens]
    catalogue = Catalogue(products, orders, [answer["accounts"][0]["id"] for answer in own])
    await load(platform, catalogue)
    return catalogue, tokens


async def load(platform: Platform, catalogue: Catalogue) -> None:
    """Writes all of it; the platform's tables of products and orders must be empty."""
    await _load_products(platform.environment("product")["DATABASE_URL"], catalogue)
    await _load_orders(platform.environment("order")["DATABASE_URL"], catalogue)
    await _load_index(platform.datastores.elasticsearch.url, catalogue)


async def _load_products(url: str, catalogue: Catalogue) -> None:
    connection = await _connected(url)
    try:
        await _copy(connection, "products", PRODUCT_COLUMNS, catalogue.product_rows())
        await connection.execute("VACUUM (ANALYZE) products", timeout=_LONGEST)
    finally:
        await connection.close()


async def _load_orders(url: str, catalogue: Catalogue) -> None:
    connection = await _connected(url)
    try:
        # Each line's order is there, by construction: three million look-ups would say no more.
        await connection.execute("SET session_replication_role = replica")
        for orders, lines in _chunks(catalogue):
            await _copy(connection, "orders", ORDER_COLUMNS, iter(orders))
            await _copy(connection, "order_lines", LINE_COLUMNS, iter(lines))
        await connection.execute(f"ALTER TABLE orders ALTER COLUMN id RESTART WITH {catalogue.orders + 1}")
        await connection.execute("VACUUM (ANALYZE) orders, order_lines", timeout=_LONGEST)
    finally:
        await connection.close()


def _chunks(catalogue: Catalogue) -> Iterator[tuple[list[Row], list[Row]]]:
    orders: list[Row] = []
    lines: list[Row] = []
    for order, its_lines in catalogue.orders_with_lines():
        orders.append(order)
        lines += its_lines
        if len(orders) == _ORDERS:
            yield orders, lines
            orders, lines = [], []
    yield orders, lines


async def _connected(url: str) -> Any:
    return await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)


async def _copy(connection: Any, table: str, columns: tuple[str, ...], rows: Iterator[Row]) -> None:
    await connection.copy_records_to_table(table, records=rows, columns=columns, timeout=_LONGEST)


async def _load_index(url: str, catalogue: Catalogue) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=_LONGEST) as client:
        await _put(client, "/products/_settings", {"index": {"refresh_interval": "-1"}})
        starts = iter(range(0, catalogue.products, _BULK))

        async def send() -> None:
            for start in starts:
                await _send(client, catalogue, range(start, min(start + _BULK, catalogue.products)))

        async with asyncio.TaskGroup() as group:
            for _ in range(_WIDTH):
                group.create_task(send())
        (await client.post("/products/_forcemerge", params={"max_num_segments": 1})).raise_for_status()
        await _put(client, "/products/_settings", {"index": {"refresh_interval": SETTINGS["refresh_interval"]}})
        (await client.post("/products/_refresh")).raise_for_status()


async def _put(client: httpx.AsyncClient, path: str, body: object) -> None:
    await _asked(lambda: client.put(path, json=body), httpx.codes.NOT_FOUND)


async def _send(client: httpx.AsyncClient, catalogue: Catalogue, numbers: range) -> None:
    encode = msgspec.json.encode
    lines = bytearray()
    for document in catalogue.documents(numbers):
        action = {"index": {"_id": document["id"], "version": 1, "version_type": "external_gte"}}
        lines += encode(action) + b"\n" + encode(document) + b"\n"
    headers = {"Content-Type": "application/x-ndjson"}
    where = {"require_alias": "true"}
    answer = await _asked(
        lambda: client.post("/products/_bulk", params=where, content=bytes(lines), headers=headers),
        httpx.codes.TOO_MANY_REQUESTS,
    )
    if answer.json()["errors"]:
        raise RuntimeError(f"The index refused some of the products {numbers}: {answer.text[:500]}")


async def _asked(request: Callable[[], Awaitable[httpx.Response]], later: int) -> httpx.Response:
    """Makes the request again while the answer's status is `later`, which passes; raises HTTPStatusError for others."""
    answer = await request()
    for _ in range(_ATTEMPTS):
        if answer.status_code != later:
            break
        await asyncio.sleep(_PAUSE)
        answer = await request()
    return answer.raise_for_status()
