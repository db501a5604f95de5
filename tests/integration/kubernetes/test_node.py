"""Claims about the single-node cluster: what runs on it, what it survives, and that it leaves nothing."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import psutil
import pytest

from local.errors import StartFailedError
from local.kubernetes.node import Node
from local.kubernetes.node.layout import Layout, Record
from tests.integration.kubernetes.cluster import (
    NAMESPACE,
    Kubectl,
    ingress,
    network_namespace,
    service,
    traces,
    workload,
)

pytestmark = pytest.mark.timeout(1800)  # the first run builds Kubernetes
WITHIN = 150.0  # seconds; on two cores under load everything takes its time


def pods_of(kubectl: Kubectl, app: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in kubectl.read("pods", f"--selector=app={app}")]


def record_of(node: Node) -> Record:
    record = Record.read(node.layout.record)
    assert record
    return record


def daemons_of(node: Node) -> dict[str, dict[str, Any]]:
    status = node.status()
    assert status
    return {daemon["name"]: daemon for daemon in status.daemons}


@pytest.fixture(scope="module")
def echo(kubectl: Kubectl) -> str:
    """A Deployment of two restricted pods with a Service of the same name."""
    kubectl.apply(workload("Deployment", "echo", 2), service("echo"))
    kubectl.rolled_out("deployment/echo")
    return "echo"


def test_restricted_pods_run_and_their_logs_are_read(kubectl: Kubectl, echo: str) -> None:
    """Each of the pods runs with its limits under the restricted standard, and tells its own name."""
    for name in pods_of(kubectl, echo):
        assert kubectl("logs", name) == f"serving as {name}\n"


def test_a_service_is_reached_by_its_name_and_shared_by_its_pods(kubectl: Kubectl, echo: str) -> None:
    """From inside a pod, the Service's name resolves, and after some requests every pod has answered."""
    pods = pods_of(kubectl, echo)
    deadline, answers = monotonic() + WITHIN, set[str]()
    while answers != set(pods) and monotonic() < deadline:
        answers.add(kubectl("exec", pods[0], "--", "/echo", "get", "http://echo/").strip())
    assert answers == set(pods)
    address = kubectl("exec", pods[0], "--", "/echo", "resolve", f"echo.{NAMESPACE}.svc.cluster.local")
    assert address.strip() == json.loads(kubectl("get", "service", echo, "--output=json"))["spec"]["clusterIP"]


def test_an_ingress_answers_the_host(node: Node, kubectl: Kubectl, echo: str) -> None:
    """An Ingress without a class is served at the node's address, by the name of its host."""
    kubectl.apply(ingress(echo, "echo.example"))
    deadline, answer = monotonic() + WITHIN, httpx.Response(0)
    while answer.status_code != httpx.codes.OK and monotonic() < deadline:
        with suppress(httpx.TransportError):
            answer = httpx.get(f"http://{node.address}/", headers={"Host": "echo.example"}, timeout=5)
        sleep(0.1)  # the ingress's data plane tells nobody of its new configuration
    assert answer.text.strip() in pods_of(kubectl, echo)


def test_a_claim_is_bound_and_outlives_its_containers(node: Node, kubectl: Kubectl) -> None:
    """All containers are killed; the kubelet starts them again, and what was written before is still there."""
    kubectl.apply(workload("StatefulSet", "keeper", folder="/data"), service("keeper"))
    kubectl.rolled_out("statefulset/keeper")
    assert node.kill_containers() >= 2
    deadline = monotonic() + WITHIN
    while not _was_restarted(kubectl, "keeper-0"):
        assert monotonic() < deadline
        sleep(0.2)
    assert int(kubectl("exec", "keeper-0", "--", "/echo", "lines", "/data/starts")) >= 2


def _was_restarted(kubectl: Kubectl, pod: str) -> bool:
    """Whether the pod's container was started again, and is ready."""
    (container,) = json.loads(kubectl("get", "pod", pod, "--output=json"))["status"]["containerStatuses"]
    return container["restartCount"] > 0 and bool(container["ready"])


def test_a_second_up_finds_the_first(node: Node) -> None:
    """Nothing is started again: the keeper is the same process."""
    before = record_of(node)
    node.up()
    assert record_of(node) == before


def test_the_api_server_comes_back_with_its_objects(node: Node, kubectl: Kubectl, echo: str) -> None:
    """It is killed and serves again, with what it was given before; only it was started anew."""
    before = daemons_of(node)
    node.restart("kube-apiserver", kill=True)
    assert pods_of(kubectl, echo)
    now = daemons_of(node)
    assert now["kube-apiserver"]["starts"] == before["kube-apiserver"]["starts"] + 1
    assert now["etcd"] == before["etcd"]


def test_a_daemon_that_dies_is_started_again(node: Node) -> None:
    """The kubelet is killed from outside and serves again without a hand."""
    # What it is just starting has its name for a moment, too.
    kubelet = min(_kubelets(node), key=psutil.Process.create_time)
    kubelet.kill()
    kubelet.wait(WITHIN)
    deadline = monotonic() + WITHIN
    # In this order: until the supervisor has seen the end, it may still say that the old one serves.
    while not (_runs_anew(kubelet, node) and daemons_of(node)["kubelet"]["serves"]):
        assert monotonic() < deadline
        sleep(0.1)  # nobody outside is told of it


def _is_inside(process: psutil.Process, node: Node) -> bool:
    return network_namespace(process.pid) == network_namespace(record_of(node).init)


def _kubelets(node: Node) -> list[psutil.Process]:
    # By attributes, which passes over processes that end meanwhile.
    return [p for p in psutil.process_iter(["name"]) if p.info["name"] == "kubelet" and _is_inside(p, node)]


def _runs_anew(old: psutil.Process, node: Node) -> bool:
    return any(p.pid != old.pid for p in _kubelets(node))


def test_an_unknown_daemon_is_refused_with_the_names_of_those_there_are(node: Node) -> None:
    """The sentence names the one that is meant."""
    with pytest.raises(StartFailedError, match=r"there is no daemon kubelets; there are: .*kubelet,"):
        node.restart("kubelets")


@pytest.mark.parametrize("killed", ["nobody", "supervisor", "init", "keeper"])
def test_down_leaves_nothing_whatever_was_killed_before(tmp_path: Path, node: Node, killed: str) -> None:
    """No process, mount, link, cgroup or file is left of a second node, while the first goes on."""
    folder = tmp_path / "state"
    second = Node(folder)
    second.up()
    try:
        name, record = Layout(folder).name, record_of(second)
        space = network_namespace(record.init)
        made = traces(folder, name, space)
        assert all(made[kind] for kind in ("files", "links", "cgroups", "processes"))
        victims = {"init": record.init, "keeper": record.keeper, "supervisor": _supervisor(space)}
        if killed in victims:
            os.kill(victims[killed], signal.SIGKILL)
    finally:
        assert second.down()
    assert not any(traces(folder, name, space).values())
    assert second.status() is None
    assert not second.down()
    assert node.status()


def _supervisor(space: str) -> int:
    inside = (process for process in psutil.process_iter(["cmdline"]) if network_namespace(process.pid) == space)
    return next(p.pid for p in inside if "local.kubernetes.node.supervisor" in (p.info["cmdline"] or ()))


def test_up_begins_anew_on_what_a_dead_node_left(tmp_path: Path) -> None:
    """After the machine's end (here: the keeper's) a cluster starts without the old one's objects.

    So it does while the old one is still dying, and answers for a last moment, and after its end.
    """
    node = Node(tmp_path / "state")
    node.up()
    try:
        for await_end in (False, True):
            Kubectl(node)("create", "namespace", "old")
            keeper = psutil.Process(record_of(node).keeper)
            keeper.kill()
            if await_end:
                keeper.wait(WITHIN)
            node.up()
            assert record_of(node).keeper != keeper.pid
            assert "old" not in Kubectl(node)("get", "namespaces")
    finally:
        node.down()
