"""Ingress and Gateway API: Contour reads them from the cluster and tells Envoy, which answers on the node's address.

The default IngressClass is `contour`; HTTPRoutes attach to the Gateway `contour` in the namespace `projectcontour`.
Both come through the same two listeners. Contour puts a Gateway's port 80 on 8080, so a Service leads there from 80.
"""

import base64
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from local.errors import StartFailedError
from local.kubernetes.addons.envoy import envoy
from local.kubernetes.addons.manifests import CONTOUR_ROLE, manifests
from local.kubernetes.addons.model import OBJECTS, Addon, Object, Place, grant, service
from local.kubernetes.daemons import Daemon, Probe
from local.kubernetes.tools import tool
from local.progress import Report

CONTOUR, ENVOY = "contour", "envoy"
NAMESPACE, GATEWAY, CLASS = "projectcontour", "contour", "contour"
_CONTROLLER = "projectcontour.io"
_XDS, _CONTOUR_HEALTH, _STATS, _DEBUG = 8001, 8000, 8002, 6060
_LISTENERS = {"http": (80, 8080), "https": (443, 8443)}
_CERTIFICATE = "default-certificate"
_DEADLINE = 60.0
# These belong to the experimental channel of Gateway API, which is not installed.
_WITHOUT = ("tlsroutes", "tcproutes", "backendtlspolicies")


def addon(place: Place, report: Report) -> Addon:
    """Describe Contour and Envoy, with their custom resource definitions and the Gateway."""
    upstream = manifests(report)
    definitions = tuple(sorted(upstream.glob("*crd*.yaml")))
    objects = (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *grant(CONTOUR, _rules(upstream / CONTOUR_ROLE)),
        *_entrance(place),
        *_front(place),
    )
    return Addon("ingress", (_contour(place, report), _envoy(place, report)), objects, definitions)


def _contour(place: Place, report: Report) -> Daemon:
    kubeconfig, config = place.folder / f"{CONTOUR}.kubeconfig", place.folder / "contour.yaml"
    settings = {
        "gateway": {"gatewayRef": {"namespace": NAMESPACE, "name": GATEWAY}},
        "accesslog-level": "critical",  # requests that failed here; a line for every request would fill the disk
    }
    argv = (
        str(tool(CONTOUR, report)),
        "serve",
        f"--config-path={config}",
        f"--kubeconfig={kubeconfig}",
        f"--ingress-class-name={CLASS}",
        f"--ingress-status-address={place.address}",
        "--disable-leader-election",  # it is alone
        "--insecure",  # Envoy is told on the node's own loopback
        "--xds-address=127.0.0.1",
        f"--xds-port={_XDS}",
        "--http-address=127.0.0.1",
        f"--http-port={_CONTOUR_HEALTH}",
        "--health-address=127.0.0.1",
        f"--health-port={_CONTOUR_HEALTH}",
        "--stats-address=127.0.0.1",
        f"--stats-port={_STATS}",
        "--debug-http-address=127.0.0.1",
        f"--debug-http-port={_DEBUG}",
        *(f"--disable-feature={name}" for name in _WITHOUT),
    )
    return Daemon(
        CONTOUR,
        argv,
        Probe(f"http://127.0.0.1:{_CONTOUR_HEALTH}/healthz"),
        environment={"CONTOUR_NAMESPACE": NAMESPACE},
        files={kubeconfig: place.kubeconfig(CONTOUR), config: json.dumps(settings, indent=2)},
        after=(OBJECTS,),
    )


def _envoy(place: Place, report: Report) -> Daemon:
    bootstrap = place.folder / "envoy.json"
    argv = (
        str(envoy(report)),
        *("--config-path", str(bootstrap)),
        *("--service-node", ENVOY),
        *("--service-cluster", CONTOUR),
        *("--log-level", "warn"),
        *("--concurrency", "2"),
        "--disable-hot-restart",  # one Envoy for a node; a restart is a new one
    )
    # It listens there only when Contour has told it so.
    probe = Probe(f"http://127.0.0.1:{_STATS}/ready")
    files = {bootstrap: _bootstrap(place.folder, tool(CONTOUR, report))}
    return Daemon(ENVOY, argv, probe, files=files, after=(CONTOUR,))


def _bootstrap(folder: Path, contour: Path) -> str:
    """Answer what Envoy starts with: whom to ask for everything else."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "envoy.json")
        command = [str(contour), "bootstrap", str(file), "--xds-address=127.0.0.1", f"--xds-port={_XDS}"]
        command += [f"--admin-address={folder / 'envoy-admin.sock'}", "--xds-resource-version=v3"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_DEADLINE)
        if done.returncode:
            raise StartFailedError(f"contour bootstrap failed:\n{done.stderr[-2000:]}")
        return file.read_text()


def _rules(roles: Path) -> Any:
    """Answer the rules of upstream's cluster role, which is generated from what Contour's code does."""
    return next(each["rules"] for each in yaml.safe_load_all(roles.read_text()) if each["kind"] == "ClusterRole")


def _entrance(place: Place) -> tuple[Object, ...]:
    """Answer the classes and the one Gateway, whose certificate serves hosts that bring none of their own."""
    pair = place.authority.server("ingress", [place.address, "localhost"])
    tls = {"tls.crt": _base64(pair.certificate), "tls.key": _base64(pair.key)}
    ingress_class = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": CLASS, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": f"{_CONTROLLER}/ingress-controller"},
    }
    api = "gateway.networking.k8s.io/v1"
    everyone = {"allowedRoutes": {"namespaces": {"from": "All"}}}
    terminate = {"tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": _CERTIFICATE}]}}
    listeners = [
        {"name": "http", "protocol": "HTTP", "port": _LISTENERS["http"][0], **everyone},
        {"name": "https", "protocol": "HTTPS", "port": _LISTENERS["https"][0], **terminate, **everyone},
    ]
    named = {"name": GATEWAY, "namespace": NAMESPACE}
    return (
        ingress_class,
        _secret(tls),
        {
            "apiVersion": api,
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": f"{_CONTROLLER}/gateway-controller"},
        },
        {
            "apiVersion": api,
            "kind": "Gateway",
            "metadata": named,
            "spec": {"gatewayClassName": CLASS, "listeners": listeners},
        },
    )


def _secret(data: dict[str, str]) -> Object:
    metadata = {"name": _CERTIFICATE, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}


def _front(place: Place) -> tuple[Object, Object]:
    """Answer the Service by which the node's address answers on the usual ports."""
    ports = [
        {"name": name, "port": port, "targetPort": behind, "protocol": "TCP"}
        for name, (port, behind) in _LISTENERS.items()
    ]
    return service(ENVOY, NAMESPACE, place.address, ports, externalIPs=[place.address])


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
