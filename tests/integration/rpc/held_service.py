"""A service as a process of its own, whose calls wait until it reads a line: what the drain is tried on.

It prints its port, then "begun" for every call that reached the handler. Run as a module.
"""

import asyncio
import sys

from protos.gen.ecommerce.product.v1 import GetProductRequest, GetProductResponse
from services import runtime
from services.rpc import Server, ServerSettings
from tests.integration.rpc.conftest import Catalogue, echo


class _Announcing:
    """The server, telling its port once it listens."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def start(self) -> None:
        await self._server.start()
        print(self._server.port, flush=True)  # noqa: T201 # read by the test

    async def stop(self) -> None:
        await self._server.stop()


async def main() -> None:
    """Serves until SIGTERM."""
    released = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, released.set)

    async def hold(request: GetProductRequest) -> GetProductResponse:
        print("begun", flush=True)  # noqa: T201 # read by the test
        await released.wait()
        return await echo(request)

    settings = ServerSettings("127.0.0.1", 0, drain_seconds=float(sys.argv[1]))
    await runtime.serve(_Announcing(Server(settings, Catalogue(hold), verifier=None)))


if __name__ == "__main__":
    asyncio.run(main())
