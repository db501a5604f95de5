"""The cluster that the platform is brought up on: kind where Docker works, this host's own node, or one that is given.

A cluster says how to start it, how images get into it, where its ingress answers on this host, and what removing it
means. The first two are made here and are removed as a whole; in a given one nothing is touched but what is named.
"""

import json
import shutil
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local.cache import cache_directory
from local.errors import LocalError
from local.kubernetes.node import Node
from local.progress import Report, silent
from local.service_process import CHECKOUT
from local.up.programs import CommandFailedError, Kubectl, run

KIND_NAME = "ecommerce-platform"
KIND_CONFIG = CHECKOUT / "kind-config.yaml"
CONTOUR_MANIFEST = "https://raw.githubusercontent.com/projectcontour/contour/v1.33.8/examples/render/contour.yaml"
_INGRESS_CLASS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "contour", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
    "spec": {"controller": "projectcontour.io/ingress-controller"},
}
_ARGUMENTS = "/spec/template/spec/containers/0/args/-"
_ASK_DEADLINE = 30.0
_MAKE_DEADLINE = 900.0  # kind downloads its node image at its first start


@dataclass(frozen=True, slots=True)
class Where:
    """What a person at this host needs: the file for kubectl, and the ingress' address ("" where it is not known)."""

    kubeconfig: Path
    ingress: str


class Cluster(ABC):
    """Where the platform is to run."""

    stand_ins = False  # whether the datastores' images are built here, since no registry brings the official ones
    ours = True  # whether the cluster as a whole was made here
    tool: str | None = None  # what builds the images

    @abstractmethod
    def start(self, report: Report) -> Where:
        """Make it run, or find that it does; answer how it is reached."""

    @abstractmethod
    def where(self) -> Where | None:
        """Answer how it is reached if it runs."""

    def prepare(self, kubectl: Kubectl, report: Report) -> None:  # noqa: B027 (most come with an ingress controller)
        """Put in what a new cluster lacks."""

    @abstractmethod
    def remove(self, report: Report) -> bool:
        """Remove all that was made; tell whether there was anything."""


class Kind(Cluster):
    """A kind cluster: its node is a container."""

    tool = "docker"

    def start(self, report: Report) -> Where:
        """Create it with kind-config.yaml, and give it an ingress controller."""
        if not self._exists():
            report(f"  kind creates the cluster {KIND_NAME}; the first time it downloads its node's image")
            command: list[str | Path] = [
                "kind",
                "create",
                "cluster",
                "--name",
                KIND_NAME,
                "--config",
                KIND_CONFIG,
                "--wait",
                "180s",
            ]
            run([*command, "--kubeconfig", self._kubeconfig], timeout=_MAKE_DEADLINE)
        where = self.where()
        if where is None:
            raise LocalError(f"kind made the cluster {KIND_NAME}, but it cannot be reached; `make down` removes it")
        return where

    def prepare(self, kubectl: Kubectl, report: Report) -> None:
        """Install Contour: kind has no ingress controller of its own."""
        if kubectl.find("ingressclasses", "contour"):
            return
        report("  Contour, from its published manifest")
        kubectl("apply", "--server-side", "-f", CONTOUR_MANIFEST, timeout=_ASK_DEADLINE * 4)
        # An Ingress tells its address only where the controller knows one: on kind no load balancer gives it any.
        patch = json.dumps([{"op": "add", "path": _ARGUMENTS, "value": "--ingress-status-address=127.0.0.1"}])
        kubectl("patch", "deployment", "contour", "--namespace", "projectcontour", "--type=json", f"--patch={patch}")
        for what in ("deployment/contour", "daemonset/envoy"):
            kubectl("rollout", "status", what, "--namespace", "projectcontour", "--timeout=300s", timeout=330)
        kubectl.apply(_INGRESS_CLASS)  # last: its being there says that all of this was done

    def where(self) -> Where | None:
        """Ask kind for its kubeconfig and Docker for the port of the ingress."""
        if not self._exists():
            return None
        with suppress(CommandFailedError):
            text = run(["kind", "get", "kubeconfig", "--name", KIND_NAME], timeout=_ASK_DEADLINE)
            _write_private(self._kubeconfig, text)
            port = run(["docker", "port", f"{KIND_NAME}-control-plane", "80/tcp"], timeout=_ASK_DEADLINE)
            return Where(self._kubeconfig, f"http://{port.split()[0]}")
        return None

    def remove(self, report: Report) -> bool:
        """Delete the cluster and its kubeconfig."""
        if not self._exists():
            return False
        report(f"  kind deletes the cluster {KIND_NAME}")
        run(
            ["kind", "delete", "cluster", "--name", KIND_NAME, "--kubeconfig", self._kubeconfig], timeout=_MAKE_DEADLINE
        )
        self._kubeconfig.unlink(missing_ok=True)
        return True

    @property
    def _kubeconfig(self) -> Path:
        return cache_directory() / "kind" / "kubeconfig"

    @staticmethod
    def _exists() -> bool:
        if not (shutil.which("kind") and docker_works()):
            return False
        return KIND_NAME in run(["kind", "get", "clusters"], timeout=_ASK_DEADLINE).split()


class HostNode(Cluster):
    """Upstream Kubernetes in namespaces of this host (`local.kubernetes.node`)."""

    stand_ins = True
    tool = "buildah"

    def __init__(self, report: Report = silent) -> None:
        """Tell a person how its start goes."""
        self.node = Node(report=report)

    def start(self, report: Report) -> Where:
        """Start it; the first time its programs are built."""
        self.node = Node(report=report)
        self.node.up()
        return Where(self.node.kubeconfig, f"http://{self.node.address}")

    def where(self) -> Where | None:
        """Ask the node."""
        return Where(self.node.kubeconfig, f"http://{self.node.address}") if self.node.running else None

    def remove(self, report: Report) -> bool:
        """End its namespaces: processes, mounts, the bridge and the rules go with them."""
        del report
        return self.node.down()


class Given(Cluster):
    """A cluster that somebody else runs."""

    ours = False

    def __init__(self, kubeconfig: Path) -> None:
        """Take the file that leads to it."""
        self._kubeconfig = kubeconfig

    def start(self, report: Report) -> Where:
        """Only look whether the file is there."""
        report(f"  the cluster that {self._kubeconfig} leads to")
        return self.where()

    def where(self) -> Where:
        """Nothing is known of its ingress; the platform's status may tell."""
        if not self._kubeconfig.is_file():
            raise LocalError(f"there is no kubeconfig {self._kubeconfig}")
        return Where(self._kubeconfig, "")

    def remove(self, report: Report) -> bool:
        """It is not ours to remove."""
        del report
        return False


def docker_works() -> bool:
    """Tell whether there is a Docker whose daemon answers."""
    if shutil.which("docker") is None:
        return False
    try:
        return bool(run(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=_ASK_DEADLINE).strip())
    except CommandFailedError:
        return False


def chosen(kubeconfig: Path | None) -> Cluster:
    """Answer the cluster to use: the given one, else kind where Docker and kind work, else this host's node."""
    if kubeconfig is not None:
        return Given(kubeconfig)
    return Kind() if docker_works() and shutil.which("kind") else HostNode()


def made_here() -> tuple[Cluster, ...]:
    """Answer the clusters that `up` may have made on this host."""
    return (Kind(), HostNode())


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
