"""Two small HTTP faces: /healthz, which says whether the operator really works, and /metrics.

An answer alone proves that the event loop turns. Beyond that /healthz fails when a watch shows no sign of life, when a
pass does not end, or when the canary (see `canary`) says that kopf does not deliver any more: then only a restart
helps. An API server that is away fails none of them, because a restart would not bring it back.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Trouble = Callable[[], list[str]]


async def serve(host: str, port: int, path: str, answer: Callable[[], web.Response], stack: AsyncExitStack) -> int:
    """Serves one path until the stack is left; answers the port, which was chosen if 0 was asked for."""

    async def handle(_: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.router.add_get(path, handle)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, host, port).start()
    bound: int = runner.addresses[0][1]
    return bound


def metrics(registry: CollectorRegistry) -> Callable[[], web.Response]:
    """Answers what makes a response of all metrics."""
    return lambda: web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def health(*troubles: Trouble) -> Callable[[], web.Response]:
    """Answers what makes a response of all troubles: 200 without any, 503 with their list."""

    def answer() -> web.Response:
        found = [text for trouble in troubles for text in trouble()]
        return web.json_response({"trouble": found}, status=503 if found else 200)

    return answer
