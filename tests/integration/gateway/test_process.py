"""Claims about the gateway's life: what it waits for, how it leaves, and how several share a port."""

import asyncio
import contextlib
import signal
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from local.errors import StartFailedError
from local.ports import free_ports
from local.service_process import ServiceProcess
from local.topology import row_of
from tests.integration.gateway.stage import staged

QUERY = {"query": "query($id: String) { product(id: $id) { id } }"}
FAST = QUERY | {"variables": {"id": "mug"}}
SLOW = {"query": '{ product(query: "slow") { id } }'}


async def test_readiness_names_what_is_missing(folder: Path) -> None:
    """/readyz is 503 and names a service that went away, then the next; /healthz stays 200; what is up still works."""
    async with staged(folder) as stage, httpx.AsyncClient(base_url=stage.url, timeout=30) as http:
        assert await _missing(http, 0) == []
        assert (await http.get("/readyz")).status_code == 200
        await stage.servers["order"].stop()
        assert await _missing(http, 1) == ["order"]
        assert (await http.get("/readyz")).status_code == 503
        await stage.servers["account"].stop()
        assert await _missing(http, 2) == ["account", "order"]
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.post("/graphql", json=FAST)).json()["data"]["product"] == [{"id": "mug"}]
        keys = await http.get("/.well-known/jwks.json")
        assert keys.status_code == 503


async def test_the_gateway_does_without_payment(folder: Path) -> None:
    """With payment away /readyz names it and stays 200, and orders are answered; one more that is away makes it 503."""
    orders = {"query": "{ accounts { orders { id payments { id } } } }"}
    async with staged(folder) as stage, httpx.AsyncClient(base_url=stage.url, timeout=30) as http:
        await stage.servers["payment"].stop()
        assert await _missing(http, 1) == ["payment"]
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "missing": ["payment"]})
        headers = {"Authorization": f"Bearer {stage.script.key.token(5)}"}
        answer = (await http.post("/graphql", json=orders, headers=headers)).json()
        assert answer["data"]["accounts"] == [{"orders": [{"id": 5, "payments": None}]}]
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
        await stage.servers["product"].stop()
        assert await _missing(http, 2) == ["product", "payment"]
        assert (await http.get("/readyz")).status_code == 503


async def test_the_gateway_does_without_the_recommender(folder: Path) -> None:
    """With it away /readyz names it and stays 200, its field is null with an error, and the shop is as it was."""
    query = {"query": '{ product(id: "mug") { id } recommendations { items { product { id } } } }'}
    async with staged(folder) as stage, httpx.AsyncClient(base_url=stage.url, timeout=30) as http:
        await stage.servers["recommender"].stop()
        assert await _missing(http, 1) == ["recommender"]
        assert (await http.get("/readyz")).status_code == 200
        answer = (await http.post("/graphql", json=query)).json()
        assert answer["data"] == {"product": [{"id": "mug"}], "recommendations": None}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]


async def _missing(http: httpx.AsyncClient, count: int) -> list[str]:
    """What /readyz misses once it misses so many; its answer is a second old at most."""
    async with asyncio.timeout(30):
        while True:
            response = await http.get("/readyz")
            missing: list[str] = response.json()["missing"]
            if len(missing) == count:
                return missing
            await asyncio.sleep(0.1)


async def test_stopping_costs_nobody_an_answer(folder: Path) -> None:
    """Told to stop under load, it answers everyone until a balancer has noticed, and the slow request as well."""
    # Long enough for a balancer on a busy machine.
    leave = {"LEAVE_SECONDS": "5"}
    async with staged(folder, **leave) as stage, httpx.AsyncClient(base_url=stage.url, timeout=30) as http:
        outcomes: Counter[str] = Counter()
        busy, leaving = asyncio.Event(), asyncio.Event()
        load = [asyncio.create_task(_client(stage.url, outcomes, busy, leaving)) for _ in range(16)]
        await busy.wait()
        # Only now: a service that does not answer is given up after five seconds.
        slow = asyncio.create_task(http.post("/graphql", json=SLOW))
        await stage.script.arrived.acquire()
        stopping = asyncio.create_task(stage.gateway.stop())
        await _balancer(stage.url, leaving)
        await asyncio.gather(*load)
        assert not slow.done()
        stage.script.released.set()
        assert (await slow).json() == {"data": {"product": [{"id": "slow"}]}}
        await stopping
        assert await stage.gateway.wait() == 0
        assert set(outcomes) == {"answered", "closed"}
        # Each client was told to let go of its connection before it stopped.
        assert outcomes["closed"] >= 16


async def _client(url: str, outcomes: Counter[str], busy: asyncio.Event, leaving: asyncio.Event) -> None:
    """Sends requests one after another over kept connections, until the balancer sends it elsewhere."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        while not (leaving.is_set() and outcomes["closed"] >= 16):
            response = await http.post("/graphql", json=FAST)
            assert response.json() == {"data": {"product": [{"id": "mug"}]}}
            outcomes["closed" if response.headers.get("connection") == "close" else "answered"] += 1
            if outcomes["answered"] == 200:
                busy.set()


async def _balancer(url: str, leaving: asyncio.Event) -> None:
    """Notices when /readyz turns, as a balancer's probe does."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as http, asyncio.timeout(30):
        while (await http.get("/readyz")).status_code == 200:  # noqa: ASYNC110 a probe can only ask
            await asyncio.sleep(0.02)
        leaving.set()


async def test_a_taken_port_is_said_so(folder: Path) -> None:
    """A second gateway on the same port does not share it in silence: it ends and says why."""
    async with staged(folder) as stage:
        command = stage.gateway.command()
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            env=dict(stage.gateway.environment),
            cwd=command.directory,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode
        assert f"Port {stage.gateway.port} is taken".encode() in errors


async def test_a_missing_setting_is_named(folder: Path) -> None:
    """Without an address the gateway does not start, and says which it lacks."""
    port = str(free_ports(["gateway"])["gateway"])
    gateway = ServiceProcess(row_of("gateway"), "gateway", folder / "gateway.log", {"HTTP_PORT": port})
    with pytest.raises(StartFailedError):
        await gateway.start()
    log = gateway.log_path.read_text()
    assert all(
        f"{name}: Field required" in log
        for name in (
            "ACCOUNT_ADDRESS",
            "PRODUCT_ADDRESS",
            "ORDER_ADDRESS",
            "PAYMENT_ADDRESS",
            "RECOMMENDER_ADDRESS",
            "KAFKA_BOOTSTRAP_SERVERS",
        )
    )


async def test_workers_share_a_port_and_end_together(folder: Path) -> None:
    """Two workers answer on one port, their metrics are added up, and SIGTERM ends both in order."""
    async with staged(folder, WORKERS="2") as stage:
        workers = psutil.Process(stage.gateway.pid).children(recursive=True)
        answered = await _answered_over_new_connections(stage.url, 40)
        assert answered > 20
        assert await _counted(stage.url) == answered
        assert len([one for one in workers if "services.gateway" in " ".join(one.cmdline())]) == 2
        await stage.gateway.stop()
        assert await stage.gateway.wait() == 0
        assert not [one for one in workers if one.is_running()]


async def _answered_over_new_connections(url: str, requests: int) -> int:
    """How many of so many requests are answered in full: on a busy machine one may be given up."""
    answered = 0
    for _ in range(requests):
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            response = await http.post("/graphql", json=FAST)
            answered += response.json() == {"data": {"product": [{"id": "mug"}]}}
    return answered


async def _counted(url: str) -> int:
    """How many of them the metrics of both count."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        text = (await http.get("/metrics")).text
    prefix = 'gateway_requests_total{code="OK",operation="query"} '
    return int(float(next(line for line in text.splitlines() if line.startswith(prefix)).removeprefix(prefix)))


async def test_workers_do_not_outlive_their_parent(folder: Path) -> None:
    """When the parent is killed outright its workers end too, and when a worker is, the whole gateway ends."""
    for victim in ("parent", "worker"):
        async with staged(folder / victim, WORKERS="2", TMPDIR=str(folder)) as stage:
            parent = psutil.Process(stage.gateway.pid)
            workers = parent.children(recursive=True)
            (parent if victim == "parent" else workers[0]).send_signal(signal.SIGKILL)
            with contextlib.suppress(psutil.NoSuchProcess):
                await asyncio.to_thread(parent.wait, 40)
            _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 40)
            assert not alive
