"""Stripe's own stand-in for its API: it holds requests to the published description, and keeps nothing.

It is built from its Go module into the cache outside the checkout, once for each version.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from local.cache import cache_directory, obtain
from local.kubernetes import golang
from local.launching import Command
from local.ports import free_ports
from local.processes import Process
from local.progress import silent

_MODULE: Final = Path(__file__).parent


class StripeMock(Process):
    """The server on loopback."""

    ready_within = 30

    def __init__(self, program: Path, log: Path, port: int) -> None:
        super().__init__("stripe-mock", log)
        self._program = program
        self._port = port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def command(self) -> Command:
        return Command([str(self._program), "-http-addr", f"127.0.0.1:{self._port}"], ports={"Stripe": self._port})

    async def ready(self) -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.close()
        return True


@asynccontextmanager
async def stripe_mock(logs: Path) -> AsyncIterator[StripeMock]:
    """Answers the running server."""
    server = StripeMock(_program(), logs / "stripe-mock.log", free_ports(("Stripe",))["Stripe"])
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def _program() -> Path:
    digest = hashlib.sha256(b"".join((_MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))).hexdigest()[:8]
    key = f"stripe-mock-{digest}"
    if not (cache_directory() / key).is_dir():
        golang.require_go()

    def build(into: Path) -> None:
        golang.build("github.com/stripe/stripe-mock", into / "stripe-mock", {}, silent, _MODULE)

    return obtain(key, build, silent) / "stripe-mock"
