"""A real single-node Kubernetes cluster on this host, wholly inside namespaces of its own.

`host` starts and ends it. Inside, `init` is the first process, `mounts` and `network` make its view of the machine,
`supervisor` runs the `cluster`: containerd, the control plane, the kubelet, kube-proxy, and what any cluster has.
"""

from local.kubernetes.node.host import Node, Status

__all__ = ["Node", "Status"]
