"""The services' charts: what their pods are told is what the services read, and wrong values are explained."""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic_settings import BaseSettings

from local.topology import NAMES, SERVICES
from services.account import settings as account
from services.database import DatabaseSettings
from services.gateway.__main__ import Settings as GatewaySettings
from services.order import settings as order
from services.payment import settings as payment
from services.product import settings as product
from services.recommender import settings as recommender
from services.telemetry import TelemetrySettings
from tests.unit.charts import examples
from tests.unit.charts.rendering import CHARTS, Object, merged, pod_templates, refusal, render, serving

# What each command reads (services/*/__main__.py).
READ: Mapping[tuple[str, str], tuple[type[BaseSettings], ...]] = {
    ("account", "serve"): (account.ServeSettings, TelemetrySettings),
    ("account", "migrate"): (DatabaseSettings, account.AdministratorSettings, TelemetrySettings),
    ("product", "serve"): (product.ServeSettings, TelemetrySettings),
    ("product", "migrate"): (product.IndexSettings, TelemetrySettings),
    ("order", "serve"): (order.ServeSettings, TelemetrySettings),
    ("order", "migrate"): (DatabaseSettings, TelemetrySettings),
    ("payment", "serve"): (payment.ServeSettings, TelemetrySettings),
    ("payment", "migrate"): (DatabaseSettings, TelemetrySettings),
    ("recommender", "serve"): (recommender.ServeSettings, TelemetrySettings),
    ("recommender", "train"): (recommender.TrainSettings, TelemetrySettings),
    ("recommender", "migrate"): (DatabaseSettings, TelemetrySettings),
    ("gateway", "serve"): (GatewaySettings,),
}
# What the Secrets of a platform hold, by key.
SECRETS = {
    "url": "postgresql://shop:secret@shop-postgres:5432/shop",
    "key-encryption-key": Fernet.generate_key().decode(),
    "bootstrap-servers": "kafka:9092",
    "email": "admin@example.com",
    "password": "correct horse",
    "name": "Ada",
    "service-secret": "a secret of more than 24 characters",
    "service-secrets": "payment:a secret of more than 24 characters",
    "webhook-secrets": f"whsec_{base64.b64encode(bytes(32)).decode()}",
    "api-key": "sk_test_0",
}


def programs(service: str, choice: str) -> dict[str, dict[str, Any]]:
    """The containers by the command that they run."""
    objects = render(service, merged(examples.least(service), examples.choices(service)[choice]))
    containers = [each["spec"]["containers"][0] for each in pod_templates(objects).values()]
    return {container["args"][-1]: container for container in containers}


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """What the kubelet would make of a container's `env`."""
    return {each["name"]: _value(each, container) for each in container["env"]}


def _value(entry: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    if "value" in entry:
        return str(entry["value"])
    source = entry["valueFrom"]
    if "resourceFieldRef" in source:
        assert source["resourceFieldRef"] == {"resource": "limits.cpu", "divisor": "1"}
        return str(container["resources"]["limits"]["cpu"])
    key, name = source["secretKeyRef"]["key"], source["secretKeyRef"]["name"]
    return "https://elasticsearch:9200" if name == "elasticsearch" else SECRETS[key]


@pytest.mark.parametrize(("service", "choice"), examples.CASES)
def test_every_command_finds_its_settings(
    service: str, choice: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the environment that the chart gives and no other, each command's settings can be read."""
    for command, container in programs(service, choice).items():
        given = environment(container)
        if "ELASTICSEARCH_CA_FILE" in given:
            _check_mounted(given["ELASTICSEARCH_CA_FILE"], container)
            (tmp_path / "ca.crt").touch()
            given["ELASTICSEARCH_CA_FILE"] = str(tmp_path / "ca.crt")
        with monkeypatch.context() as patch:
            patch.setattr("os.environ", given)
            for settings in READ[service, command]:
                settings()


def _check_mounted(file: str, container: Mapping[str, Any]) -> None:
    assert [each["mountPath"] for each in container["volumeMounts"]] == [str(Path(file).parent)]


@pytest.mark.parametrize(("service", "choice"), examples.CASES)
def test_nothing_is_set_that_nobody_reads(service: str, choice: str) -> None:
    """Each variable is a setting of the command, and none is there twice."""
    for command, container in programs(service, choice).items():
        names = [each["name"] for each in container["env"]]
        known = {name.upper() for settings in READ[service, command] for name in settings.model_fields}
        assert set(names) <= known
        assert len(names) == len(set(names))


@pytest.mark.parametrize(("service", "command"), READ)
def test_no_required_setting_is_left_to_the_user(service: str, command: str) -> None:
    """Every setting without a default has an entry."""
    names = {each["name"] for each in programs(service, "as little as needed")[command]["env"]}
    for settings in READ[service, command]:
        assert {name.upper() for name, field in settings.model_fields.items() if field.is_required()} <= names


def test_a_service_is_told_of_those_that_it_calls(service: str) -> None:
    """The addresses that a chart asks for are those of the topology."""
    calls = next(row.calls for row in SERVICES if row.name == service)
    env = programs(service, "as little as needed")["serve"]["env"]
    told = {each["name"]: each["value"] for each in env if each["name"].endswith("_ADDRESS")}
    assert told == {f"{name.upper()}_ADDRESS": f"shop-{name}:8080" for name in calls}


def test_the_values_defaults_are_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the chart says of training without being asked is what the trainer does without being told."""
    told = environment(programs("recommender", "as little as needed")["train"])
    del told["TRAIN_THREADS"]  # of that the pod knows more than the trainer
    with monkeypatch.context() as patch:
        patch.setattr("os.environ", told)
        given = recommender.TrainSettings()
        patch.setattr("os.environ", {"DATABASE_URL": told["DATABASE_URL"]})
        assert given == recommender.TrainSettings()


def test_the_trainer_is_told_what_the_values_say() -> None:
    """Each wish about training is a setting of the trainer, numbers as they were written, however large."""
    told = environment(programs("recommender", "trained otherwise")["train"])
    assert {
        "HISTORY_DAYS": "30",
        "TRAIN_EVERY": "86400",
        "TRAIN_AFTER": "100000000",
        "FACTORS": "256",
        "REGULARIZATION": "0.0001,10",
        "ALPHA": "0.01",
        "ITERATIONS": "100",
        "VIEW_WEIGHT": "0.01",
        "PURCHASE_WEIGHT": "1000",
        "HALF_LIFE_DAYS": "3650",
        "TOLERANCE": "0.5",
        "TRAIN_THREADS": "2",
    }.items() <= told.items()
    assert environment(programs("recommender", "trained otherwise")["serve"])["HISTORY_DAYS"] == "30"


def test_settings_of_the_values_win() -> None:
    """An entry of `env` takes the place of the chart's own."""
    values = merged(examples.least("gateway"), {"env": [{"name": "LEAVE_SECONDS", "value": "9"}]})
    container = serving(render("gateway", values))["spec"]["template"]["spec"]["containers"][0]
    assert [each for each in container["env"] if each["name"] == "LEAVE_SECONDS"] == [
        {"name": "LEAVE_SECONDS", "value": "9"}
    ]


def test_no_secret_is_written_into_an_object(service: str) -> None:
    """Whatever is secret comes by reference: a rendering holds names of Secrets only."""
    for container in programs(service, "as little as needed").values():
        for each in container["env"]:
            assert "value" in each or "secretKeyRef" in each["valueFrom"] or "resourceFieldRef" in each["valueFrom"]
            assert not re.search("PASSWORD|KEY|DATABASE|SECRET", each["name"]) or "value" not in each


def test_the_administrator_is_made_by_the_migration() -> None:
    """The administrator's password is given to the migration and not to the server; the name may be missing."""
    found = programs("account", "an administrator")
    assert not any(each["name"].startswith("ADMIN_") for each in found["serve"]["env"])
    env = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in found["migrate"]["env"]}
    assert env["ADMIN_NAME"] == {"name": "shop-administrator", "key": "name", "optional": True}
    assert env["ADMIN_PASSWORD"] == {"name": "shop-administrator", "key": "password"}


MISSING = [
    ("account", {"database": {"secretName": ""}}, "set database.secretName to the name of the Secret"),
    ("account", {"encryptionKey": {"secretName": ""}}, "set encryptionKey.secretName to the name of the Secret"),
    ("product", {"kafka": {"bootstrapServers": ""}}, "product needs Kafka: set kafka.bootstrapServers"),
    ("product", {"kafka": {"secretName": "k"}}, "set kafka.bootstrapServers or kafka.secretName, not both."),
    ("product", {"elasticsearch": {"url": ""}}, "product needs Elasticsearch: set elasticsearch.url"),
    ("product", {"elasticsearch": {"caSecretKey": "ca.crt"}}, "set elasticsearch.secretName to that Secret, too."),
    ("order", {"addresses": {"product": ""}}, "order calls product: set addresses.product to its address, host:port."),
    ("payment", {"provider": {"secretName": ""}}, "set provider.secretName to the name of the Secret with the keys"),
    ("payment", {"provider": {"name": "stripe"}}, "set redirectHosts to the hosts that buyers may be sent back to"),
    ("payment", {"serviceSecret": {"secretName": ""}}, "set serviceSecret.secretName to the name of the Secret"),
    ("payment", {"httpRoute": {"enabled": True}}, "set httpRoute.gateway.name to its name"),
    ("gateway", {"addresses": {"order": ""}}, "gateway calls order: set addresses.order to its address, host:port."),
    ("gateway", {"addresses": {"recommender": ""}}, "gateway calls recommender: set addresses.recommender"),
    ("recommender", {"database": {"secretName": ""}}, "set database.secretName to the name of the Secret"),
    ("recommender", {"kafka": {"bootstrapServers": ""}}, "recommender needs Kafka: set kafka.bootstrapServers"),
    ("gateway", {"ingress": {"enabled": True, "tlsSecretName": "t"}}, "set ingress.host to that host's name, too."),
    ("gateway", {"httpRoute": {"enabled": True}}, "set httpRoute.gateway.name to its name"),
    ("order", {"autoscaling": {"enabled": True, "minReplicas": 9}}, "autoscaling.minReplicas (9) is more than"),
]


@pytest.mark.parametrize(("service", "changes", "sentence"), MISSING, ids=str)
def test_what_is_missing_is_told(service: str, changes: Mapping[str, Any], sentence: str) -> None:
    """Values that do not fit together are refused by a sentence that says what to set."""
    assert sentence in refusal(service, merged(examples.least(service), changes))


WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({"replica": 2}, "additional properties 'replica' not allowed"),
    ({"image": {"version": "2"}}, "additional properties 'version' not allowed"),
    ({"replicas": "2"}, "at '/replicas': got string, want integer"),
    ({"replicas": -1}, "at '/replicas': minimum: got -1, want 0"),
    (
        {"image": {"pullPolicy": "always"}},
        "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
    ),
    ({"image": {"digest": "abc"}}, "at '/image/digest': 'abc' does not match pattern"),
    ({"resources": {"limits": {"cpu": None}}}, "at '/resources/limits': missing property 'cpu'"),
    ({"resources": {"limits": {"memory": "much"}}}, "at '/resources/limits/memory': 'much' does not match pattern"),
    ({"resources": None}, "missing property 'resources'"),
    ({"env": [{"name": "log-level", "value": "DEBUG"}]}, "at '/env/0/name': 'log-level' does not match pattern"),
    ({"env": [{"name": "WORKERS", "value": 2}]}, "at '/env/0/value': got number, want string"),
    ({"platform": "Shop"}, "at '/platform': 'Shop' does not match pattern"),
    ({"autoscaling": {"enabled": "yes"}}, "at '/autoscaling/enabled': got string, want boolean"),
    ({"terminationGracePeriodSeconds": 5}, "at '/terminationGracePeriodSeconds': minimum: got 5, want 20"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=str)
def test_a_wrong_value_is_named(changes: Mapping[str, Any], message: str) -> None:
    """The schema refuses what no template reads and what has the wrong type, and says where; one speaks for all."""
    assert message in refusal("order", merged(examples.least("order"), changes))


@pytest.mark.parametrize(
    ("service", "changes", "where"),
    [
        ("product", {"currency": {"code": "usd"}}, "/currency/code"),
        ("gateway", {"currency": {"decimals": 5}}, "/currency/decimals"),
        ("gateway", {"cookieSecure": "yes"}, "/cookieSecure"),
        ("gateway", {"corsOrigins": ["*"]}, "/corsOrigins/0"),
        ("gateway", {"responseCacheMebibytes": -1}, "/responseCacheMebibytes"),
        ("gateway", {"ingress": {"host": "https://shop.example.com"}}, "/ingress/host"),
        ("gateway", {"addresses": {"account": "shop-account"}}, "/addresses/account"),
        ("payment", {"provider": {"name": "Stripe"}}, "/provider/name"),
        ("payment", {"redirectHosts": ["https://shop.example.com"]}, "/redirectHosts/0"),
        ("payment", {"publicUrl": "https://shop.example.com/"}, "/publicUrl"),
        ("recommender", {"historyDays": 0}, "/historyDays"),
        ("recommender", {"training": {"regularization": []}}, "/training/regularization"),
        ("recommender", {"training": {"tolerance": 5}}, "/training/tolerance"),
        (
            "recommender",
            {"training": {"resources": {"limits": {"memory": "much"}}}},
            "/training/resources/limits/memory",
        ),
        ("order", {"kafka": {"bootstrapServers": "kafka"}}, "/kafka/bootstrapServers"),
        ("product", {"elasticsearch": {"url": "shop-elasticsearch:9200"}}, "/elasticsearch/url"),
    ],
    ids=str,
)
def test_a_wrong_value_of_its_own_is_named(service: str, changes: Mapping[str, Any], where: str) -> None:
    """So it does with what only some of the charts have."""
    assert f"at '{where}'" in refusal(service, merged(examples.least(service), changes))


def test_what_schemas_share_is_the_same() -> None:
    """A value of the same name is checked the same way in every chart."""
    schemas = {name: _schema(name) for name in NAMES}
    for name, schema in schemas.items():
        for other in schemas.values():
            shared = schema["$defs"].keys() & other["$defs"].keys()
            assert {key: schema["$defs"][key] for key in shared} == {key: other["$defs"][key] for key in shared}
            # The gateway serves its metrics with everything else; a service knows only the addresses that it calls.
            common = (schema["properties"].keys() & other["properties"].keys()) - {
                "networkPolicy",
                "addresses",
                "currency",
            }
            assert {key: schema["properties"][key] for key in common} == {
                key: other["properties"][key] for key in common
            }, name


def _schema(service: str) -> Object:
    loaded: Object = json.loads((CHARTS / service / "values.schema.json").read_text())
    return loaded
