"""Claims about what the operator may do, and about what it never tells."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from local.kubernetes.control_plane import ControlPlane
from local.kubernetes.tools import tool
from local.progress import silent
from tests.integration.operator.conftest import run
from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.operator_process import ROOT, Operator
from tests.integration.operator.test_deletion import release_claims
from tests.integration.operator.world import World, until

SYSTEM, RELEASE = "ecommerce-system", "ecommerce-operator"


@pytest.fixture(params=["everywhere", "one namespace"])
async def restricted(
    plane: ControlPlane, world: World, helm: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Operator]:
    """The operator with exactly the rights that its chart gives its service account."""
    everywhere = request.param == "everywhere"
    chosen = [] if everywhere else [f"--set=watchNamespaces={{{world.namespace}}}"]
    chart = str(ROOT / "charts" / "operator")
    show = "--show-only=templates/rbac.yaml"
    rules = run(str(helm), "template", RELEASE, chart, f"--namespace={SYSTEM}", show, *chosen)
    kubectl = str(tool("kubectl", silent)), f"--kubeconfig={plane.kubeconfig}"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
    run(*kubectl, "apply", "--filename=-", given=json.dumps(namespace).encode())
    run(*kubectl, "apply", "--filename=-", given=rules)
    user = f"system:serviceaccount:{SYSTEM}:{RELEASE}"
    kubeconfig = plane.kubeconfig_of(user, "system:serviceaccounts", "system:authenticated")
    operator = Operator(kubeconfig, tmp_path, helm, namespaces="" if everywhere else world.namespace)
    await operator.start()
    yield operator
    await operator.stop()
    run(*kubectl, "delete", "--filename=-", "--ignore-not-found", given=rules)


async def test_the_charts_rights_are_enough(restricted: Operator, world: World, kubelet: Kubelet) -> None:
    """With the chart's role alone a platform comes up, is mended, changed, autoscaled, and goes with its volumes."""
    await world.apply({"deletionPolicy": "Delete"})
    await world.ready()
    for title in ("Service/shop-gateway", "Secret/shop-root", "NetworkPolicy/shop-account"):
        await world.delete(*title.split("/"))
    await until("the Service is back", lambda: world.get("Service", "shop-gateway"))
    await until("the seed is back", lambda: world.get("Secret", "shop-root"))
    scaled = {"order": {"autoscaling": {"minReplicas": 2, "maxReplicas": 6}}}
    wish = {"deletionPolicy": "Delete", "ingress": {"type": "None"}, "services": scaled}
    await world.ready((await world.apply(wish))["metadata"]["generation"])
    kubelet.holds.add("shop")
    await world.delete_platform()
    await until("the platform is gone", lambda: release_claims(world))
    assert await world.everything() == set()
    assert "forbidden" not in restricted.log().lower()


async def test_no_secret_is_told(own_operator: Operator, world: World, kubelet: Kubelet) -> None:
    """No content of a Secret is in the log, in an event, in a status, in another object or on a command line."""
    enough = asyncio.Event()
    seen = asyncio.create_task(command_lines(own_operator, enough))
    await world.apply()
    await world.ready()
    await world.delete("Secret", "shop-postgres")
    await until("the Secret is back", lambda: world.get("Secret", "shop-postgres"))
    enough.set()
    public = ("username", "database", "email", "name")
    secrets = {
        base64.b64decode(value)
        for secret in await world.list("Secret")
        for name, value in secret["data"].items()
        if name not in public
    }
    assert len(secrets) >= 7
    kinds = ("Event", "ConfigMap", "Deployment", "StatefulSet", "Job")
    told = [own_operator.log(), json.dumps(await world.platform()), " ".join(await seen)]
    told += [json.dumps(await world.list(kind)) for kind in kinds]
    text = "\n".join(told).encode()
    assert [secret for secret in secrets if secret in text or base64.b64encode(secret) in text] == []
    assert kubelet.order


async def command_lines(operator: Operator, enough: asyncio.Event) -> list[str]:
    """Answers what the operator's children were called with until it is enough."""
    found: set[str] = set()
    while not enough.is_set():
        for child in psutil.Process(operator.pid).children():
            with suppress(psutil.Error):
                found.add(" ".join(child.cmdline()))
        await asyncio.sleep(0.02)
    assert any("template" in line for line in found)
    return sorted(found)
