"""Puts the definition, the operator and one platform into a cluster, and takes them out again in the right order.

The order of removal matters: with the operator gone nobody takes its finalizer off a platform, so platforms go first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.errors import LocalError
from local.progress import Report
from local.service_process import CHECKOUT
from local.up.programs import CommandFailedError, Helm, Kubectl

CHARTS = CHECKOUT / "charts"
EXAMPLE = CHECKOUT / "examples/platform.yaml"
SYSTEM = "ecommerce-system"
CRDS = "ecommerce-crds"
OPERATOR = "ecommerce-operator"
DEFINITION = "ecommerceplatforms.ecommerce.dev"
_ESTABLISHED = '{.status.conditions[?(@.type=="Established")].status}=True'
_DELETED_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file with one EcommercePlatform, and what else it holds."""

    objects: tuple[dict[str, Any], ...]
    name: str
    namespace: str

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read a file; raises LocalError where it holds no EcommercePlatform or several."""
        try:
            objects = tuple(each for each in yaml.safe_load_all(path.read_text()) if each)
        except (OSError, yaml.YAMLError) as error:
            raise LocalError(f"{path} cannot be read: {error}") from None
        found = [each for each in objects if isinstance(each, dict) and each.get("kind") == "EcommercePlatform"]
        if len(found) != 1:
            raise LocalError(f"{path} holds {len(found)} EcommercePlatforms; `make up` wants one")
        metadata = found[0]["metadata"]
        return cls(objects, metadata["name"], metadata.get("namespace", "default"))


def install_operator(helm: Helm, kubectl: Kubectl, values: Mapping[str, Any]) -> None:
    """Install the definition and the operator, or bring them up to date, and wait until the operator runs."""
    kubectl.apply(_namespace(SYSTEM))
    helm.install(CRDS, CHARTS / "crds", SYSTEM, {})
    # By its path: the condition itself is missing for some milliseconds, which `--for=condition` takes for a fault.
    kubectl("wait", f"--for=jsonpath={_ESTABLISHED}", f"crd/{DEFINITION}", "--timeout=60s", timeout=70)
    helm.install(OPERATOR, CHARTS / "operator", SYSTEM, dict(values))


def apply_platform(kubectl: Kubectl, manifest: Manifest) -> None:
    """Apply the platform, in a namespace that lets in restricted pods only."""
    if kubectl.find("namespace", manifest.namespace) is None:
        kubectl.apply(_namespace(manifest.namespace))
    for each in manifest.objects:
        kubectl.apply(each)


def remove_platform(kubectl: Kubectl, manifest: Manifest, report: Report) -> bool:
    """Delete the platform and wait until the operator has taken down what belongs to it; tell whether it was there."""
    where = ("ecommerceplatforms", manifest.name, "--namespace", manifest.namespace)
    found = kubectl.find(*where)
    if found is None:
        return False
    report(f"  the platform {manifest.name} in {manifest.namespace}; {_policy(found, manifest)}")
    kubectl("delete", *where, f"--timeout={_DELETED_WITHIN:.0f}s", timeout=_DELETED_WITHIN + 10)
    return True


def _policy(resource: Mapping[str, Any], manifest: Manifest) -> str:
    if resource.get("spec", {}).get("deletionPolicy") == "Delete":
        return "its data goes with it (deletionPolicy: Delete)"
    kept = f"kubectl -n {manifest.namespace} get pvc,secrets -l ecommerce.dev/platform={manifest.name}"
    return f"its volumes and root secrets stay (deletionPolicy: Retain): {kept}"


def remove_operator(helm: Helm, kubectl: Kubectl, manifest: Manifest, report: Report) -> None:
    """Remove the operator, the definition and both namespaces, with all data in them.

    Refuses while any other platform is there: without an operator it could not be deleted.
    """
    others = list(_others(kubectl))
    if others:
        raise LocalError(f"the operator stays: these platforms need it: {', '.join(others)}. Delete them first")
    report("  the operator, its definition and the namespaces, with the data in them")
    helm.uninstall(OPERATOR, SYSTEM)
    helm.uninstall(CRDS, SYSTEM)
    kubectl("delete", "crd", DEFINITION, "--ignore-not-found", timeout=_DELETED_WITHIN)
    for namespace in (manifest.namespace, SYSTEM):
        kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout=_DELETED_WITHIN)


def _others(kubectl: Kubectl) -> Iterator[str]:
    try:
        found = kubectl.get("ecommerceplatforms", "--all-namespaces")["items"]
    except CommandFailedError as error:
        if "the server doesn't have a resource type" in str(error):
            return
        raise
    yield from (f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in found)


def _namespace(name: str) -> dict[str, Any]:
    """Answer a namespace that holds all its pods to the restricted Pod Security Standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "app.kubernetes.io/managed-by": "make-up"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
