"""Claims about the control plane on loopback: it is a real API server, and it leaves nothing behind."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from local.kubernetes.control_plane import ControlPlane
from local.kubernetes.tools import tool
from local.progress import to_terminal

DEADLINE = "30s"
# Longest that anything on a busy machine takes which the tests wait for, in seconds.
PATIENCE = 90


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    """One control plane with controllers, for the tests that do not break it."""
    async with ControlPlane(tmp_path_factory.mktemp("plane"), to_terminal, controllers=True) as plane:
        wait_for(plane, "namespace/default")
        yield plane


def kubectl(
    plane: ControlPlane, *arguments: str, given: object = None, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [str(tool("kubectl", to_terminal)), f"--kubeconfig={kubeconfig or plane.kubeconfig}"]
    return subprocess.run(  # noqa: S603 (it is our own kubectl)
        [*command, f"--request-timeout={DEADLINE}", *arguments],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )


def wait_for(plane: ControlPlane, what: str, *where: str) -> None:
    """Returns when it is there: what every cluster has is made after the API server says that it is ready."""
    waited = kubectl(plane, "wait", what, *where, "--for=create", f"--timeout={PATIENCE}s")
    assert waited.returncode == 0, waited.stderr


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"kept": "yes"}}


def pod(namespace: str, *, privileged: bool) -> dict[str, object]:
    container = {"name": "one", "image": "none", "securityContext": {"privileged": privileged}}
    spec = {"containers": [container], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": namespace}, "spec": spec}


def open_to_others(folder: Path) -> list[Path]:
    secrets = [*folder.glob("*.key"), *folder.glob("*.kubeconfig")]
    assert secrets
    return [path for path in secrets if path.stat().st_mode & 0o077]


async def test_an_applied_object_is_read_back(plane: ControlPlane) -> None:
    """A ConfigMap that kubectl applied is read back with its content."""
    applied = kubectl(plane, "apply", "--filename=-", given=config_map("kept"))
    assert applied.returncode == 0, applied.stderr
    read = kubectl(plane, "get", "configmap", "kept", "--output=jsonpath={.data.kept}")
    assert read.stdout == "yes"


async def test_it_tells_the_version_that_it_was_built_from(plane: ControlPlane) -> None:
    """The API server carries upstream's version, by which clients and charts choose what they use."""
    version = json.loads(kubectl(plane, "version", "--output=json").stdout)
    assert version["serverVersion"]["gitVersion"] == version["clientVersion"]["gitVersion"]
    assert version["serverVersion"]["minor"] == "34"


async def test_pod_security_is_enforced(plane: ControlPlane) -> None:
    """A namespace labelled `restricted` takes no privileged pod."""
    namespace = {"name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    kubectl(plane, "apply", "--filename=-", given={"apiVersion": "v1", "kind": "Namespace", "metadata": namespace})
    wait_for(plane, "serviceaccount/default", "--namespace=strict")
    refused = kubectl(plane, "create", "--filename=-", given=pod("strict", privileged=True))
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


async def test_a_user_may_do_only_what_rbac_grants(plane: ControlPlane) -> None:
    """A user without a binding reads nothing; with one, what it names."""
    kubeconfig = plane.kubeconfig_of("reader")
    refused = kubectl(plane, "get", "configmaps", kubeconfig=kubeconfig)
    assert "forbidden" in refused.stderr
    kubectl(plane, "create", "clusterrolebinding", "reader", "--clusterrole=view", "--user=reader")
    async with asyncio.timeout(PATIENCE):
        # The API server learns of the binding by a watch of its own.
        while kubectl(plane, "get", "configmaps", kubeconfig=kubeconfig).returncode:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_restart_keeps_what_was_written(tmp_path: Path) -> None:
    """A killed etcd and API server come back on the same data and address."""
    async with ControlPlane(tmp_path) as plane:
        wait_for(plane, "namespace/default")
        assert kubectl(plane, "apply", "--filename=-", given=config_map("kept")).returncode == 0
        for process in plane.processes.values():
            await process.kill()
        for process in plane.processes.values():
            await process.start()
        assert kubectl(plane, "get", "configmap", "kept").returncode == 0


async def test_nothing_is_left_when_it_is_down(tmp_path: Path) -> None:
    """Leaving the context ends every process; all files are in the folder that was given, keys for their owner only."""
    async with ControlPlane(tmp_path, controllers=True, scheduler=True) as plane:
        pids = [process.pid for process in plane.processes.values()]
        assert len(pids) == 4
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert open_to_others(tmp_path / "credentials") == []
