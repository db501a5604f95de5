"""What every HTTP address answers alike: probes, and JSON that nobody keeps."""

from collections.abc import AsyncIterator, Collection
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from services import web
from services.serving import Drain


class _Readiness:
    """Lacks what it was told to, and can do without the card reader."""

    def __init__(self) -> None:
        self.lacks: list[str] = []
        self.asked = 0

    async def missing(self) -> list[str]:
        self.asked += 1
        return self.lacks

    def is_ready(self, missing: Collection[str]) -> bool:
        return not set(missing) - {"card reader"}


@pytest.fixture
def readiness() -> _Readiness:
    return _Readiness()


@pytest.fixture
def drain() -> Drain:
    return Drain()


@pytest.fixture
async def http(readiness: _Readiness, drain: Drain) -> AsyncIterator[httpx.AsyncClient]:
    app = Litestar([web.healthz, web.readyz(readiness, drain)], openapi_config=None, logging_config=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(cast("Any", app)), base_url="http://shop") as client:
        yield client


@pytest.mark.parametrize(
    ("lacks", "status", "told"),
    [
        ([], 200, "ready"),
        (["card reader"], 200, "ready"),
        (["database"], 503, "not ready"),
        (["card reader", "database"], 503, "not ready"),
    ],
)
async def test_readiness_names_what_is_missing(
    http: httpx.AsyncClient, readiness: _Readiness, lacks: list[str], status: int, told: str
) -> None:
    """Named in every case; 503 only for what requests cannot be served without."""
    readiness.lacks = lacks
    response = await http.get("/readyz")
    assert (response.status_code, response.json()) == (status, {"status": told, "missing": lacks})


async def test_a_process_that_stops_is_alive_and_not_ready(
    http: httpx.AsyncClient, readiness: _Readiness, drain: Drain
) -> None:
    """It says so at once, and asks nobody for it."""
    drain.started = True
    response = await http.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "stopping", "missing": []})
    assert readiness.asked == 0
    assert (await http.get("/healthz")).status_code == 200


async def test_probes_are_never_kept(http: httpx.AsyncClient) -> None:
    """An answer of a moment ago says nothing, so no cache holds one; nor is it taken for another type."""
    for path in ("/healthz", "/readyz"):
        headers = (await http.get(path)).headers
        assert (headers["cache-control"], headers["content-type"]) == ("no-store", "application/json")
        assert headers["x-content-type-options"] == "nosniff"


def test_an_answer_says_for_itself_how_long_it_is_kept() -> None:
    """Headers that are given win; the others stay."""
    answer = web.json_answer({}, headers={"Cache-Control": "public, max-age=300"})
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers.keys() >= web.SECURITY_HEADERS.keys()
