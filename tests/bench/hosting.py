"""Runs the platform of whatever checkout it is started for, until its stdin is closed.

    python -P …/hosting.py '{"gateway-2": {"RESPONSE_CACHE_BYTES": "0"}}'    (PYTHONPATH: the checkout)

It is a program of its own so that one benchmark can measure two states of the code at once: it imports nothing but
`local`, of which every state has its own. The argument names gateways beside the first one and what only they are
given. Once all serves, one line of JSON says where, and which process is which part. Who started it holds its stdin:
when that ends, in whatever way, so does the platform.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

from local.platform import Platform
from local.topology import INSTANCES

Gateways = Mapping[str, Mapping[str, str]]


async def host(more: Gateways) -> None:
    """Runs it until it is released; raises what keeps it from starting."""
    released = asyncio.create_task(_released())
    serving = asyncio.create_task(_serve(more))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, released.cancel)
    await asyncio.wait({released, serving}, return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def _serve(more: Gateways) -> None:
    async with Platform(instances=(*INSTANCES, *more), overrides=more) as platform:
        ports = platform.layout.ports
        facts = {
            "urls": {name: f"http://127.0.0.1:{ports[name]}/graphql" for name in ("gateway", *more)},
            "pids": {process.name: process.pid for process in platform.processes},
            "datastores": [process.name for process in platform.datastores.all],
            "administrator": [platform.administrator_email, platform.administrator_password],
        }
        print(json.dumps(facts), flush=True)
        await asyncio.Event().wait()


async def _released() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    asyncio.run(host(json.loads(sys.argv[1])))
