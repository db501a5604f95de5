"""The operator's chart: its pod, its settings, and rights that are what its table of kinds needs."""

import re
from collections import defaultdict
from typing import Any, Final

import pytest

from ecommerce_operator.kinds import KINDS
from ecommerce_operator.settings import Settings
from tests.unit.charts.rendering import CHARTS, Object, of_kind, only, pod_templates, render
from tests.unit.charts.restricted import violations
from tests.unit.charts.schemas import faults

RELEASE: Final = "ecommerce-operator"
OWNED: Final = {"list", "watch", "create", "patch", "delete"}
CHOICES: Final[dict[str, dict[str, Any]]] = {
    "as it is": {},
    "two namespaces": {"watchNamespaces": ["shop", "stage"]},
    "images of one's own": {
        "image": {"repository": "registry.example.com/operator", "tag": "1.2.3", "pullSecrets": [{"name": "registry"}]},
        "images": {"registry": "registry.example.com/shop", "postgres": "registry.example.com/postgres:18.3"},
        "platformVersion": "1.2.4",
    },
    "no metrics": {"networkPolicy": {"metricsFrom": []}},
    "no policy": {"networkPolicy": {"enabled": False}},
    "placed": {"nodeSelector": {"a": "b"}, "priorityClassName": "system", "podLabels": {"c": "d"}},
}


def rendered(values: dict[str, Any] | None = None) -> list[Object]:
    return render("operator", values, RELEASE, "ecommerce-system")


def rights(role: Object) -> dict[tuple[str, str], set[str]]:
    """The verbs by API group and resource."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found[group, resource] |= set(rule["verbs"])
    return found


@pytest.mark.parametrize("choice", CHOICES)
def test_the_api_knows_every_field_and_the_pod_is_restricted(choice: str) -> None:
    """But for one rule that is the platform's own: this pod has credentials of the API server."""
    objects = rendered(CHOICES[choice])
    assert faults(objects) == []
    (template,) = pod_templates(objects).values()
    assert violations(template["spec"]) == ["the API server's credentials are mounted"]


def test_rights_cover_every_kind_that_the_operator_deals_with() -> None:
    """What it applies it may list, watch, make, change and delete; what others make it may only see."""
    given = rights(only(rendered(), "ClusterRole"))
    for kind in KINDS:
        made_by_others = not kind.applied
        # Claims are made by StatefulSets.
        wanted = {"list", "watch"} if made_by_others else OWNED - ({"create"} if kind.name.endswith("Claim") else set())
        assert given[kind.group, kind.plural] - {"get"} == wanted, kind.name


def test_rights_end_where_the_kinds_end() -> None:
    """Beside them: the resource, pods' logs, events, a Gateway's address. No wildcard, no role, no node, no exec."""
    given = rights(only(rendered(), "ClusterRole"))
    beside = {key: verbs for key, verbs in given.items() if key not in {(kind.group, kind.plural) for kind in KINDS}}
    assert beside == {
        ("ecommerce.dev", "ecommerceplatforms"): {"list", "watch", "patch"},
        ("ecommerce.dev", "ecommerceplatforms/status"): {"patch"},
        ("ecommerce.dev", "ecommerceplatforms/finalizers"): {"update"},
        ("gateway.networking.k8s.io", "gateways"): {"get"},
        ("", "pods/log"): {"get"},
        ("", "events"): {"list", "create"},
    }
    assert {key for key, verbs in given.items() if "get" in verbs and key not in beside} == {
        ("", "configmaps"),
        ("", "secrets"),
        ("apps", "deployments"),
    }


def test_every_right_has_its_reason() -> None:
    """Right above each rule of the template is a comment."""
    text = (CHARTS / "operator/templates/rbac.yaml").read_text()
    above = re.findall(r"(.*)\n- apiGroups", text)
    assert len(above) == text.count("- apiGroups")
    assert all(line.startswith("# ") for line in above)


def test_named_namespaces_get_a_role_each_and_the_cluster_none() -> None:
    """The same rights, and no more anywhere else."""
    objects = rendered(CHOICES["two namespaces"])
    assert not of_kind(objects, "ClusterRole")
    assert not of_kind(objects, "ClusterRoleBinding")
    whole = only(rendered(), "ClusterRole")
    roles = of_kind(objects, "Role")
    assert {each["metadata"]["namespace"] for each in roles} == {"shop", "stage"}
    assert all(rights(each) == rights(whole) for each in roles)
    for binding in of_kind(objects, "RoleBinding"):
        assert binding["roleRef"]["name"] == RELEASE
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": RELEASE, "namespace": "ecommerce-system"}]


def test_the_operator_reads_every_setting_that_the_chart_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names that the operator has for them, and with the meaning that the values say."""
    (template,) = pod_templates(rendered({**CHOICES["two namespaces"], **CHOICES["images of one's own"]})).values()
    (container,) = template["spec"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert {name.lower() for name in given} - {"home"} <= Settings.model_fields.keys()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.watch_namespaces == ("shop", "stage")
    assert settings.platform.version == "1.2.4"
    assert settings.platform.registry == "registry.example.com/shop"
    assert settings.platform.postgres_image == "registry.example.com/postgres:18.3"
    assert settings.platform.kafka_image == ""


@pytest.mark.parametrize(
    ("values", "version"),
    [({}, "0.1.0"), ({"image": {"tag": "1.2.3"}}, "1.2.3"), (CHOICES["images of one's own"], "1.2.4")],
    ids=str,
)
def test_platforms_run_the_operators_own_version_unless_another_is_named(values: dict[str, Any], version: str) -> None:
    """So that an update of the operator updates the platforms that name no version."""
    (template,) = pod_templates(rendered(values)).values()
    assert {"name": "PLATFORM_VERSION", "value": version} in template["spec"]["containers"][0]["env"]


def test_probes_and_metrics_are_at_the_operators_ports() -> None:
    """The ports that the settings have by default, since the chart names no others."""
    (template,) = pod_templates(rendered()).values()
    (container,) = template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {name: Settings.model_fields[f"{name}_port"].default for name in ("health", "metrics")}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "9090"


def test_only_one_runs() -> None:
    """The old one is gone before the new one starts."""
    spec = only(rendered(), "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
