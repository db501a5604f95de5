"""What every cluster has beside Kubernetes itself: names, ingress, volumes, and the enforcement of network policies.

They run as daemons of the node, not as pods, so that a cluster needs no image of them. Each knows the API server under
a user of its own with no more rights than it needs.
"""

from local.kubernetes.addons import dns, ingress, policies, volumes
from local.kubernetes.addons.applying import apply
from local.kubernetes.addons.envoy import envoy
from local.kubernetes.addons.manifests import manifests
from local.kubernetes.addons.model import OBJECTS, Addon, Place
from local.kubernetes.tools import tool
from local.progress import Report

__all__ = ["OBJECTS", "Addon", "Place", "addons", "apply", "fetch"]


def fetch(report: Report) -> None:
    """Bring all that `addons` and `apply` need into the cache, for those who call them where there is no network."""
    for name in ("kubectl", dns.NAME, policies.NAME, volumes.NAME, ingress.CONTOUR):
        tool(name, report)
    manifests(report)
    envoy(report)


def addons(place: Place, report: Report) -> tuple[Addon, ...]:
    """Describe all of them, with fresh certificates; builds or fetches their programs at first use."""
    return tuple(each.addon(place, report) for each in (dns, policies, volumes, ingress))
