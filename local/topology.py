"""The platform's services, one row each, and the environment that every row comes to.

A new service is a new row. Ports are those of `make dev`; tests choose free ones under the same names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Service:
    """What one service is and needs.

    `calls` names the services whose addresses it is given; `http` says that it serves HTTP (its metrics on the same
    port) instead of gRPC; `web` is the port of an HTTP listener beside gRPC; `database` says that it has one, with
    migrations.
    """

    name: str
    port: int
    calls: tuple[str, ...] = ()
    http: bool = False
    web: int | None = None
    database: bool = False
    kafka: bool = True
    search: bool = False

    @property
    def module(self) -> str:
        """What Python runs."""
        return f"services.{self.name}"


SERVICES = (
    Service("account", 15051, database=True, kafka=False),
    Service("product", 15052, calls=("account",), database=True, search=True),
    Service("order", 15053, calls=("account", "product"), database=True),
    Service("payment", 15054, calls=("account", "order"), web=8081, database=True),
    Service("gateway", 8080, calls=("account", "product", "order", "payment"), http=True),
)
NAMES = tuple(row.name for row in SERVICES)
METRICS = 100  # a gRPC service's metrics are this far above its own port


@dataclass(frozen=True)
class Addresses:
    """Where everything is: ports on loopback by listener's name, and the datastores as the services see them.

    `credentials` are the variables that only one service is given, by its name.
    """

    ports: Mapping[str, int]
    databases: Mapping[str, str] = field(default_factory=dict)
    kafka: str = ""
    elasticsearch: str = ""
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def row_of(instance: str) -> Service:
    """Answer the row of an instance: a service has its own name, and `gateway-2` is one more gateway."""
    return next(service for service in SERVICES if service.name == instance.partition("-")[0])


def listeners(service: Service, instance: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the usual port of each listener of an instance."""
    yield instance, service.port
    if not service.http:
        yield f"{instance}-metrics", service.port + METRICS
    if service.web:
        yield f"{instance}-http", service.web


def environment(service: Service, instance: str, at: Addresses) -> dict[str, str]:
    """Answer every variable that an instance of a service is given."""
    given = _listening(service, instance, at)
    given |= {f"{name.upper()}_ADDRESS": f"127.0.0.1:{at.ports[name]}" for name in service.calls}
    if service.database:
        given["DATABASE_URL"] = at.databases[service.name]
    if service.kafka:
        given["KAFKA_BOOTSTRAP_SERVERS"] = at.kafka
    if service.search:
        given["ELASTICSEARCH_URL"] = at.elasticsearch
    if service.web:
        given |= _facing_buyers(service, instance, at)
    return given | dict(at.credentials.get(service.name, {}))


def _listening(service: Service, instance: str, at: Addresses) -> dict[str, str]:
    port = str(at.ports[instance])
    if service.http:
        # Without TLS a browser would not send a cookie that is marked as secure.
        return {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": port, "COOKIE_SECURE": "false"}
    metrics = str(at.ports[f"{instance}-metrics"])
    return {"GRPC_HOST": "127.0.0.1", "GRPC_PORT": port, "METRICS_HOST": "127.0.0.1", "METRICS_PORT": metrics}


def _facing_buyers(service: Service, instance: str, at: Addresses) -> dict[str, str]:
    """Answer where its pages are: one address for all instances, as behind an ingress; and where they may lead back."""
    return {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(at.ports[f"{instance}-http"]),
        "PUBLIC_URL": f"http://127.0.0.1:{at.ports[f'{service.name}-http']}",
        "REDIRECT_HOSTS": "127.0.0.1,localhost",
        "PAYMENT_PROVIDER": "sandbox",
    }
