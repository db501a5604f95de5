"""The two agents of a node: the kubelet, which runs its pods, and kube-proxy, which makes Services of rules.

Their settings are those of a small machine that nobody else uses: no image is collected, nothing is evicted for a
full disk, and what is looked at on a timer is looked at seldom.
"""

import json
from pathlib import Path

from local.kubernetes.certificates import Authority
from local.kubernetes.control_plane import API_SERVER, Site
from local.kubernetes.daemons import Daemon, Probe
from local.kubernetes.node.layout import DNS, INSIDE, PODS
from local.kubernetes.node.runtime import SANDBOX_IMAGE, SOCKET
from local.kubernetes.tools import tool
from local.progress import Report

KUBELET, PROXY = "kubelet", "kube-proxy"
_HEALTH = {KUBELET: 10248, PROXY: 10256}
_FOLDER = INSIDE / "agents"


def agents(site: Site, name: str, report: Report) -> tuple[Daemon, ...]:
    """Describe both, for the node `name` of a control plane, with fresh certificates written for them."""
    authority = Authority(site.credentials)
    return _kubelet(site, name, authority, report), _proxy(site, name, authority, report)


def _kubelet(site: Site, name: str, authority: Authority, report: Report) -> Daemon:
    certificate, key = authority.server(f"system:node:{name}", [name, site.address]).write(_FOLDER, KUBELET)
    kubeconfig, config = _FOLDER / "kubelet.kubeconfig", _FOLDER / "kubelet.json"
    settings = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "authentication": {"x509": {"clientCAFile": str(authority.certificate_path)}},
        "tlsCertFile": str(certificate),
        "tlsPrivateKeyFile": str(key),
        "healthzPort": _HEALTH[KUBELET],
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",  # the node has no systemd
        "cgroupRoot": "/",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "maxPods": 110,
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,  # never: images are brought by hand and cannot be pulled again
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "volumeStatsAggPeriod": "10m",  # each time, every volume is walked
        "makeIPTablesUtilChains": False,
        "enableProfilingHandler": False,
    }
    files = {
        kubeconfig: authority.kubeconfig(site.url, f"system:node:{name}", "system:nodes"),
        config: json.dumps(settings, indent=2),
    }
    argv = (
        str(tool(KUBELET, report)),
        f"--config={config}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={name}",
        f"--node-ip={site.address}",
        "--housekeeping-interval=30s",  # how often the use of memory is measured; a flag only
    )
    return _agent(KUBELET, argv, files, (API_SERVER, SANDBOX_IMAGE))


def _proxy(site: Site, name: str, authority: Authority, report: Report) -> Daemon:
    kubeconfig, config = _FOLDER / "kube-proxy.kubeconfig", _FOLDER / "kube-proxy.json"
    settings = {
        "kind": "KubeProxyConfiguration",
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "mode": "nftables",
        "clusterCIDR": PODS,
        "hostnameOverride": name,
        "healthzBindAddress": f"127.0.0.1:{_HEALTH[PROXY]}",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},  # the table's size is the whole machine's
        "nftables": {"minSyncPeriod": "250ms", "syncPeriod": "10m"},  # soon where something changed, seldom else
    }
    files = {
        kubeconfig: authority.kubeconfig(site.url, "system:kube-proxy"),
        config: json.dumps(settings, indent=2),
    }
    return _agent(PROXY, (str(tool(PROXY, report)), f"--config={config}"), files, (API_SERVER,))


def _agent(name: str, argv: tuple[str, ...], files: dict[Path, str], after: tuple[str, ...]) -> Daemon:
    return Daemon(name, argv, Probe(f"http://127.0.0.1:{_HEALTH[name]}/healthz"), files=files, after=after)
