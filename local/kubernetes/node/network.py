"""The one thing that the node has on the host: a link between the two, with a private network of two addresses.

The host routes nothing and translates nothing for the node: pods reach no further than the host's end of the link.
"""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from itertools import islice
from typing import Any

from local.errors import StartFailedError
from local.kubernetes.node.layout import PODS, SERVICES

_RANGE = IPv4Network("10.123.0.0/16")
_TRIED = 256
_DEADLINE = 30.0


@dataclass(frozen=True)
class Link:
    """The two ends' addresses, such as 10.123.0.1 and 10.123.0.2, and the length of their network's prefix."""

    host: str
    node: str
    prefix: int = 30


def choose() -> Link:
    """Answer a network that none of the host's addresses and routes overlaps; raises StartFailedError."""
    taken = [*_taken(), ip_network(PODS), ip_network(SERVICES)]
    for candidate in islice(_RANGE.subnets(new_prefix=30), _TRIED):
        if not any(candidate.overlaps(network) for network in taken):
            host, node = candidate.hosts()
            return Link(str(host), str(node))
    raise StartFailedError(f"no free network for the node in the first {_TRIED} of {_RANGE}")


def _taken() -> Iterable[IPv4Network]:
    for route in _ask("-4", "route", "show", "table", "all"):
        if route["dst"] != "default":
            yield IPv4Network(route["dst"], strict=False)
    for interface in _ask("-4", "address", "show"):
        for address in interface["addr_info"]:
            yield IPv4Network((address["local"], address["prefixlen"]), strict=False)


def connect(name: str, link: Link, process: int) -> None:
    """Make the link to the network namespace of a process; the end on the host is called `name`, the other eth0."""
    _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(process))
    _ip("address", "add", f"{link.host}/{link.prefix}", "dev", name)
    _ip("link", "set", name, "up")


def configure(link: Link) -> None:
    """Set up the other end, inside, and let the node route between its pods."""
    _ip("link", "set", "lo", "up")
    _ip("address", "add", f"{link.node}/{link.prefix}", "dev", "eth0")
    _ip("link", "set", "eth0", "up")
    _run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")


def exists(name: str) -> bool:
    """Tell whether the host has a link of that name."""
    return any(each["ifname"] == name for each in _ask("link", "show"))


def disconnect(name: str) -> None:
    """Remove the link, if it is there; both ends go. The kernel may do the same meanwhile, as the node has ended."""
    try:
        if exists(name):
            _ip("link", "delete", name)
    except StartFailedError:
        if exists(name):
            raise


def _ask(*arguments: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = json.loads(_run("ip", "-json", *arguments) or "[]")
    return answer


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_DEADLINE)
    if done.returncode:
        raise StartFailedError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
