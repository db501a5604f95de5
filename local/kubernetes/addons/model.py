"""An addon as data: its daemons, and the objects in the cluster that they and their users go by."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.kubernetes.certificates import Authority
from local.kubernetes.daemons import Daemon

Object = Mapping[str, Any]

# In a daemon's `after`, beside names of daemons: `apply` is done. Before it, the daemon would be refused what it asks.
OBJECTS = "addons' objects"


@dataclass(frozen=True)
class Place:
    """Where addons run and whom they ask.

    `folder` is theirs, at the path that the daemons see; `address` is the node's, which pods and the host reach; `url`
    is the API server's; `dns` is the cluster's DNS server among the Services; `domains` are the servers that are asked
    for names outside the cluster: none means that there are no such names.
    """

    folder: Path
    address: str
    url: str
    authority: Authority
    dns: str = "10.96.0.10"
    domains: tuple[str, ...] = ()

    def kubeconfig(self, user: str) -> str:
        """Answer a kubeconfig file for a user of that name, with a fresh certificate."""
        return self.authority.kubeconfig(self.url, user)


@dataclass(frozen=True)
class Addon:
    """An addon: `definitions` are files of custom resource definitions, which come before the `objects`."""

    name: str
    daemons: tuple[Daemon, ...]
    objects: tuple[Object, ...]
    definitions: tuple[Path, ...] = ()


def grant(user: str, rules: list[dict[str, list[str]]]) -> tuple[Object, Object]:
    """Answer the role of an addon's user and its binding."""
    name = f"ecommerce-platform:{user}"
    api, group = "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"
    role = {"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    binding = {
        "apiVersion": api,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    return role, binding


def service(
    name: str, namespace: str, address: str, ports: list[dict[str, Any]], **spec: object
) -> tuple[Object, Object]:
    """Answer a Service that leads to a daemon of the node instead of to pods; each port has a targetPort."""
    metadata = {"name": name, "namespace": namespace}
    front = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports, **spec}}
    behind = [{"name": each["name"], "port": each["targetPort"], "protocol": each["protocol"]} for each in ports]
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        # The label joins it to its Service.
        "metadata": {**metadata, "name": f"{name}-node", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": behind,
    }
    return front, slice_
