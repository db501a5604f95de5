"""A provider's server on a leash: it counts what it is asked, and fails, lingers or talks nonsense when told to."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar import Litestar, asgi
from litestar.types import HTTPScope, Receive, Scope, Send

from local.ports import free_ports
from services.body import receive_body
from services.serving import Drain, HttpServer, HttpSettings

_MOST: Final = 1_000_000


@dataclass(frozen=True)
class Asked:
    """A request: its method, path and headers, its query, and its body as JSON or as a form."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]

    @property
    def idempotency_key(self) -> str:
        return self.headers.get("idempotency-key", "")


@dataclass
class Answer:
    status: int
    body: Any


Handler = Callable[[Asked], Answer]


@dataclass
class Leash:
    """What the server is told to do, until it is told otherwise.

    `holds` names a path's beginning: requests there are carried out, and their answers wait until `let_go`.
    """

    status: int = 0  # answered in place of anything, where it is not 0
    garbage: bytes = b""  # likewise
    slow_seconds: float = 0
    holds: str = ""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self, path: str) -> None:
        """Holds the next answers of a path; `held` is set as soon as there is one."""
        self.holds = path
        self.held.clear()
        self.let_go.clear()

    def loosen(self) -> None:
        """Lets everything go its way again."""
        self.status, self.garbage, self.slow_seconds, self.holds = 0, b"", 0, ""
        self.let_go.set()


class ProviderServer:
    """Answers through `handler`; `asked` is everything that came, `counts` how often which "METHOD /path"."""

    def __init__(self, handler: Handler) -> None:
        self.leash = Leash()
        self.asked: list[Asked] = []
        self.port = free_ports(("provider",))["provider"]
        self._handler = handler

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def counts(self) -> Counter[str]:
        return Counter(f"{each.method} {each.path}" for each in self.asked)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        drain = Drain()
        app = Litestar([asgi("/", is_mount=True, copy_scope=False)(self._serve)], openapi_config=None)
        server = HttpServer(app, HttpSettings("127.0.0.1", self.port, leave_seconds=0, finish_seconds=1), drain)
        await server.start()
        try:
            yield
        finally:
            self.leash.loosen()
            await server.stop()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = await _read(scope, receive)  # type: ignore[arg-type] # only HTTP comes here
        self.asked.append(asked)
        await self._answer(asked)(send)

    def _answer(self, asked: Asked) -> Callable[[Send], Awaitable[None]]:
        async def answer(send: Send) -> None:
            leash = self.leash
            await asyncio.sleep(leash.slow_seconds)
            if leash.garbage:
                await _send(send, 200, leash.garbage)
                return
            if leash.status:
                await _send(send, leash.status, b'{"message": "told to fail", "error": {"message": "told to fail"}}')
                return
            given = self._handler(asked)
            if leash.holds and asked.path.startswith(leash.holds):
                leash.held.set()
                await leash.let_go.wait()
            await _send(send, given.status, json.dumps(given.body).encode())

        return answer


async def _read(scope: HTTPScope, receive: Receive) -> Asked:
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    raw = bytes(await receive_body(None, receive, _MOST))
    if headers.get("content-type", "").startswith("application/json"):
        body = json.loads(raw or b"{}")
    else:
        body = dict(parse_qsl(raw.decode()))
    query = dict(parse_qsl(scope["query_string"].decode()))
    # Litestar takes the slash from the beginning of a mounted path to its end.
    path = "/" + scope["path"].strip("/")
    return Asked(scope["method"], path, headers, query, body)


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
