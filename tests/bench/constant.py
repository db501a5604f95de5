"""An HTTP server that reads each request and answers the same bytes: what any answer costs on the gateway's server.

    python -m tests.bench.constant PORT FILE

It is `services.serving`'s server with its settings, in a process of its own, as the gateway is.
"""

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from litestar.types import ASGIApp, Receive, Scope, Send

from local.launching import Command
from local.ports import free_ports
from local.probes import http_answers
from local.processes import Process
from services import runtime
from services.body import receive_body
from services.serving import Drain, HttpServer, HttpSettings
from tests.bench.checkouts import HERE

_LARGEST: Final = 2**20


def answering(body: bytes) -> ASGIApp:
    """Answers an application that reads a request to its end and answers `body`."""
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
    }
    rest = {"type": "http.response.body", "body": body}

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive_body(None, receive, _LARGEST)
        await send(cast("Any", start))
        await send(cast("Any", rest))

    return app


class ConstantServer(Process, AbstractAsyncContextManager["ConstantServer"]):
    """The server as a child process, on a free port, with its log and its bytes in `folder`."""

    def __init__(self, folder: Path, body: bytes) -> None:
        super().__init__("constant bytes", folder / "constant.log")
        self._file = folder / "constant.body"
        self._file.write_bytes(body)
        self.port = free_ports([self.name])[self.name]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/graphql"

    def command(self) -> Command:
        """Answers how it is started."""
        argv = [sys.executable, "-m", "tests.bench.constant", str(self.port), str(self._file)]
        return Command(argv, ports={self.name: self.port}, directory=HERE)

    async def ready(self) -> bool:
        """Tells whether it answers."""
        return await http_answers(self.port, "/graphql")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def _serve(port: int, body: bytes) -> None:
    settings = HttpSettings("127.0.0.1", port, leave_seconds=0)
    await runtime.serve(HttpServer(answering(body), settings, Drain()))


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2]).read_bytes()))
