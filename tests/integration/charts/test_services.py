"""The services' charts on a real API server: accepted under the strictest standard, installed and upgraded by helm.

There is no node, so that no pod runs; what is shown is that the API server takes every object as it is meant, that pods
pass its own admission, and that an upgrade changes nothing that cannot be changed.
"""

import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.kubernetes import golang
from local.kubernetes.control_plane import ControlPlane
from local.kubernetes.tools import tool
from local.progress import silent
from local.topology import NAMES, SERVICES
from tests.unit.charts import examples
from tests.unit.charts.rendering import CHARTS, Object, merged, pod_templates, render, run
from tests.unit.charts.schemas import GATEWAY_API

DEADLINE = 120
NEXT = {"image": {"tag": "0.2.0"}, "replicas": 2, "podAnnotations": {"rolled": "once"}}


class Cluster:
    """kubectl and helm on one control plane."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = str(kubeconfig)

    def kubectl(self, *arguments: str, given: object = None) -> str:
        """Answers what kubectl writes; its refusal is an AssertionError."""
        done = subprocess.run(  # noqa: S603 our own kubectl
            [str(tool("kubectl", silent)), "--kubeconfig", self._kubeconfig, *arguments],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
        assert done.returncode == 0, done.stderr
        # A warning of the API server is about something that is not as it should be.
        assert "Warning" not in done.stderr
        return done.stdout

    def apply(self, objects: list[Object], *arguments: str) -> None:
        """Applies objects, each field checked."""
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", "--server-side", "--validate=strict", *arguments, "-f", "-", given=listed)

    def helm(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """Answers what helm writes."""
        return run(*arguments, "--kubeconfig", self._kubeconfig, values=values)

    def jobs(self, release: str) -> list[str]:
        """The names of a release's Jobs."""
        found = self.kubectl("get", "jobs", "-n", "shop", "-l", f"app.kubernetes.io/instance={release}", "-o", "name")
        return found.split()


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A control plane with a namespace that admits only what is restricted, and with the Gateway API."""
    async with ControlPlane(tmp_path_factory.mktemp("plane")) as plane:
        made = Cluster(plane.kubeconfig)
        enforced = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        made.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": enforced}}])
        definitions = golang.module_folder(GATEWAY_API) / "config/crd/standard"
        made.kubectl("apply", "--server-side", "-f", str(definitions / "gateway.networking.k8s.io_httproutes.yaml"))
        # A definition that was made just now has no conditions yet, which waiting for a condition takes for an error.
        for reached in ("jsonpath={.status.conditions}", "condition=Established"):
            made.kubectl("wait", f"--for={reached}", "crd/httproutes.gateway.networking.k8s.io", "--timeout=90s")
        yield made


@pytest.mark.parametrize("service", NAMES)
def test_every_choice_is_accepted(cluster: Cluster, service: str) -> None:
    """The API server takes each object of each choice, without a warning."""
    least = examples.least(service)
    releases = [
        render(service, merged(least, change), release=f"choice-{number}")
        for number, change in enumerate(examples.choices(service).values())
    ]
    cluster.apply([each for objects in releases for each in objects], "--dry-run=server")


@pytest.mark.parametrize("service", NAMES)
def test_every_pod_is_admitted(cluster: Cluster, service: str) -> None:
    """A namespace that enforces the restricted standard admits the pods of every template."""
    objects = render(service, examples.least(service), release=f"admitted-{service}")
    cluster.apply([each for each in objects if each["kind"] == "ServiceAccount"])
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{number}", "namespace": "shop", **template["metadata"]},
            "spec": template["spec"],
        }
        for number, template in enumerate(pod_templates(objects).values())
    ]
    assert pods
    cluster.apply(pods, "--dry-run=server")


@pytest.mark.parametrize("service", NAMES)
def test_helm_installs_and_upgrades(cluster: Cluster, service: str) -> None:
    """With helm alone a chart is installed, upgraded to a version that migrates anew, changed no more, and removed."""
    release, chart = f"shop-{service}", str(CHARTS / service)
    arguments = (release, chart, "--namespace", "shop", "--values", "-")
    cluster.helm("install", *arguments, values=examples.least(service))
    before = cluster.jobs(release)
    newer = merged(examples.least(service), NEXT)
    cluster.helm("upgrade", *arguments, values=newer)
    after = cluster.jobs(release)
    migrates = next(row.database for row in SERVICES if row.name == service)
    assert len(before) == len(after) == (1 if migrates else 0)
    assert not set(before) & set(after)
    cluster.helm("upgrade", *arguments, values=newer)
    assert cluster.jobs(release) == after
    cluster.helm("uninstall", release, "--namespace", "shop")
    kinds = "deployments,services,serviceaccounts,networkpolicies,poddisruptionbudgets"
    assert not cluster.kubectl("get", kinds, "-n", "shop", "-l", f"app.kubernetes.io/instance={release}", "-o", "name")


@pytest.mark.parametrize(
    ("choice", "address"),
    [
        ("as little as needed", "http://127.0.0.1:8080/graphql"),
        ("an Ingress", "ingress controller"),
        ("an Ingress with TLS", "https://shop.example.com/graphql"),
        ("an HTTPRoute", "Gateway shop"),
        ("an HTTPRoute with TLS", "https://*.example.com/graphql"),
    ],
)
def test_helm_tells_where_graphql_answers(cluster: Cluster, choice: str, address: str) -> None:
    """Who installs the gateway is told its address."""
    values = merged(examples.least("gateway"), examples.choices("gateway")[choice])
    arguments = ("notes", str(CHARTS / "gateway"), "-n", "shop", "--dry-run=client", "--values", "-")
    notes = cluster.helm("install", *arguments, values=values).partition("NOTES:")[2]
    assert address in notes


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("as little as needed", ["Nobody is charged", "http://127.0.0.1:8081/webhook/payment"]),
        ("Dodo", ["In the settings of Dodo", "https://shop.example.com/webhook/payment"]),
        ("an HTTPRoute", ["/webhook/payment at the address of", "Gateway shop"]),
    ],
)
def test_helm_tells_where_webhooks_go(cluster: Cluster, choice: str, told: list[str]) -> None:
    """Who installs payment is told what to give the provider, and that the sandbox charges nobody."""
    values = merged(examples.least("payment"), examples.choices("payment")[choice])
    arguments = ("notes", str(CHARTS / "payment"), "-n", "shop", "--dry-run=client", "--values", "-")
    notes = cluster.helm("install", *arguments, values=values).partition("NOTES:")[2]
    assert [each for each in told if each not in notes] == []
