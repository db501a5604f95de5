"""Claims about namespaces that go, on a control plane whose controllers clean up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ecommerce_operator.api import Api, connect
from ecommerce_operator.errors import NotFoundError
from local.kubernetes.control_plane import ControlPlane
from local.progress import to_terminal
from tests.integration.operator.conftest import define, new_world
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.world import NAMESPACE, World, until


@pytest.fixture(scope="module")
async def cluster(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A control plane with controllers, and the operator."""
    folder = tmp_path_factory.mktemp("cluster")
    async with ControlPlane(folder / "plane", to_terminal, controllers=True) as plane:
        await define(plane, helm)
        api = Api(await connect(str(plane.kubeconfig)))
        operator = Operator(plane.kubeconfig, folder, helm)
        await operator.start()
        yield api
        await operator.stop()
        assert "Traceback" not in operator.log()
        await api.close()


@pytest.fixture
async def world(cluster: Api) -> World:
    """A namespace of it."""
    return await new_world(cluster)


@pytest.mark.parametrize("installed", [True, False], ids=["installed", "while installing"])
async def test_a_deleted_namespace_goes_with_its_platform(world: World, *, installed: bool) -> None:
    """A namespace with a platform in it is gone soon after it was deleted, and nothing is made in it meanwhile."""
    await world.apply()
    await until("the operator begins", world.everything)
    if installed:
        await until("it has done all that it can without nodes", lambda: world.get("StatefulSet", "shop-elasticsearch"))
        await until("it says so", world.status)
    await world.api.request("DELETE", NAMESPACE.path(None, world.namespace))

    async def gone() -> bool:
        try:
            await world.api.request("GET", NAMESPACE.path(None, world.namespace))
        except NotFoundError:
            return True
        return False

    await until("the namespace is gone", gone, 90)
