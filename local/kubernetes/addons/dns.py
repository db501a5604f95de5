"""The cluster's names: CoreDNS on the node, behind the Service `kube-dns` at the address that every pod is given."""

from local.kubernetes.addons.model import OBJECTS, Addon, Place, grant, service
from local.kubernetes.daemons import Daemon, Probe
from local.kubernetes.tools import tool
from local.progress import Report

NAME = "coredns"
_PORT = 53
_HEALTH, _READY = 8083, 8181
_MEANWHILE = 5  # seconds that an answer may be kept by who asked; upstream's own value

# The cluster's own names come from memory and are not cached again: a Service that changed is seen at once.
_COREFILE = """\
cluster.local in-addr.arpa ip6.arpa {{
    bind {address}
    errors
    health 127.0.0.1:{health}
    ready 127.0.0.1:{ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl {ttl}
    }}
    loadbalance
}}
. {{
    bind {address}
    errors
{others}
}}
"""


def addon(place: Place, report: Report) -> Addon:
    """Describe CoreDNS and its Service."""
    kubeconfig, corefile = place.folder / f"{NAME}.kubeconfig", place.folder / "Corefile"
    text = _COREFILE.format(
        address=place.address,
        health=_HEALTH,
        ready=_READY,
        kubeconfig=kubeconfig,
        ttl=_MEANWHILE,
        others=_others(place.domains),
    )
    daemon = Daemon(
        NAME,
        (str(tool(NAME, report)), "-conf", str(corefile), "-dns.port", str(_PORT)),
        Probe(f"http://127.0.0.1:{_READY}/ready"),
        files={kubeconfig: place.kubeconfig(NAME), corefile: text},
        after=(OBJECTS,),
    )
    ports = [
        {"name": f"dns-{protocol.lower()}", "port": _PORT, "targetPort": _PORT, "protocol": protocol}
        for protocol in ("UDP", "TCP")
    ]
    return Addon(
        NAME,
        (daemon,),
        (*grant(NAME, _RULES), *service("kube-dns", "kube-system", place.address, ports, clusterIP=place.dns)),
    )


_RULES = [
    {
        "apiGroups": [""],
        "resources": ["services", "pods", "namespaces"],
        "verbs": ["list", "watch"],
    },
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


def _others(servers: tuple[str, ...]) -> str:
    """Answer what is done with all other names: ask someone, or say at once that there are none."""
    if servers:
        return f"    forward . {' '.join(servers)}\n    cache 30"
    return "    template ANY ANY {\n        rcode NXDOMAIN\n    }"
