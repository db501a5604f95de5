"""Claims about what each service is given."""

import pytest

from local.topology import INSTANCES, NAMES, Addresses, environment, listeners, row_of, worker_of

GRPC = ["account", "product", "order", "payment", "recommender"]
PORTS = {name: port for instance in INSTANCES for name, port in listeners(row_of(instance), instance)}
AT = Addresses(
    ports=PORTS,
    databases={name: f"postgresql+asyncpg://127.0.0.1/{name}" for name in GRPC},
    kafka="127.0.0.1:9092",
    elasticsearch="http://127.0.0.1:9200",
    credentials={"account": {"KEY_ENCRYPTION_KEY": "secret"}, "payment": {"SERVICE_SECRET": "secret"}},
)


def given(instance: str) -> dict[str, str]:
    return environment(row_of(instance), instance, AT)


@pytest.mark.parametrize("name", GRPC)
def test_a_grpc_service_listens_on_loopback_and_has_its_own_database(name: str) -> None:
    """Both of its listeners are on 127.0.0.1, and its database is named after it."""
    assert given(name) | {
        "GRPC_HOST": "127.0.0.1",
        "GRPC_PORT": str(PORTS[name]),
        "METRICS_HOST": "127.0.0.1",
        "METRICS_PORT": str(PORTS[f"{name}-metrics"]),
        "DATABASE_URL": f"postgresql+asyncpg://127.0.0.1/{name}",
    } == given(name)


@pytest.mark.parametrize(("variable", "owner"), [("KEY_ENCRYPTION_KEY", "account"), ("SERVICE_SECRET", "payment")])
def test_only_its_owner_gets_a_secret(variable: str, owner: str) -> None:
    """The key that encrypts the signing keys is nobody's but account's, and so is payment's secret its own."""
    assert [name for name in NAMES if variable in given(name)] == [owner]


def test_each_service_gets_the_addresses_of_those_it_calls() -> None:
    """All call account; order also product, payment also order, and the gateway each of the others."""
    called = {
        name: {key.removesuffix("_ADDRESS").lower() for key in given(name) if key.endswith("_ADDRESS")}
        for name in NAMES
    }
    assert called == {
        "account": set(),
        "product": {"account"},
        "order": {"account", "product"},
        "payment": {"account", "order"},
        "recommender": {"account"},
        "gateway": set(GRPC),
    }


def test_the_gateway_serves_http_on_8080_and_has_no_database() -> None:
    """The port is the contract's."""
    assert given("gateway")["HTTP_PORT"] == "8080"
    assert not {"DATABASE_URL", "GRPC_PORT", "ELASTICSEARCH_URL"} & given("gateway").keys()


def test_a_second_gateway_differs_in_its_port_alone() -> None:
    """`gateway-2` is the same row with another listener."""
    second = environment(row_of("gateway-2"), "gateway-2", Addresses({**PORTS, "gateway-2": 8082}, kafka=AT.kafka))
    assert second == given("gateway") | {"HTTP_PORT": "8082"}


def test_payment_serves_http_beside_grpc_on_8081() -> None:
    """Webhooks come to the contract's port, and buyers are sent back to this host alone."""
    assert {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "8081", "GRPC_PORT": str(PORTS["payment"])}.items() <= given(
        "payment"
    ).items()
    assert given("payment")["REDIRECT_HOSTS"] == "127.0.0.1,localhost"


def test_all_instances_of_payment_have_one_public_address() -> None:
    """A page that one instance made a link to is at the same address as another's."""
    ports = PORTS | {"payment-2": 20001, "payment-2-metrics": 20002, "payment-2-http": 20003}
    second = environment(row_of("payment-2"), "payment-2", Addresses(ports, AT.databases))
    assert second["HTTP_PORT"] == "20003"
    assert second["PUBLIC_URL"] == given("payment")["PUBLIC_URL"] == "http://127.0.0.1:8081"


def test_a_trainer_has_the_recommenders_database_and_serves_its_metrics_alone() -> None:
    """It learns from what the recommender keeps, and asks nobody else."""
    assert given("recommender-trainer") == {
        "DATABASE_URL": "postgresql+asyncpg://127.0.0.1/recommender",
        "METRICS_HOST": "127.0.0.1",
        "METRICS_PORT": str(PORTS["recommender-trainer-metrics"]),
    }


@pytest.mark.parametrize(
    ("instance", "command"),
    [
        ("recommender", None),
        ("recommender-2", None),
        ("recommender-trainer", "train"),
        ("recommender-trainer-2", "train"),
    ],
)
def test_a_worker_is_known_by_its_name(instance: str, command: str | None) -> None:
    """One more recommender is no trainer, and one more trainer is one."""
    worker = worker_of(instance)
    assert (worker.command if worker else None) == command


def test_no_two_listeners_share_a_port() -> None:
    """Everything can run at once on the usual ports."""
    assert len(set(PORTS.values())) == len(PORTS)
