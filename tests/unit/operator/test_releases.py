"""Claims about releases: what is wished for, in which order, and that the charts understand it."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given

from ecommerce_operator.components import SERVICES, components, databases
from ecommerce_operator.model import (
    COMPONENT_LABEL,
    PLATFORM_LABEL,
    SECRETS_DIGEST_ANNOTATION,
    OperatorSettings,
    Release,
)
from ecommerce_operator.releases import releases
from ecommerce_operator.values import LARGEST_HEAP, PROVISION_DIGEST
from tests.unit.operator import platforms
from tests.unit.operator.platforms import CLUSTER_ID, NAMES, SETTINGS, SPECS, platform, secrets, some

CHARTS = Path(__file__).parents[3] / "charts"
OURS = "docker.io/ecommerce-platform"
DIGEST = "sha256:" + "0" * 64


def wished(spec: dict[str, Any] | None = None, **digests: str) -> dict[str, Release]:
    return {release.component: release for release in releases(platform(spec), SETTINGS, secrets(), digests)}


@cache
def chart(name: str) -> tuple[dict[str, Any], jsonschema.Draft202012Validator]:
    values = yaml.safe_load((CHARTS / name / "values.yaml").read_text())
    schema = json.loads((CHARTS / name / "values.schema.json").read_text())
    return values, jsonschema.Draft202012Validator(schema)


def merged(own: Any, given: Any) -> Any:
    """Values as helm merges them: objects by key, everything else as a whole."""
    if not isinstance(own, dict) or not isinstance(given, dict):
        return given
    return own | {key: merged(own.get(key), value) for key, value in given.items()}


@some
@given(SPECS, NAMES)
def test_every_chart_accepts_its_values(spec: dict[str, Any], name: str) -> None:
    """Whatever the definition lets through becomes values that the charts' schemas accept."""
    for release in releases(platform(spec, name), SETTINGS, secrets(name), {"order": "digest"}):
        own, schema = chart(release.chart)
        faults = [fault.message for fault in schema.iter_errors(merged(own, release.values))]
        assert faults == [], release.component


@some
@given(SPECS, NAMES)
def test_releases_are_in_starting_order(spec: dict[str, Any], name: str) -> None:
    """A release needs and follows only what comes before it, and what is there at all."""
    before: set[str] = set()
    for release in releases(platform(spec, name), SETTINGS, secrets(name), {}):
        assert release.requires <= before
        assert release.after <= before
        before.add(release.component)
    assert before <= set(components())
    assert {row.name for row in SERVICES} <= before


@some
@given(SPECS, NAMES)
def test_names_are_short_enough(spec: dict[str, Any], name: str) -> None:
    """No name is longer than a label may be, with room for what charts and controllers add."""
    for release in releases(platform(spec, name), SETTINGS, secrets(name), {}):
        # What a Job adds, or the hash of a template.
        with_job = release.component in ("postgres", *databases())
        assert len(release.name) + len("-provision-0123456789" if with_job else "-0123456789") <= 63


@some
@given(SPECS)
def test_the_same_wish_is_the_same(spec: dict[str, Any]) -> None:
    """The same platform gives equal releases, so that nothing is rendered or applied for nothing."""
    assert wished(spec) == wished(spec)


def test_a_small_shop() -> None:
    """`spec: {}` is three datastores and six services, each a release with the platform's name before its own."""
    found = wished()
    assert list(found) == ["postgres", "kafka", "elasticsearch", *platforms.SERVICES]
    assert [release.name for release in found.values()] == [f"shop-{name}" for name in found]
    assert [release.chart for release in found.values()] == list(found)
    assert not any(release.paused for release in found.values())


def test_who_waits_for_whom() -> None:
    """A service waits for its datastores and for those it calls; only its database must have been there once."""
    found = wished()
    assert found["account"].after == {"postgres"}
    assert found["product"].after == {"postgres", "kafka", "elasticsearch", "account"}
    assert found["order"].after == {"postgres", "kafka", "account", "product"}
    assert found["payment"].after == {"postgres", "kafka", "account", "order"}
    assert found["recommender"].after == {"postgres", "kafka", "account"}
    assert found["gateway"].after == {"kafka", "account", "product", "order", "payment", "recommender"}
    assert {name for name, release in found.items() if release.requires} == {
        "account",
        "product",
        "order",
        "payment",
        "recommender",
    }
    assert found["order"].requires == {"postgres"}


def test_external_datastores_are_nobodys_release() -> None:
    """A datastore that somebody else runs has no release; services read its Secret, each its own database's key."""
    external = {"mode": "External", "external": {"secretName": "elsewhere"}}
    spec = {"datastores": dict.fromkeys(("postgres", "kafka", "elasticsearch"), external)}
    found = wished(spec)
    assert list(found) == list(platforms.SERVICES)
    assert found["product"].requires == frozenset()
    assert found["product"].after == {"account"}
    values = found["product"].values
    assert values["database"] == {"secretName": "elsewhere", "secretKey": "product"}
    assert values["kafka"] == {"secretName": "elsewhere"}
    assert values["elasticsearch"] == {"secretName": "elsewhere", "caSecretKey": ""}


def test_an_external_authority_is_mounted_only_where_it_is() -> None:
    """The key of a certificate authority is named where the Secret holds one: a file that is not there ends a start."""
    spec = {"datastores": {"elasticsearch": {"mode": "External", "external": {"secretName": "elsewhere"}}}}
    found = releases(platform(spec), SETTINGS, secrets(elasticsearch_ca_key="ca.crt"), {})
    (product,) = (release for release in found if release.component == "product")
    assert product.values["elasticsearch"]["caSecretKey"] == "ca.crt"


def test_services_are_told_where_the_others_are() -> None:
    """Addresses are the Services of this platform, and secrets go by name only."""
    values = wished()["product"].values
    assert values["addresses"] == {"account": "shop-account:8080"}
    assert values["database"] == {"secretName": "shop-product-database"}
    assert values["kafka"] == {"bootstrapServers": "shop-kafka:9092"}
    assert values["elasticsearch"] == {"url": "http://shop-elasticsearch:9200"}
    assert wished()["kafka"].values["clusterId"] == CLUSTER_ID


def test_managed_datastores_have_their_operators_addresses() -> None:
    """In mode Managed a chart is told so, and services are given the Service that the other operator makes."""
    found = wished({"datastores": {name: {"mode": "Managed"} for name in ("postgres", "kafka", "elasticsearch")}})
    assert all(found[name].values["mode"] == "managed" for name in ("postgres", "kafka", "elasticsearch"))
    assert found["product"].values["kafka"] == {"bootstrapServers": "shop-kafka-kafka-bootstrap:9092"}
    assert found["product"].values["elasticsearch"] == {"url": "http://shop-elasticsearch-es-http:9200"}


def test_a_managed_datastore_has_an_image_of_its_operators_making() -> None:
    """The operator's own setting of an image holds in mode Embedded; in mode Managed only what the resource names."""
    settings = replace(SETTINGS, kafka_image="r:5000/kafka:1")

    def image(kafka: dict[str, Any]) -> dict[str, Any]:
        found = releases(platform({"datastores": {"kafka": kafka}}), settings, secrets(), {})
        return next(dict(release.values["image"]) for release in found if release.component == "kafka")

    assert image({"mode": "Embedded"})["tag"] == "1"
    assert "tag" not in image({"mode": "Managed"})
    assert image({"mode": "Managed", "image": "r:5000/strimzi:2"})["tag"] == "2"


@pytest.mark.parametrize(
    ("spec", "image", "version"),
    [
        ({}, (f"{OURS}/order", "1.0.0", ""), "1.0.0"),
        ({"version": "2"}, (f"{OURS}/order", "2", ""), "2"),
        ({"image": {"registry": "r:5000/s"}, "version": "2"}, ("r:5000/s/order", "2", ""), "2"),
        (
            {"version": "2", "services": {"order": {"version": "3"}}},
            (f"{OURS}/order", "3", ""),
            "3",
        ),
        ({"services": {"order": {"image": "r:5000/o:4", "version": "3"}}}, ("r:5000/o", "4", ""), "4"),
        ({"services": {"order": {"image": f"o@{DIGEST}"}}}, ("o", "", DIGEST), DIGEST),
    ],
)
def test_images(spec: dict[str, Any], image: tuple[str, str, str], version: str) -> None:
    """The nearest wish decides the image: the service's image, its version, the platform's, the operator's."""
    order = wished(spec)["order"]
    assert tuple(order.values["image"][key] for key in ("repository", "tag", "digest")) == image
    assert order.version == version


def test_datastores_images() -> None:
    """A datastore's image is the resource's, else the operator's, else the chart's own."""
    settings = OperatorSettings(version="1", pull_policy="Never", kafka_image="stand-in/kafka:5")
    spec = {"datastores": {"postgres": {"image": "mine/postgres:18"}}, "image": {"pullSecrets": [{"name": "key"}]}}
    found = {each.component: each for each in releases(platform(spec), settings, secrets(), {})}
    shared = {"pullPolicy": "Never", "pullSecrets": [{"name": "key"}]}
    assert found["postgres"].values["image"] == {"repository": "mine/postgres", "tag": "18", "digest": ""} | shared
    assert found["kafka"].values["image"] == {"repository": "stand-in/kafka", "tag": "5", "digest": ""} | shared
    assert found["elasticsearch"].values["image"] == shared
    assert (found["kafka"].version, found["elasticsearch"].version) == ("5", "")


@pytest.mark.parametrize(("memory", "heap"), [("768Mi", "384m"), ("2Gi", "1024m"), (2**30, "512m"), ("512Gi", None)])
def test_half_of_the_memory_is_heap(memory: str | int, heap: str | None) -> None:
    """Kafka and Elasticsearch get half of their limit as heap, up to where references stay compressed."""
    spec = {"datastores": {"kafka": {"resources": {"limits": {"memory": memory}}}}}
    assert wished(spec)["kafka"].values["heap"] == heap or f"{LARGEST_HEAP}m"


def test_a_changed_secret_rolls_who_reads_it() -> None:
    """A digest goes to the pods of the component that reads the secrets; the server is spared its databases' ones."""
    found = releases(platform(), SETTINGS, secrets(), {"order": "a", "postgres": "b", PROVISION_DIGEST: "c"})
    values = {release.component: release.values for release in found}
    assert values["order"]["podAnnotations"] == {SECRETS_DIGEST_ANNOTATION: "a"}
    assert values["postgres"]["podAnnotations"] == {SECRETS_DIGEST_ANNOTATION: "b"}
    assert values["postgres"]["provision"]["podAnnotations"] == {SECRETS_DIGEST_ANNOTATION: "c"}
    assert values["account"]["podAnnotations"] == {}


def test_pods_can_be_found() -> None:
    """Pods carry the platform's and the component's names as labels, by which they are watched."""
    assert wished()["order"].values["podLabels"] == {PLATFORM_LABEL: "shop", COMPONENT_LABEL: "order"}


@pytest.mark.parametrize(
    ("spec", "paused"),
    [({"paused": True}, set(components())), ({"services": {"order": {"paused": True}}}, {"order"}), ({}, set())],
)
def test_pauses(spec: dict[str, Any], paused: set[str]) -> None:
    """The platform's pause is everybody's; a component's is its own."""
    assert {name for name, release in wished(spec).items() if release.paused} == paused


@pytest.mark.parametrize(
    ("ingress", "enabled", "secure"),
    [
        ({}, {"ingress"}, False),
        ({"host": "a.example", "tlsSecretName": "tls"}, {"ingress"}, True),
        ({"https": True}, {"ingress"}, True),
        ({"type": "HTTPRoute", "host": "a.example", "gateway": {"name": "g"}}, {"httpRoute"}, False),
        ({"type": "HTTPRoute", "host": "a.example", "gateway": {"name": "g"}, "https": True}, {"httpRoute"}, True),
        ({"type": "None", "https": True}, set(), True),
    ],
)
def test_the_way_in(ingress: dict[str, Any], enabled: set[str], secure: bool) -> None:  # noqa: FBT001 a column of the table
    """One way in at most, and cookies for HTTPS alone exactly where clients use it."""
    values = wished({"ingress": ingress})["gateway"].values
    assert {name for name in ("ingress", "httpRoute") if values[name]["enabled"]} == enabled
    assert values["cookieSecure"] is secure
    assert "ingress" not in wished()["order"].values
    # What payment shows the world is found the same way; it gives nobody a cookie.
    paying = wished({"ingress": ingress})["payment"].values
    assert {name: paying[name] for name in ("ingress", "httpRoute")} == {
        name: values[name] for name in ("ingress", "httpRoute")
    }
    assert "cookieSecure" not in paying


def test_one_ingress_asks_for_the_certificate() -> None:
    """cert-manager makes one certificate for one Ingress: the gateway's asks for it, payment's uses its Secret."""
    annotations = {"cert-manager.io/cluster-issuer": "letsencrypt", "example.com/timeout": "10s"}
    found = wished({"ingress": {"host": "a.example", "tlsSecretName": "tls", "annotations": annotations}})
    assert found["gateway"].values["ingress"]["annotations"] == annotations
    assert found["payment"].values["ingress"]["annotations"] == {"example.com/timeout": "10s"}
    assert found["payment"].values["ingress"]["tlsSecretName"] == "tls"


def test_the_sandbox_is_signed_for_by_the_operator() -> None:
    """Without a provider of one's own there is the sandbox, whose secret and payment's own are the operator's."""
    values = wished()["payment"].values
    assert values["provider"] == {"name": "sandbox", "mode": "test", "secretName": "shop-payment-sandbox"}
    assert values["serviceSecret"] == {"secretName": "shop-payment-identity"}
    assert wished()["account"].values["serviceSecrets"] == {"secretName": "shop-service-secrets"}


def test_a_real_provider_has_keys_of_its_own() -> None:
    """The Secret that the resource names is the one that payment reads; nothing of the sandbox is left."""
    payment = {"provider": "Dodo", "mode": "Live", "secretName": "dodo", "redirectHosts": ["shop.example.com"]}
    values = wished({"payment": payment})["payment"].values
    assert values["provider"] == {"name": "dodo", "mode": "live", "secretName": "dodo"}
    assert values["redirectHosts"] == ["shop.example.com"]


@pytest.mark.parametrize(
    ("spec", "url"),
    [
        ({}, ""),
        ({"ingress": {"host": "a.example"}}, "http://a.example"),
        ({"ingress": {"host": "a.example", "https": True}}, "https://a.example"),
        ({"ingress": {"host": "a.example", "tlsSecretName": "tls"}}, "https://a.example"),
        ({"ingress": {"type": "None", "host": "a.example"}}, ""),
        ({"ingress": {"host": "a.example"}, "payment": {"publicUrl": "https://b.example"}}, "https://b.example"),
    ],
)
def test_where_buyers_find_their_pages(spec: dict[str, Any], url: str) -> None:
    """At the address that the resource says, else at its host; where it says neither, nobody knows beforehand."""
    assert wished(spec)["payment"].values["publicUrl"] == url


def test_scaling() -> None:
    """Without autoscaling nothing is said of it; with it, all of it."""
    assert "autoscaling" not in wished()["order"].values
    values = wished({"services": {"order": {"autoscaling": {"maxReplicas": 9}}}})["order"].values
    assert values["autoscaling"] == {
        "enabled": True,
        "minReplicas": 1,
        "maxReplicas": 9,
        "targetCPUUtilizationPercentage": 80,
    }


def test_no_administrator() -> None:
    """Without an e-mail address no administrator's secret is named."""
    assert wished()["account"].values["administrator"] == {"secretName": "shop-administrator"}
    none = wished({"administrator": {"email": ""}})["account"].values
    assert none["administrator"] == {"secretName": ""}


def test_tolerations_say_only_what_was_said() -> None:
    """Empty fields of a toleration are left out: to the API they would mean something."""
    whole = {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5}
    values = wished({"services": {"order": {"tolerations": [{"operator": "Exists"}, whole]}}})["order"].values
    assert values["tolerations"] == [{"operator": "Exists"}, {"operator": "Equal", **whole}]


def test_what_the_recommender_learns_by() -> None:
    """What the resource says of training is what its chart is given, and nobody else is."""
    training = {"everySeconds": 60, "regularization": [0.2], "resources": {"limits": {"memory": "4Gi"}}}
    found = wished({"recommender": {"historyDays": 30, "training": training}})
    values = found["recommender"].values
    assert values["historyDays"] == 30
    assert values["training"]["everySeconds"] == 60
    assert values["training"]["regularization"] == [0.2]
    assert values["training"]["resources"]["limits"] == {"cpu": "2", "memory": "4Gi"}
    assert [name for name, release in found.items() if "training" in release.values] == ["recommender"]


def test_without_a_word_the_trainer_is_as_its_chart_makes_it() -> None:
    """The defaults of the resource are those of the chart, resources included."""
    given = yaml.safe_load((CHARTS / "recommender/values.yaml").read_text())
    values = wished()["recommender"].values
    assert {name: values[name] for name in ("historyDays", "training")} == {
        name: given[name] for name in ("historyDays", "training")
    }
