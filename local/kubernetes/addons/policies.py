"""NetworkPolicies, enforced by rules of the node that are written from what the API server holds (go/policies)."""

from local.kubernetes.addons.model import OBJECTS, Addon, Place, grant
from local.kubernetes.daemons import Daemon, Probe
from local.kubernetes.tools import tool
from local.progress import Report

NAME = "policies"
_HEALTH = "127.0.0.1:8084"
_RULES = [
    {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["list", "watch"]},
]


def addon(place: Place, report: Report) -> Addon:
    """Describe the enforcer; `nft` must be on the PATH where it runs."""
    kubeconfig = place.folder / f"{NAME}.kubeconfig"
    daemon = Daemon(
        NAME,
        (str(tool(NAME, report)), f"-kubeconfig={kubeconfig}", f"-health={_HEALTH}"),
        Probe(f"http://{_HEALTH}/healthz"),
        files={kubeconfig: place.kubeconfig(NAME)},
        after=(OBJECTS,),
    )
    return Addon(NAME, (daemon,), grant(NAME, _RULES))
