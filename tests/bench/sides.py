"""A running platform of one state of the code, as the benchmark sees it: addresses, and the process of each part."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.checkouts import Checkout

# The gateway as everybody runs it, and one beside it, over the same services, that keeps no answers.
GATEWAY: Final = "gateway"
OFF: Final = "gateway-2"
_HOSTING: Final = Path(__file__).with_name("hosting.py")
# Seconds until all serves, and until all has ended; artifacts may have to be fetched.
_START: Final = 900
_STOP: Final = 120


@dataclass(frozen=True)
class Side:
    """One of the platforms that are measured in turn. `parts` are the root processes' ids by name."""

    name: str
    urls: Mapping[str, str]
    parts: Mapping[str, int]
    datastores: frozenset[str]
    administrator: tuple[str, str]

    @property
    def has_cache(self) -> bool:
        """Whether its gateways differ: one keeps answers."""
        return OFF in self.urls

    def behind(self, gateway: str) -> dict[str, int]:
        """Answers the parts that serve a request to that gateway: all but the others beside it."""
        return {name: pid for name, pid in self.parts.items() if name not in self.urls or name == gateway}


@asynccontextmanager
async def running(name: str, checkout: Checkout) -> AsyncIterator[Side]:
    """Runs the platform of a checkout for a while; raises RuntimeError where it does not start."""
    process = await _started(checkout, {OFF: {"RESPONSE_CACHE_BYTES": "0"}} if checkout.has_cache else {})
    try:
        yield await _facts(name, process)
    finally:
        await _ended(process)


async def _started(checkout: Checkout, more: Mapping[str, Mapping[str, str]]) -> Process:
    return await asyncio.create_subprocess_exec(
        checkout.python, "-P", _HOSTING, json.dumps(more),
        cwd=checkout.folder, env={**os.environ, "PYTHONPATH": str(checkout.folder)}, stdin=PIPE, stdout=PIPE,
        # Ctrl-C is for the benchmark, which ends this in its turn.
        start_new_session=True,
    )  # fmt: skip


async def _facts(name: str, process: Process) -> Side:
    if process.stdout is None:
        raise RuntimeError("A process without a pipe.")
    line = await asyncio.wait_for(process.stdout.readline(), _START)
    if not line:
        raise RuntimeError(f"The platform {name} did not start: its own words are above.")
    said = json.loads(line)
    email, password = said["administrator"]
    return Side(name, said["urls"], said["pids"], frozenset(said["datastores"]), (email, password))


async def _ended(process: Process) -> None:
    """Lets go of it and waits; one that does not end is killed, and the kernel then ends what it started."""
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOP)
    except TimeoutError:
        process.kill()
        await process.wait()
