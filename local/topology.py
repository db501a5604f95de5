"""The platform's services, one row each, and the environment that every row comes to.

A new service is a new row. Ports are those of `make dev`; tests choose free ones under the same names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Worker:
    """A process of a service's image that has a command and a name of its own, and serves nobody but metrics."""

    name: str
    command: str
    port: int  # of which its metrics are METRICS away, as a service's are


@dataclass(frozen=True, slots=True)
class Service:
    """What one service is and needs.

    `calls` names the services whose addresses it is given; `http` says that it serves HTTP (its metrics on the same
    port) instead of gRPC; `web` is the port of an HTTP listener beside gRPC; `database` says that it has one, with
    migrations; `workers` run beside it on the same database.
    """

    name: str
    port: int
    calls: tuple[str, ...] = ()
    http: bool = False
    web: int | None = None
    database: bool = False
    kafka: bool = True
    search: bool = False
    workers: tuple[Worker, ...] = ()

    @property
    def module(self) -> str:
        """What Python runs."""
        return f"services.{self.name}"


SERVICES = (
    Service("account", 15051, database=True, kafka=False),
    Service("product", 15052, calls=("account",), database=True, search=True),
    Service("order", 15053, calls=("account", "product"), database=True),
    Service("payment", 15054, calls=("account", "order"), web=8081, database=True),
    Service(
        "recommender",
        15055,
        calls=("account",),
        database=True,
        workers=(Worker("recommender-trainer", "train", 15056),),
    ),
    Service("gateway", 8080, calls=("account", "product", "order", "payment", "recommender"), http=True),
)
NAMES = tuple(row.name for row in SERVICES)
INSTANCES = tuple(name for row in SERVICES for name in (row.name, *(worker.name for worker in row.workers)))
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


def worker_of(instance: str) -> Worker | None:
    """Answer which worker an instance is, or None for a service; `recommender-trainer-2` is one more trainer."""
    workers = row_of(instance).workers
    return next((worker for worker in workers if f"{instance}-".startswith(f"{worker.name}-")), None)


def listeners(service: Service, instance: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the usual port of each listener of an instance."""
    if worker := worker_of(instance):
        yield f"{instance}-metrics", worker.port + METRICS
        return
    yield instance, service.port
    if not service.http:
        yield f"{instance}-metrics", service.port + METRICS
    if service.web:
        yield f"{instance}-http", service.web


def environment(service: Service, instance: str, at: Addresses) -> dict[str, str]:
    """Answer every variable that an instance of a service is given; a worker has its database and its metrics."""
    if worker_of(instance):
        return _measured(instance, at) | {"DATABASE_URL": at.databases[service.name]}
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
    return {"GRPC_HOST": "127.0.0.1", "GRPC_PORT": port} | _measured(instance, at)


def _measured(instance: str, at: Addresses) -> dict[str, str]:
    return {"METRICS_HOST": "127.0.0.1", "METRICS_PORT": str(at.ports[f"{instance}-metrics"])}


def _facing_buyers(service: Service, instance: str, at: Addresses) -> dict[str, str]:
    """Answer where its pages are: one address for all instances, as behind an ingress; and where they may lead back."""
    return {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(at.ports[f"{instance}-http"]),
        "PUBLIC_URL": f"http://127.0.0.1:{at.ports[f'{service.name}-http']}",
        "REDIRECT_HOSTS": "127.0.0.1,localhost",
        "PAYMENT_PROVIDER": "sandbox",
    }
