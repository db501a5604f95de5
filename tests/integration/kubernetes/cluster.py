"""What the tests do to a cluster: kubectl, an image of their own, and what a host looks like before and after."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from local.kubernetes.node import Node, archives
from local.kubernetes.tools import tool
from local.progress import silent

IMAGE = "docker.io/ecommerce-platform/echo:tests"
NAMESPACE = "trial"
_SOURCE = Path(__file__).with_name("echo")
WITHIN = "150s"  # on two cores under load everything takes its time
Manifest = dict[str, Any]


def echo_image(folder: Path) -> Path:
    """Answers the archive of the image that tests/integration/kubernetes/echo is built into."""
    go = shutil.which("go") or "go"
    environment = {**os.environ, "CGO_ENABLED": "0"}
    program = folder / "echo"
    subprocess.run([go, "build", "-o", program, "."], check=True, cwd=_SOURCE, env=environment)  # noqa: S603 (our source)
    archives.write(folder / "echo.tar", IMAGE, program)
    return folder / "echo.tar"


class Kubectl:
    """kubectl in one namespace of a node's cluster."""

    def __init__(self, node: Node) -> None:
        self._command = [str(tool("kubectl", silent)), f"--kubeconfig={node.kubeconfig}", f"--namespace={NAMESPACE}"]

    def __call__(self, *arguments: str, given: object = None) -> str:
        """Answers what it said; a failure fails the test with its words."""
        command = [*self._command, f"--request-timeout={WITHIN}", *arguments]
        done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *manifests: Manifest) -> None:
        self("apply", "--filename=-", given={"apiVersion": "v1", "kind": "List", "items": list(manifests)})

    def read(self, kind: str, *arguments: str) -> list[Manifest]:
        items: list[Manifest] = json.loads(self("get", kind, "--output=json", *arguments))["items"]
        return items

    def rolled_out(self, what: str) -> None:
        try:
            self("rollout", "status", what, f"--timeout={WITHIN}")
        except AssertionError as error:
            error.add_note(self("describe", "pods"))
            raise


def namespace() -> Manifest:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def workload(kind: str, name: str, replicas: int = 1, *, folder: str = "") -> Manifest:
    """Answers a Deployment or StatefulSet of the echo image under the restricted standard, with limits."""
    container = {
        "name": "echo",
        "image": IMAGE,
        "env": [{"name": "FOLDER", "value": folder}],
        "ports": [{"containerPort": 8080}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": folder}] if folder else [],
    }
    context = {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"securityContext": context, "containers": [container], "automountServiceAccountToken": False}
    labels = {"app": name}
    spec: Manifest = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if kind == "StatefulSet":
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}}
        spec |= {"serviceName": name, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def service(name: str) -> Manifest:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def ingress(name: str, host: str) -> Manifest:
    backend = {"service": {"name": name, "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec = {"rules": [{"host": host, "http": {"paths": paths}}]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec}


def traces(folder: Path, name: str, space: str) -> Mapping[str, list[str]]:
    """Answers what a node has on the host, by kind: of its folder, its name, and the network namespace `space`."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "files": [str(path) for path in folder.glob("*")],
        "mounts": [line for line in mounts if str(folder) in line or name in line],
        "links": [link for link in psutil.net_if_addrs() if link == name],
        # Not by a glob, which fails where a group goes while it looks.
        "cgroups": [path for path, _, _ in os.walk("/sys/fs/cgroup") if Path(path).name == name],
        "processes": [str(process) for process in psutil.process_iter() if network_namespace(process.pid) == space],
    }


def network_namespace(pid: int) -> str:
    """Answers which network namespace a process is in; nothing for one that has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return ""
