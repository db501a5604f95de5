"""The HTTP address beside webhooks: a provider's pages are held to limits, and errors are told without detail."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar, Request, Router, post
from litestar.params import FromPath

from services.errors import ConflictError
from services.payment import web
from services.payment.provider import ProviderUnavailableError
from services.payment.web import LONGEST_FORM, create_app
from services.payment.webhook import Webhooks
from services.serving import Drain

FORM = {"content-type": "application/x-www-form-urlencoded"}


@post("/echo")
async def _echo(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in (await request.form()).items()}


@post("/fail/{how:str}")
async def _fail(how: FromPath[str]) -> None:
    faults = {
        "provider": ProviderUnavailableError("The provider does not answer."),
        "conflict": ConflictError("It is paid already."),
    }
    raise faults.get(how, RuntimeError("secret detail"))


async def nothing_missing() -> list[str]:
    return []


@pytest.fixture
def app() -> Litestar:
    pages = [Router("/pages", route_handlers=[_echo, _fail])]
    return create_app(cast("Webhooks", None), pages, missing=nothing_missing, drain=Drain())


@pytest.fixture
async def http(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(cast("Any", app))
    async with httpx.AsyncClient(transport=transport, base_url="http://payment") as client:
        yield client


async def test_a_page_reads_its_form(http: httpx.AsyncClient) -> None:
    """A form of ordinary size reaches its page."""
    assert (await http.post("/pages/echo", data={"button": "pay"})).json() == {"button": "pay"}


async def test_a_form_has_a_bound(http: httpx.AsyncClient) -> None:
    """A form that is larger than any of ours is refused, whether its length was said or not."""

    async def unsaid() -> AsyncIterator[bytes]:
        for _ in range(LONGEST_FORM // 1_000 + 1):
            yield b"x" * 1_000

    assert (await http.post("/pages/echo", content=b"x" * (LONGEST_FORM + 1), headers=FORM)).status_code == 413
    assert (await http.post("/pages/echo", content=unsaid(), headers=FORM)).status_code == 413


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ("provider", 503, "The provider does not answer."),
        ("conflict", 409, "It is paid already."),
        ("else", 500, "Something went wrong here. Try again later."),
    ],
)
async def test_errors_of_a_page(http: httpx.AsyncClient, how: str, status: int, told: str) -> None:
    """What a page raises becomes its status and a sentence; a fault of ours shows nothing."""
    response = await http.post(f"/pages/fail/{how}")
    assert (response.status_code, response.json()) == (status, {"error": told})
    assert ("retry-after" in response.headers) == (status == 503)


async def test_a_form_that_stops_coming(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who falls silent inside a form holds a page no longer than its time."""
    monkeypatch.setattr(web, "PAGE_SECONDS", 0.05)
    assert await _status_of(app, [{"type": "http.request", "body": b"button=", "more_body": True}]) == 503


async def test_a_form_whose_sender_goes_away(app: Litestar) -> None:
    """Nobody is there to be told, and it is no fault of ours."""
    first = {"type": "http.request", "body": b"button=", "more_body": True}
    assert await _status_of(app, [first, {"type": "http.disconnect"}]) in (None, 400)


async def _status_of(app: Litestar, messages: list[dict[str, Any]]) -> int | None:
    """The status that is answered to a form which arrives in these messages, and then no more."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else await asyncio.get_running_loop().create_future()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/pages/echo",
        "raw_path": b"/pages/echo",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("payment", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in FORM.items()],
    }
    await cast("Any", app)(scope, receive, send)
    return sent[0]["status"] if sent else None
