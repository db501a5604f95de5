"""Pods as bare network namespaces, and who reaches whom: `python -m tests.integration.addons.packets FOLDER`.

Runs in a network of its own, as the node does. Prints one JSON object.
"""

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from local.kubernetes.addons import Place, apply, policies
from local.kubernetes.certificates import Authority
from local.kubernetes.control_plane import Site, daemons
from local.progress import silent
from tests.integration.addons.inside import NODE, PORTS, Call, kubectl, start, thing, until

SERVER = """
import http.server, sys, threading
def listen(port):
    http.server.ThreadingHTTPServer(("0.0.0.0", port), http.server.SimpleHTTPRequestHandler).serve_forever()
threading.Thread(target=listen, args=(8081,), daemon=True).start()
print(flush=True)
listen(8080)
"""
CLIENT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.5)"
PODS = {"server": "shop", "friend": "shop", "stranger": "shop", "far": "other"}
WEB = [{"name": "web", "containerPort": 8080, "protocol": "TCP"}]

# All that a policy can say; what nft did not understand would keep every later rule out.
EVERY_FORM: dict[str, Any] = {
    "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "server"}}}], "ports": [{"port": "web"}]}],
    "ingress": [
        {"from": [{"ipBlock": {"cidr": "2001:db8::/32"}}]},
        {
            "from": [{"ipBlock": {"cidr": "10.1.2.3/8", "except": ["10.244.3.0/24", "10.96.0.0/16"]}}],
            "ports": [
                {"port": 8081, "endPort": 9000},
                {"protocol": "UDP", "port": 53},
                {"protocol": "SCTP"},
                {"port": "missing"},
            ],
        },
        {"from": [{"podSelector": {"matchLabels": {"app": "nobody"}}}]},
    ],
}


class Network:
    """A network namespace for each pod, joined by routes of this one."""

    def __init__(self, stack: ExitStack) -> None:
        self.addresses = {name: f"10.244.{number}.2" for number, name in enumerate(PODS, start=1)}
        self._pids: dict[str, int] = {}
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for number, name in enumerate(PODS, start=1):
            command = ["unshare", "--net", sys.executable, "-c", SERVER]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))  # noqa: S603
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
            self._pids[name] = process.pid
            self._join(number, process.pid)

    def _join(self, number: int, pid: int) -> None:
        run(f"ip link add pod{number} type veth peer name eth0 netns {pid}")
        run(f"ip address add 10.244.{number}.1/24 dev pod{number}")
        run(f"ip link set pod{number} up")
        for command in (f"address add 10.244.{number}.2/24 dev eth0", "link set eth0 up"):
            run(f"nsenter --net --target {pid} ip {command}")
        run(f"nsenter --net --target {pid} ip route add default via 10.244.{number}.1")

    def reaches(self, source: str, target: str, port: int = 8080) -> bool:
        """Tell whether a connection comes about; the source `node` is this namespace."""
        within = [] if source == "node" else ["nsenter", "--net", "--target", str(self._pids[source])]
        command = [*within, sys.executable, "-c", CLIENT, self.addresses[target], str(port)]
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0  # noqa: S603


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)  # noqa: S603


async def main(folder: Path) -> None:
    run("ip link set lo up")
    run(f"ip address add {NODE}/32 dev lo")
    site = Site(folder / "control", PORTS, NODE)
    found = policies.addon(Place(folder / "addons", NODE, site.url, Authority(site.credentials)), silent)
    planned = daemons(site, silent, controllers=False, scheduler=False)
    with ExitStack() as pods:
        network = Network(pods)
        async with AsyncExitStack() as stack:
            for each in planned:
                await start(stack, each, folder)
            call = partial(kubectl, site.admin_kubeconfig)
            await apply([found], site.admin_kubeconfig, silent)
            await start(stack, found.daemons[0], folder)
            await announce(call, network)
            seen = await look(call, network)
    sys.stdout.write(json.dumps(seen))


async def announce(call: Call, network: Network) -> None:
    """Tell the API server of the pods and their addresses, as the kubelet would."""
    spaces = [{**thing("v1", "Node", name), "kind": "Namespace"} for name in ("shop", "other")]
    accounts = [placed(thing("v1", "ServiceAccount", "default"), space) for space in ("shop", "other")]
    pods = [
        placed(
            {
                **thing(
                    "v1",
                    "Pod",
                    name,
                    spec={"nodeName": "one", "containers": [{"name": name, "image": "none", "ports": WEB}]},
                ),
            },
            space,
            labels={"app": name if name != "far" else "friend"},
        )
        for name, space in PODS.items()
    ]
    for items in (spaces, accounts, pods):
        await call(
            "apply",
            "--server-side",
            "--filename=-",
            given=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
        )
    for name, space in PODS.items():
        status = {"phase": "Running", "podIP": network.addresses[name], "podIPs": [{"ip": network.addresses[name]}]}
        patch = json.dumps({"status": status})
        await call("patch", "pod", name, f"--namespace={space}", "--subresource=status", f"--patch={patch}")


def placed(item: dict[str, Any], namespace: str, **metadata: Any) -> dict[str, Any]:
    return {**item, "metadata": {"name": item["metadata"]["name"], "namespace": namespace, **metadata}}


def policy(name: str, app: str, **spec: Any) -> str:
    item = thing(
        "networking.k8s.io/v1", "NetworkPolicy", name, spec={"podSelector": {"matchLabels": {"app": app}}, **spec}
    )
    return json.dumps(placed(item, "shop"))


async def look(call: Call, network: Network) -> dict[str, Any]:
    seen: dict[str, Any] = {"without": network.reaches("stranger", "server")}
    friends = [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": "web"}]}]
    await call("apply", "--filename=-", given=policy("server", "server", policyTypes=["Ingress"], ingress=friends))
    await until(lambda: str(network.reaches("stranger", "server")), "False")
    # The enforcer learns of policies and of pods by watches of their own: those let in may come a moment later.
    await until(lambda: str(network.reaches("friend", "server")), "True")
    seen |= {name: network.reaches(name, "server") for name in ("friend", "stranger", "far", "node")}
    seen["another port"] = network.reaches("friend", "server", 8081)
    seen["unselected"] = network.reaches("far", "friend")
    everywhere = [{"from": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]
    await call("apply", "--filename=-", given=policy("server", "server", policyTypes=["Ingress"], ingress=everywhere))
    seen["every namespace"] = await until(lambda: str(network.reaches("far", "server")), "True")
    await call("apply", "--filename=-", given=policy("silent", "stranger", policyTypes=["Egress"]))
    seen["egress"] = await until(lambda: str(network.reaches("stranger", "friend")), "False")
    await call(
        "apply", "--filename=-", given=policy("every", "friend", policyTypes=["Egress", "Ingress"], **EVERY_FORM)
    )
    await until(lambda: str(network.reaches("friend", "server", 8081)), "False")
    seen["named port of the other"] = network.reaches("friend", "server", 8080)
    seen["in a range of ports"] = network.reaches("far", "friend", 8081)
    seen["outside the range"] = network.reaches("far", "friend", 8080)
    await call("delete", "networkpolicies", "--all", "--namespace=shop")
    seen["after"] = await until(lambda: str(network.reaches("stranger", "friend")), "True")
    return seen


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
