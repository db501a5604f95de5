"""A payment process with nothing around it but datastores: its webhook address, its metric, and all that it wrote."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from local.datastores import Datastores
from local.platform import Platform
from local.service_process import ServiceProcess
from services.database import Database
from services.payment import standard_webhooks
from services.payment.store import PostgresPayments
from tests.factories.payment import order

NEWER: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLDER: Final = "whsec_" + "QUFB" * 8
TOLERANCE: Final = 300
# A type that no provider has: recorded once it is signed, and without effect.
BODY: Final = b'{"type":"customer.waved","timestamp":"2026-11-23T12:00:00Z","data":{}}'
PATH: Final = "/webhook/payment"
_TABLES: Final = text("SELECT relname FROM pg_stat_user_tables ORDER BY relname")


class Inbox:
    """Sends webhooks, rightly and wrongly, and looks at what they did."""

    def __init__(self, platform: Platform, database: Database, http: httpx.AsyncClient) -> None:
        self.http = http
        self._platform = platform
        self._database = database

    @property
    def process(self) -> ServiceProcess:
        return self._platform.service("payment")

    async def send(self, headers: Mapping[str, str], body: bytes = BODY) -> httpx.Response:
        return await self.http.post(PATH, content=body, headers=headers)

    async def raw(self, *parts: bytes, end: bool = True) -> bytes:
        """Writes bytes to a connection, says with `end` that no more come, and answers all that is answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._platform.layout.ports["payment-http"])
        answer = b""
        try:
            async with asyncio.timeout(30):
                # It may end the connection at any byte: what it said before counts.
                with contextlib.suppress(OSError):
                    for part in parts:
                        writer.write(part)
                        await writer.drain()
                    if end:
                        writer.write_eof()
                with contextlib.suppress(OSError):
                    while some := await reader.read(65_536):
                        answer += some
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return answer

    async def written(self) -> dict[str, str]:
        """Answers a fingerprint of each table's rows; tables without any are left out."""
        async with self._database.session() as session:
            connection = await session.connection()
            names = (await connection.execute(_TABLES)).scalars().all()
            prints = {}
            for name in names:
                rows = text(f"SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM \"{name}\" t")  # noqa: S608 PostgreSQL's own words
                prints[name] = (await connection.execute(rows)).scalar_one()
        return {name: value for name, value in prints.items() if value is not None}

    async def outcomes(self, delivery_id: str) -> list[str]:
        """Answers what was recorded for a delivery."""
        found = text("SELECT outcome FROM webhook_deliveries WHERE delivery_id = :id")
        async with self._database.session() as session:
            connection = await session.connection()
            return list((await connection.execute(found, {"id": delivery_id})).scalars())

    async def begin_checkout(self, session_id: str) -> None:
        """Writes a checkout of an order, so that facts about this session are somebody's."""
        store = PostgresPayments(self._database, "sandbox", lambda: datetime.now(UTC), lambda: session_id, lambda: None)
        expires_at = datetime.now(UTC) + timedelta(hours=1)
        await store.begin_checkout(order(), "ada@example.com", "Ada", "https://shop.example/", expires_at)

    async def counted(self, outcome: str) -> float:
        """Answers how many webhooks had this outcome so far, as Prometheus sees it."""
        port = self._platform.layout.ports["payment-metrics"]
        page = (await self.http.get(f"http://127.0.0.1:{port}/metrics")).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == "payment_webhooks_total" and sample.labels["outcome"] == outcome
        )


def signed(
    delivery_id: str, body: bytes = BODY, *, secrets: Iterable[str] = (NEWER,), seconds: float = 0
) -> dict[str, str]:
    """Answers the headers of a delivery, signed by a clock that is off by so many seconds."""
    return standard_webhooks.sign(list(secrets), delivery_id, datetime.now(UTC) + timedelta(seconds=seconds), body)


@contextlib.asynccontextmanager
async def inbox(datastores: Datastores, **more: str) -> AsyncIterator[Inbox]:
    """Starts the process, which knows two secrets; neither account nor the order service is there."""
    settings = {"WEBHOOK_SECRETS": f"{NEWER},{OLDER}", "WEBHOOK_TOLERANCE": str(TOLERANCE), **more}
    async with contextlib.AsyncExitStack() as stack:
        platform = Platform(instances=["payment"], datastores=datastores, overrides={"payment": settings})
        await stack.enter_async_context(platform)
        database = Database(platform.environment("payment")["DATABASE_URL"], pool_size=1, application_name="inbox")
        await stack.enter_async_context(database)
        base = f"http://127.0.0.1:{platform.layout.ports['payment-http']}"
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=base, timeout=30))
        yield Inbox(platform, database, http)
