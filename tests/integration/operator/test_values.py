"""Claims about values that a chart refuses, told by an operator whose charts are changed for that."""

import json
import shutil
from pathlib import Path

import pytest

from local.kubernetes.control_plane import ControlPlane
from tests.integration.operator.operator_process import ROOT, Operator
from tests.integration.operator.world import World, condition, until

pytestmark = pytest.mark.usefixtures("kubelet")


async def test_values_that_a_chart_refuses_are_told(
    plane: ControlPlane, helm: Path, world: World, tmp_path: Path
) -> None:
    """A service whose values its chart refuses says so in the chart's words, and the others come up."""
    charts = shutil.copytree(ROOT / "charts", tmp_path / "charts", symlinks=True)
    schema = json.loads((charts / "order" / "values.schema.json").read_text())
    schema["properties"]["replicas"]["maximum"] = 1
    (charts / "order" / "values.schema.json").write_text(json.dumps(schema))
    operator = Operator(plane.kubeconfig, tmp_path, helm, namespaces=world.namespace, charts=charts)
    await operator.start()
    await world.apply({"services": {"order": {"replicas": 3}}})

    async def settled() -> bool:
        return (await world.status()).get("componentsReady") == "8/9"

    await until("all but one are ready", settled)
    assert "replicas" in (await world.component("order"))["message"]
    assert condition(await world.status(), "Ready") == "False"
    await world.ready((await world.apply({}))["metadata"]["generation"])
    await operator.stop()
