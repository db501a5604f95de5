"""Volumes: the default StorageClass `standard`, whose claims become folders of the node (go/volumes)."""

from local.kubernetes.addons.model import OBJECTS, Addon, Place, grant
from local.kubernetes.daemons import Daemon, Probe
from local.kubernetes.tools import tool
from local.progress import Report

NAME = "volumes"
_PROVISIONER = "ecommerce.dev/node-folder"
_HEALTH = "127.0.0.1:8082"

_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": _PROVISIONER,
    "reclaimPolicy": "Delete",
    # As on every cluster with local disks: the volume is where its first pod is.
    "volumeBindingMode": "WaitForFirstConsumer",
}


def addon(place: Place, report: Report) -> Addon:
    """Describe the provisioner and its class; the volumes are below `volumes` in the place's folder."""
    kubeconfig, root = place.folder / f"{NAME}.kubeconfig", place.folder / NAME
    argv = (
        str(tool(NAME, report)),
        f"-kubeconfig={kubeconfig}",
        f"-root={root}",
        f"-provisioner={_PROVISIONER}",
        f"-health={_HEALTH}",
    )
    daemon = Daemon(
        NAME,
        argv,
        Probe(f"http://{_HEALTH}/healthz"),
        files={kubeconfig: place.kubeconfig(NAME)},
        folders=(root,),
        after=(OBJECTS,),
    )
    return Addon(NAME, (daemon,), (*grant(NAME, _RULES), _CLASS))


_RULES = [
    {
        "apiGroups": [""],
        "resources": ["persistentvolumes"],
        "verbs": ["get", "list", "watch", "create", "patch", "update", "delete"],
    },
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list", "watch", "update", "patch"]},
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch", "update"]},
    {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get", "list", "watch"]},
]
