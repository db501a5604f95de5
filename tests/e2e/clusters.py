"""What tests do to a cluster: ask, apply, kill and wait; and, when a test fails, tell what could be seen."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from local.kubernetes.node import Node
from local.up.clusters import Cluster, HostNode, Where
from local.up.installing import OPERATOR, SYSTEM
from local.up.programs import CommandFailedError, Kubectl

T = TypeVar("T")
Object = Mapping[str, Any]
BETWEEN_LOOKS = 0.5
_LOG_LINES = 60


@dataclass(frozen=True)
class Stage:
    """A cluster with the operator in it; every method leaves the event loop free while it waits."""

    cluster: Cluster
    where: Where
    kubectl: Kubectl

    @property
    def node(self) -> Node | None:
        """This host's own node, for faults that need its daemons; None on any other cluster."""
        return self.cluster.node if isinstance(self.cluster, HostNode) else None

    async def run(self, *arguments: str, text: str | None = None) -> str:
        """Runs kubectl; raises CommandFailedError."""
        return await asyncio.to_thread(self.kubectl, *arguments, text=text)

    async def apply(self, *objects: dict[str, Any]) -> None:
        """Applies objects on the server's side."""
        await asyncio.to_thread(self.kubectl.apply, *objects)

    async def get(self, namespace: str, *what: str) -> Any:
        """Answers an object, or None."""
        return await asyncio.to_thread(self.kubectl.find, *what, "--namespace", namespace)

    async def all(self, namespace: str, kinds: str, selector: str = "") -> list[dict[str, Any]]:
        """Answers the objects of some kinds, optionally those with labels."""
        selected = [f"--selector={selector}"] if selector else []
        found = await self.get(namespace, kinds, *selected)
        return list(found["items"]) if found else []

    async def patch(self, namespace: str, what: str, change: Any, kind: str = "merge") -> None:
        """Changes an object as a person would do it by hand."""
        await self.run("patch", "--namespace", namespace, what, f"--type={kind}", f"--patch={json.dumps(change)}")

    async def kill_pods(self, namespace: str, selector: str) -> list[str]:
        """Kills pods without a grace period, and answers their names."""
        names = [pod["metadata"]["name"] for pod in await self.all(namespace, "pods", selector)]
        if names:
            await self.run(
                "delete", "pods", "--namespace", namespace, "--grace-period=0", "--force", "--wait=false", *names
            )
        return names

    async def kill_operator(self) -> None:
        """Ends the operator's process as kill -9 does: no handler of it runs. Kubernetes starts another."""
        await self.kill_pods(SYSTEM, f"app.kubernetes.io/instance={OPERATOR}")

    async def operator_pod(self) -> str:
        """Answers the name of the operator's running pod."""

        async def running() -> str:
            pods = await self.all(SYSTEM, "pods", f"app.kubernetes.io/instance={OPERATOR}")
            return next((pod["metadata"]["name"] for pod in pods if is_running(pod)), "")

        return await until(running, within=90, what="the operator runs")


def is_running(pod: Object) -> bool:
    """Whether a pod's containers are ready and it is not about to go."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    containers = pod["status"].get("containerStatuses", [])
    return bool(containers) and all(each["ready"] for each in containers)


async def until(look: Callable[[], Awaitable[T | None]], *, within: float, what: str) -> T:
    """Looks again and again until the answer is true, and gives it; raises AssertionError past the deadline.

    A look that fails because the API is away counts as not true yet.
    """
    deadline, seen = monotonic() + within, ""
    while monotonic() < deadline:
        try:
            answer = await look()
        except CommandFailedError as error:
            seen = str(error)
        else:
            if answer:
                return answer
            seen = repr(answer)
        await asyncio.sleep(BETWEEN_LOOKS)
    raise AssertionError(f"not within {within:.0f} s: {what} (last seen: {seen[:400]})")


def diagnosis(kubectl: Kubectl, namespaces: Iterable[str]) -> str:
    """Answers what helps to understand a failure: platforms, pods, events and the operator's last words."""
    looks = [["get", "ecp", "--all-namespaces", "-o", "yaml"]]
    for namespace in namespaces:
        looks.append(["get", "pods,jobs,pvc", "--namespace", namespace, "-o", "wide"])
        looks.append(["get", "events", "--namespace", namespace, "--sort-by=.lastTimestamp"])
    looks.append(["logs", "--namespace", SYSTEM, f"deployment/{OPERATOR}", f"--tail={_LOG_LINES}"])
    looks.append(["logs", "--namespace", SYSTEM, f"deployment/{OPERATOR}", "--previous", "--tail=10"])
    return "\n\n".join(_told(kubectl, look) for look in looks)


def _told(kubectl: Kubectl, look: list[str]) -> str:
    command = [str(kubectl.path), f"--kubeconfig={kubectl.kubeconfig}", *look]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        return f"$ kubectl {' '.join(look)}\n(no answer)"
    return f"$ kubectl {' '.join(look)}\n{(done.stdout + done.stderr)[-8000:]}"
