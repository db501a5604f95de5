"""The gateway's composition root: `python -m services.gateway serve` and `... schema [--check]`.

Reads the environment, wires the parts together, and runs them until SIGTERM. Nothing else reads the environment.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from services import keys, rpc, runtime, telemetry
from services.gateway.app import create_app
from services.gateway.catalogue_cache import CatalogueCache
from services.gateway.catalogue_stream import CatalogueStream
from services.gateway.clients import AccountsClient, OrdersClient, ProductsClient
from services.gateway.context import Platform
from services.gateway.endpoint import Endpoint, Rules
from services.gateway.health import Readiness
from services.gateway.identity import Cookies
from services.gateway.interactions import Interactions
from services.gateway.limits import Limits
from services.gateway.money import Currency
from services.gateway.payments import PaymentsClient
from services.gateway.recommendations import RecommenderClient
from services.gateway.schema import SCHEMA
from services.gateway.workers import Workers, end_with_parent
from services.publisher import Publisher
from services.serving import Drain, HttpServer, HttpSettings
from services.tokens import TokenSettings, Verifier

SCHEMA_FILE: Final = Path(__file__).parent / "schema.graphql"
# While payment is away people go on looking, filling baskets and placing orders, and pay for them later; while the
# recommender is, they find things by themselves.
_CAN_DO_WITHOUT: Final = frozenset({"payment", "recommender"})
_LIMITS: Final = Limits()
_HTTP: Final = HttpSettings()


class Settings(telemetry.TelemetrySettings, TokenSettings):
    """The environment; a missing address stops the start with its name."""

    account_address: str
    product_address: str
    order_address: str
    payment_address: str
    recommender_address: str
    kafka_bootstrap_servers: str

    http_host: str = _HTTP.host
    http_port: int = Field(default=_HTTP.port, ge=1, le=65535)
    max_connections: int = Field(default=_HTTP.max_connections, ge=1)
    # Processes on one host that share the port.
    workers: int = Field(default=1, ge=1, le=64)
    leave_seconds: float = Field(default=_HTTP.leave_seconds, ge=0)

    # Set by the parent of several workers, for each of them.
    parent_pid: int = 0
    prometheus_multiproc_dir: str = ""

    # Off only where there is no TLS: on a developer's own host.
    cookie_secure: bool = True
    # Origins of other sites whose pages may call the gateway, separated by commas.
    cors_origins: Annotated[list[str], NoDecode] = Field(default_factory=list)

    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    currency_decimals: int = Field(default=2, ge=0, le=4)

    introspection_enabled: bool = True
    playground_enabled: bool = True

    max_body_bytes: int = Field(default=_LIMITS.body, ge=1)
    max_tokens: int = Field(default=_LIMITS.tokens, ge=1)
    max_depth: int = Field(default=_LIMITS.depth, ge=1)
    max_aliases: int = Field(default=_LIMITS.aliases, ge=0)
    max_root_fields: int = Field(default=_LIMITS.root_fields, ge=1)
    max_fields: int = Field(default=_LIMITS.fields, ge=1)
    max_list_items: int = Field(default=_LIMITS.list_items, ge=1)
    max_objects: int = Field(default=_LIMITS.objects, ge=1)
    max_errors: int = Field(default=_LIMITS.errors, ge=1)
    max_concurrent_requests: int = Field(default=_LIMITS.concurrent, ge=1)
    request_timeout: float = Field(default=_LIMITS.seconds, gt=0)

    # For answers to anonymous reads of the catalogue, in each process. 0: every one is made anew.
    response_cache_bytes: int = Field(default=32 * 1024 * 1024, ge=0)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [origin.strip() for origin in value.split(",") if origin.strip()] if isinstance(value, str) else value

    @property
    def limits(self) -> Limits:
        """The limits on one request."""
        return Limits(
            body=self.max_body_bytes,
            tokens=self.max_tokens,
            depth=self.max_depth,
            aliases=self.max_aliases,
            root_fields=self.max_root_fields,
            fields=self.max_fields,
            list_items=self.max_list_items,
            objects=self.max_objects,
            errors=self.max_errors,
            seconds=self.request_timeout,
            concurrent=self.max_concurrent_requests,
        )

    @property
    def addresses(self) -> dict[str, str]:
        """Where each service behind the gateway is."""
        return {
            "account": self.account_address,
            "product": self.product_address,
            "order": self.order_address,
            "payment": self.payment_address,
            "recommender": self.recommender_address,
        }


async def serve(settings: Settings) -> None:
    """Serves until the process is told to stop."""
    channels = {name: rpc.Channel(address) for name, address in settings.addresses.items()}
    verifier = Verifier(keys.account_keys(channels["account"]), settings.token_policy)
    interactions = Interactions(Publisher(settings.kafka_bootstrap_servers, client_id="gateway"))
    products = ProductsClient(channels["product"])
    stream = CatalogueStream(settings.kafka_bootstrap_servers, products)
    cache = CatalogueCache(stream, settings.response_cache_bytes) if settings.response_cache_bytes else None
    loops: list[runtime.Loop] = [interactions]
    if cache:
        stream.tell(cache)
        loops.append(stream)
    platform = Platform(
        accounts=AccountsClient(channels["account"]),
        products=products,
        orders=OrdersClient(channels["order"]),
        payments=PaymentsClient(channels["payment"]),
        recommender=RecommenderClient(channels["recommender"]),
        interactions=interactions,
        cookies=Cookies(secure=settings.cookie_secure),
        currency=Currency(settings.currency, settings.currency_decimals),
        catalogue_cache=cache,
    )
    drain, readiness = Drain(), Readiness(settings.addresses, can_do_without=_CAN_DO_WITHOUT)
    rules = Rules(settings.limits, introspection=settings.introspection_enabled)
    app = create_app(
        Endpoint(SCHEMA, platform, verifier, drain, rules),
        readiness=readiness,
        drain=drain,
        verifier=verifier,
        registry=_all_workers if settings.prometheus_multiproc_dir else lambda: REGISTRY,
        cors_origins=settings.cors_origins,
        with_playground=settings.playground_enabled,
    )
    http = HttpSettings(
        settings.http_host,
        settings.http_port,
        settings.max_connections,
        settings.leave_seconds,
        shared_port=bool(settings.parent_pid),
    )
    try:
        await runtime.serve(HttpServer(app, http, drain), *loops)
    finally:
        await readiness.close()
        await asyncio.gather(*(channel.close() for channel in channels.values()))


def _all_workers() -> CollectorRegistry:
    """A registry of what all workers together have counted."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # it declares no types
    return registry


def export_schema(*, check: bool) -> int:
    """Writes schema.graphql, or with `check` answers 1 where it does not fit the code."""
    text = SCHEMA.as_str().rstrip() + "\n"
    if not check:
        SCHEMA_FILE.write_text(text)
        return 0
    if SCHEMA_FILE.is_file() and SCHEMA_FILE.read_text() == text:
        return 0
    sys.stderr.write(f"{SCHEMA_FILE.name} does not fit the code: run make schema\n")
    return 1


def main() -> int:
    """Reads the command line; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve GraphQL over HTTP")
    schema = commands.add_parser("schema", help="write schema.graphql")
    schema.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    if arguments.command == "schema":
        return export_schema(check=arguments.check)
    settings = runtime.read_settings(Settings, "gateway")
    # Metrics are served with everything else, on the HTTP port.
    telemetry.start("gateway", settings, metrics=False)
    if settings.workers > 1:
        workers = Workers(settings.workers, settings.http_host, settings.http_port, os.environ)
        asyncio.run(runtime.serve(workers))
        return 0
    if settings.parent_pid:
        end_with_parent(settings.parent_pid)
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
