"""The services' charts: objects that the API accepts, pods that the strictest standard accepts, stable names."""

import copy
from typing import Any

import pytest

from tests.unit.charts import examples
from tests.unit.charts.examples import rendered
from tests.unit.charts.rendering import (
    CHARTS,
    Object,
    loaded,
    merged,
    of_kind,
    only,
    pod_templates,
    render,
    run,
    serving,
)
from tests.unit.charts.restricted import containers, violations
from tests.unit.charts.schemas import faults

every_case = pytest.mark.parametrize(("service", "choice"), examples.CASES)
NEW_VERSION = {
    "image": {"tag": "9.9.9"},
    "podLabels": {"new": "label"},
    "env": [{"name": "LOG_LEVEL", "value": "DEBUG"}],
}


@every_case
def test_the_api_knows_every_field(service: str, choice: str) -> None:
    """Whatever is chosen, kubeconform finds no unknown field and no wrong type."""
    assert faults(rendered(service, examples.choices(service)[choice])) == []


def test_unknown_fields_are_found() -> None:
    """The check itself: a misspelt field, a wrong type and an unknown kind are faults."""
    policy = only(rendered("account"), "NetworkPolicy")
    misspelt, mistyped = copy.deepcopy(policy), copy.deepcopy(policy)
    misspelt["spec"]["podSelektor"] = {}
    mistyped["spec"]["ingress"][0]["ports"][0]["protocol"] = 6
    unknown = {**policy, "kind": "NetworkPolitics"}
    assert all(faults([each]) for each in (misspelt, mistyped, unknown))
    assert faults([policy]) == []


@every_case
def test_rendering_twice_answers_the_same(service: str, choice: str) -> None:
    """What is rendered depends on the values alone."""
    values = merged(examples.least(service), examples.choices(service)[choice])
    again = run("template", f"shop-{service}", str(CHARTS / service), "-n", "shop", "--values", "-", values=values)
    assert loaded(again) == render(service, values)


@every_case
def test_pods_are_restricted(service: str, choice: str) -> None:
    """Every pod keeps the restricted Pod Security Standard, has requests and limits and a read-only root."""
    for name, template in pod_templates(rendered(service, examples.choices(service)[choice])).items():
        assert violations(template["spec"]) == [], name


@pytest.mark.parametrize(
    "loosened", [{"allowPrivilegeEscalation": True}, {"readOnlyRootFilesystem": False}, {"capabilities": {}}], ids=str
)
def test_restriction_is_checked(loosened: dict[str, Any]) -> None:
    """The check itself: a container that gives up a protection is told."""
    pod = copy.deepcopy(serving(rendered("account"))["spec"]["template"]["spec"])
    pod["containers"][0]["securityContext"] |= loosened
    assert len(violations(pod)) == 1


def test_only_the_gateway_may_write_a_folder(service: str, objects: list[Object]) -> None:
    """No pod has a writable volume but the gateway's /tmp, where several workers would add up their metrics."""
    for template in pod_templates(objects).values():
        mounts = [mount for each in containers(template["spec"]) for mount in each.get("volumeMounts", [])]
        assert [mount["mountPath"] for mount in mounts] == (["/tmp"] if service == "gateway" else [])  # noqa: S108


def test_no_credentials_of_the_cluster(objects: list[Object]) -> None:
    """Neither the account nor the pods mount a token of the API server."""
    assert only(objects, "ServiceAccount")["automountServiceAccountToken"] is False


def test_everything_is_called_as_its_release(service: str, objects: list[Object]) -> None:
    """Objects have the release's name, namespace and labels; a Job's, a second Service's, a worker's say more."""
    for each in objects:
        metadata = each["metadata"]
        assert metadata["namespace"] == "shop"
        assert metadata["name"].startswith(f"shop-{service}")
        assert metadata["name"].removeprefix(f"shop-{service}") in ("", "-web", "-trainer") or each["kind"] == "Job"
        assert (
            metadata["labels"]
            | {
                "app.kubernetes.io/name": service,
                "app.kubernetes.io/instance": f"shop-{service}",
                "app.kubernetes.io/part-of": "shop",
                "app.kubernetes.io/version": "0.1.0",
                "app.kubernetes.io/managed-by": "Helm",
                "helm.sh/chart": f"{service}-0.1.0",
            }
            == metadata["labels"]
        )


def test_a_failed_pod_tells_why(objects: list[Object]) -> None:
    """The last lines of a container that failed are kept in its pod's status."""
    for template in pod_templates(objects).values():
        for container in containers(template["spec"]):
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_pods_carry_what_they_are_given(service: str) -> None:
    """Every pod template, also a migration's, has the labels and annotations of the values, and the settings."""
    given = {"podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}, "env": [{"name": "LOG_LEVEL", "value": "DEBUG"}]}
    for template in pod_templates(rendered(service, given)).values():
        assert template["metadata"]["labels"]["a"] == "b"
        assert template["metadata"]["annotations"]["c"] == "d"
        assert {"name": "LOG_LEVEL", "value": "DEBUG"} in template["spec"]["containers"][0]["env"]


def test_selectors_never_change(service: str, objects: list[Object]) -> None:
    """What selects pods is the same for any version, and selects the servers' pods but no migration's or trainer's."""
    later = rendered(service, NEW_VERSION, {"replicas": 3, "platform": "other"})
    selector = serving(objects)["spec"]["selector"]["matchLabels"]
    assert serving(later)["spec"]["selector"]["matchLabels"] == selector
    assert all(each["spec"]["selector"] == selector for each in of_kind([*objects, *later], "Service"))
    assert only(later, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == selector
    for each in (objects, later):
        for name, template in pod_templates(each).items():
            selected = selector.items() <= template["metadata"]["labels"].items()
            assert selected is (name == f"Deployment/shop-{service}")


def test_long_names_fit() -> None:
    """The longest name that helm allows still leaves every label within 63 characters."""
    release = "a" * 53
    for each in render("account", examples.least("account"), release=release):
        assert len(each["metadata"]["name"]) <= 63
        assert all(len(text) <= 63 for text in each["metadata"]["labels"].values())


@pytest.mark.parametrize("choice", ["as little as needed", "scaled automatically", "an Ingress", "an HTTPRoute"])
def test_names_that_look_like_numbers_stay_text(choice: str) -> None:
    """A release, a namespace and a Secret may be called as a number or a truth value is."""
    values = merged(examples.least("gateway"), examples.choices("gateway")[choice])
    by_secret = {"kafka": {"bootstrapServers": "", "secretName": "1e3", "secretKey": "null"}}
    assert faults(render("gateway", merged(values, by_secret), release="123", namespace="0")) == []
    assert faults(render("account", merged(examples.least("account"), {"platform": "n"}), release="1")) == []


def test_a_long_tag_is_cut_for_its_label() -> None:
    """A tag may be longer than a label; the image keeps all of it."""
    tag = "a" * 62 + "-" + "b" * 40
    deployment = serving(rendered("order", {"image": {"tag": tag}}))
    assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == "a" * 62
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{tag}")


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "docker.io/ecommerce-platform/order:0.1.0"),
        ({"repository": "localhost:5000/o", "tag": "7"}, "localhost:5000/o:7"),
        ({"digest": f"sha256:{'a' * 64}"}, f"docker.io/ecommerce-platform/order:0.1.0@sha256:{'a' * 64}"),
    ],
)
def test_the_image_that_runs(image: dict[str, str], reference: str) -> None:
    """Server and migration run the same image: the chart's version where no tag is named, exactly a digest's."""
    templates = pod_templates(rendered("order", {"image": image}))
    assert {each["spec"]["containers"][0]["image"] for each in templates.values()} == {reference}


def test_a_service_keeps_its_kind_of_address(objects: list[Object], service: str) -> None:
    """Services of gRPC are headless, so that clients see every replica; the gateway has one address for all.

    Payment's pages have such an address, too, beside its gRPC.
    """
    specs = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "Service")}
    spec = specs.pop(f"shop-{service}")
    assert spec.get("clusterIP") == (None if service == "gateway" else "None")
    assert spec["ports"][0]["port"] == 8080
    pages = {name: (each.get("clusterIP"), each["ports"][0]["port"]) for name, each in specs.items()}
    assert pages == ({"shop-payment-web": (None, 8081)} if service == "payment" else {})
