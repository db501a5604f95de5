"""Claims about what runs beside a cluster: its names, its ingress and its volumes really work."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from local.kubernetes.addons import fetch
from local.kubernetes.tools import tool
from local.progress import to_terminal

DEADLINE = 240


@pytest.fixture(scope="module")
async def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was seen of a control plane and all its addons."""
    return await ran("inside", tmp_path_factory.mktemp("inside"))


@pytest.fixture(scope="module")
async def reached(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Which pods reached which, under which network policies."""
    return await ran("packets", tmp_path_factory.mktemp("packets"))


async def ran(module: str, folder: Path) -> dict[str, Any]:
    """Run a module in namespaces of its own, and answer what it printed; all that it started ends with it."""
    fetch(to_terminal)
    tool("kube-apiserver", to_terminal)
    mapping = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    process = await asyncio.create_subprocess_exec(
        *["unshare", *mapping, "--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
        *[sys.executable, "-m", f"tests.integration.addons.{module}", str(folder)],
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(said)
    return found


async def test_names_of_services_are_answered(seen: dict[str, Any]) -> None:
    """CoreDNS answers the API server's Service with its address."""
    assert seen["service"] == [0, "10.96.0.1"]


async def test_names_outside_do_not_exist_where_nobody_can_be_asked(seen: dict[str, Any]) -> None:
    """Without servers for other domains the answer is at once that there is no such name (NXDOMAIN, 3)."""
    assert seen["unknown"] == [3, ""]


async def test_an_ingress_without_a_class_is_served(seen: dict[str, Any]) -> None:
    """A request to the node with the Ingress's host reaches the backend of its Service, with host and path."""
    assert seen["ingress"] == "shop.test/kept"


async def test_an_ingress_is_told_its_address(seen: dict[str, Any]) -> None:
    """The Ingress's status carries the node's address."""
    assert seen["address"] == "10.123.0.2"


async def test_an_http_route_of_the_gateway_is_served(seen: dict[str, Any]) -> None:
    """An HTTPRoute that names the Gateway is answered beside Ingresses."""
    assert seen["route"] == "route.test/kept"


async def test_an_unknown_host_is_not_served(seen: dict[str, Any]) -> None:
    """A host that nothing in the cluster names is answered with 404."""
    assert seen["elsewhere"] == "404"


async def test_a_claim_becomes_a_folder_that_every_user_can_write(seen: dict[str, Any]) -> None:
    """A claim of the default class, used by a scheduled pod, is bound to a folder named after it."""
    assert seen["folders"] == [["default_data", 0o777]]


async def test_a_removed_claim_takes_its_folder_with_it(seen: dict[str, Any]) -> None:
    """The folder of a deleted claim is removed from the node."""
    assert seen["left"] == []


async def test_a_pod_that_no_policy_selects_takes_all(reached: dict[str, Any]) -> None:
    """Without a policy, and for pods that a policy leaves out, every connection comes about."""
    assert reached["without"]
    assert reached["unselected"]


async def test_a_selected_pod_takes_only_who_is_named(reached: dict[str, Any]) -> None:
    """The named label in the same namespace gets through, at the named port; others, and other namespaces', do not."""
    assert {name: reached[name] for name in ("friend", "stranger", "far", "another port")} == {
        "friend": True,
        "stranger": False,
        "far": False,
        "another port": False,
    }


async def test_the_node_reaches_every_pod(reached: dict[str, Any]) -> None:
    """Probes and the ingress come from the node: policies never keep it out."""
    assert reached["node"]


async def test_a_namespace_selector_opens_to_other_namespaces(reached: dict[str, Any]) -> None:
    """An edited policy that names every namespace lets the pod of another one in."""
    assert reached["every namespace"] == "True"


async def test_a_pod_with_no_way_out_reaches_nobody(reached: dict[str, Any]) -> None:
    """A policy for egress without rules cuts a pod off; once it is removed, the pod reaches others again."""
    assert (reached["egress"], reached["after"]) == ("False", "True")


async def test_named_ports_and_ranges_are_understood(reached: dict[str, Any]) -> None:
    """A port's name counts at the pod that is called; a range takes in its ends and nothing else."""
    assert reached["named port of the other"]
    assert reached["in a range of ports"]
    assert not reached["outside the range"]
