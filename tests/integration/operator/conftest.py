"""A control plane with the definition installed, and a namespace for each test."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from ecommerce_operator.api import Api, connect
from ecommerce_operator.cluster import Cluster
from ecommerce_operator.errors import NotFoundError
from ecommerce_operator.kinds import PLATFORM
from ecommerce_operator.store import Store
from local.kubernetes.control_plane import ControlPlane
from local.kubernetes.tools import tool
from local.progress import silent, to_terminal
from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.operator_process import ROOT, Operator
from tests.integration.operator.world import NAMESPACE, World, until


@pytest.fixture(scope="session")
def helm() -> Path:
    return tool("helm", to_terminal)


@pytest.fixture(scope="package")
async def plane(tmp_path_factory: pytest.TempPathFactory, helm: Path) -> AsyncIterator[ControlPlane]:
    """Holds etcd and an API server that knows the EcommercePlatform; no controllers."""
    async with ControlPlane(tmp_path_factory.mktemp("plane"), to_terminal) as plane:
        await define(plane, helm)
        yield plane


@pytest.fixture
async def api(plane: ControlPlane) -> AsyncIterator[Api]:
    """The API server for its administrator."""
    api = Api(await connect(str(plane.kubeconfig)))
    yield api
    await api.close()


@pytest.fixture
async def world(api: Api) -> AsyncIterator[World]:
    """An empty namespace that no other test has; at the end its platform goes, or later operators would care for it."""
    world = await new_world(api)
    yield world
    with suppress(NotFoundError):
        await world.delete_platform()


@pytest.fixture
async def kubelet(world: World, api: Api) -> AsyncIterator[Kubelet]:
    """Somebody who makes things ready in it."""
    kubelet = Kubelet(api, world.namespace)
    working = asyncio.create_task(kubelet.run())
    yield kubelet
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


@pytest.fixture(scope="module")
async def operator(
    plane: ControlPlane, helm: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Operator]:
    """The operator, for all namespaces and every test of a file: each is a platform's only one, as in a cluster."""
    operator = Operator(plane.kubeconfig, tmp_path_factory.mktemp("operator"), helm)
    await operator.start()
    yield operator
    await operator.stop()


@pytest.fixture
async def own_operator(plane: ControlPlane, world: World, helm: Path, tmp_path: Path) -> AsyncIterator[Operator]:
    """An operator for a test's namespace alone, for tests that end or measure it."""
    operator = Operator(plane.kubeconfig, tmp_path, helm, namespaces=world.namespace)
    await operator.start()
    yield operator
    await operator.stop()


async def define(plane: ControlPlane, helm: Path) -> None:
    """Installs the definition from its chart."""
    rendered = run(str(helm), "template", "crds", str(ROOT / "charts" / "crds"))
    kubectl = str(tool("kubectl", silent)), f"--kubeconfig={plane.kubeconfig}"
    run(*kubectl, "apply", "--server-side", "--filename=-", given=rendered)
    api = Api(await connect(str(plane.kubeconfig)))
    cluster = Cluster(api, Store(lambda *_: None))
    await until("the definition is served", lambda: cluster.served(PLATFORM))
    await api.close()


def run(*command: str, given: bytes = b"") -> bytes:
    """Runs one of our tools; answers what it printed."""
    done = subprocess.run(command, input=given, capture_output=True, check=True, timeout=60)  # noqa: S603 (our own)
    return done.stdout


async def new_world(api: Api, prefix: str = "test") -> World:
    """Answers a new namespace."""
    name = f"{prefix}-{uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await api.request("POST", NAMESPACE.path(None), {}, body)
    return World(api, name)
