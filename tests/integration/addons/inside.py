"""Runs a control plane and its addons in a network of its own: `python -m tests.integration.addons.inside FOLDER`.

There is no kubelet: a node is an object here. What the tests want to know is printed as one JSON object.
"""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from local.kubernetes.addons import Place, addons, apply
from local.kubernetes.addons.model import service
from local.kubernetes.certificates import Authority
from local.kubernetes.control_plane import API_SERVER, CONTROLLERS, ETCD, SCHEDULER, Site, daemons
from local.kubernetes.daemons import DaemonProcess
from local.kubernetes.tools import tool
from local.progress import silent

NODE = "10.123.0.2"
PORTS = {API_SERVER: 6443, ETCD: 2379, "etcd-peer": 2380, "etcd-health": 2381, CONTROLLERS: 10257, SCHEDULER: 10259}
BACKEND = 9999
DEADLINE = 120.0
Call = Callable[..., Awaitable[str]]


class Answer(BaseHTTPRequestHandler):
    """A server behind the ingress: it says for which host it was asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['Host']}{self.path}".encode())

    def log_message(self, *_: object) -> None: ...


async def main(folder: Path) -> None:
    for command in ("ip link set lo up", f"ip address add {NODE}/32 dev lo"):
        subprocess.run(command.split(), check=True)  # noqa: S603, ASYNC221 (nothing else runs yet)
    site = Site(folder / "control", PORTS, NODE, pods="10.244.0.0/16")
    place = Place(folder / "addons", NODE, site.url, Authority(site.credentials))
    planned = daemons(site, silent)
    found = addons(place, silent)
    server = ThreadingHTTPServer((NODE, BACKEND), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    async with AsyncExitStack() as stack:
        for each in planned:
            await start(stack, each, folder)
        await apply(found, site.admin_kubeconfig, silent)
        await apply(found, site.admin_kubeconfig, silent)
        for addon in found:
            for each in addon.daemons:
                await start(stack, each, folder)
        seen = await look(partial(kubectl, site.admin_kubeconfig), folder)
    sys.stdout.write(json.dumps(seen))


async def start(stack: AsyncExitStack, daemon: Any, folder: Path) -> None:
    process = DaemonProcess(daemon, folder / "logs" / f"{daemon.name}.log")
    await process.start()
    stack.push_async_callback(process.stop)


async def look(call: Call, folder: Path) -> dict[str, Any]:
    await call("apply", "--server-side", "--filename=-", given=json.dumps(wishes()))
    seen: dict[str, Any] = {
        "service": await resolved("kubernetes.default.svc.cluster.local", "10.96.0.1"),
        "unknown": resolve("example.com"),
        "ingress": await until(lambda: ask("shop.test", "/kept"), "shop.test/kept"),
        "route": await until(lambda: ask("route.test", "/kept"), "route.test/kept"),
        "elsewhere": ask("other.test", "/"),
    }
    await call("wait", "ingress/shop", "--for=jsonpath={.status.loadBalancer.ingress[0].ip}", "--timeout=90s")
    seen["address"] = await call("get", "ingress", "shop", "--output=jsonpath={.status.loadBalancer.ingress[0].ip}")
    await call("wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=90s")
    volumes = folder / "addons" / "volumes"
    seen["folders"] = [(each.name.partition("_")[2], each.stat().st_mode & 0o777) for each in volumes.iterdir()]
    await call("delete", "pod/one", "pvc/data", "--wait", "--grace-period=0", "--force")
    await call("wait", "pv", "--all", "--for=delete", "--timeout=90s")
    seen["left"] = [each.name for each in volumes.iterdir()]
    return seen


async def kubectl(kubeconfig: Path, *arguments: str, given: str = "") -> str:
    pipe = asyncio.subprocess.PIPE
    command = [str(tool("kubectl", silent)), f"--kubeconfig={kubeconfig}", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    said, _ = await asyncio.wait_for(process.communicate(given.encode()), DEADLINE)
    if process.returncode:
        raise RuntimeError(f"kubectl {' '.join(arguments)} failed")
    return said.decode()


async def until(look: Callable[[], str], wanted: str) -> str:
    """Ask until the answer is the wanted one: nothing tells when Envoy has a route."""
    seen = ""
    for _ in range(300):
        seen = look()
        if seen == wanted:
            break
        await asyncio.sleep(0.1)
    return seen


def ask(host: str, path: str) -> str:
    connection = HTTPConnection(NODE, 8080, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else str(answer.status)
    except OSError as error:
        return str(error)
    finally:
        connection.close()


async def resolved(name: str, address: str) -> tuple[int, str]:
    """Ask until CoreDNS has heard of the Service: the API server makes it by itself, soon after its start."""
    await until(lambda: resolve(name)[1], address)
    return resolve(name)


def resolve(name: str) -> tuple[int, str]:
    """Ask CoreDNS for an A record; answer the response code and the address, by RFC 1035's format."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(query, (NODE, 53))
        try:
            answer = client.recv(512)
        except TimeoutError:
            return -1, ""
    found = socket.inet_ntoa(answer[-4:]) if answer[7] else ""
    return answer[3] & 15, found


def wishes() -> dict[str, Any]:
    port = {"name": "http", "port": 80, "targetPort": BACKEND, "protocol": "TCP"}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "shop", "port": {"name": "http"}}}}
    parent = {"name": "contour", "namespace": "projectcontour"}
    template = {"containers": [{"name": "one", "image": "none"}], "serviceAccountName": "default"}
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    conditions = [{"type": "Ready", "status": "True"}]
    capacity = {"cpu": "1", "memory": "1Gi", "pods": "10"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    account = {"automountServiceAccountToken": False}
    items = [
        *service("shop", "default", NODE, [port]),
        thing(
            "networking.k8s.io/v1",
            "Ingress",
            "shop",
            spec={"rules": [{"host": "shop.test", "http": {"paths": [path]}}]},
        ),
        thing(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            "shop",
            spec={
                "parentRefs": [parent],
                "hostnames": ["route.test"],
                "rules": [{"backendRefs": [{"name": "shop", "port": 80}]}],
            },
        ),
        thing("v1", "ServiceAccount", "default", **account),
        thing("v1", "PersistentVolumeClaim", "data", spec=claim),
        {
            **thing(
                "v1", "Node", "one", status={"conditions": conditions, "capacity": capacity, "allocatable": capacity}
            ),
            "metadata": {"name": "one", "labels": {"kubernetes.io/hostname": "one"}},
        },
        thing("v1", "Pod", "one", spec={**template, "volumes": [volume], "tolerations": [{"operator": "Exists"}]}),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def thing(api: str, kind: str, name: str, **content: Any) -> dict[str, Any]:
    namespace = {} if kind == "Node" else {"namespace": "default"}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **namespace}, **content}


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
