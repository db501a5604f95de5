"""What tests of every kind share: real datastores on free ports, started by the first test that asks for them."""

import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from local import cache
from local.datastores import Datastores, Layout
from local.progress import Report


@pytest.fixture(scope="session", autouse=True)
def unhurried(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stops a test's clock (pytest-timeout's) while the cache is filled, and says what a new machine waits for.

    Downloads and builds have deadlines of their own; Kubernetes takes longer than any test may.
    """
    fill, shared = cache._fill, cache.cache_directory()
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", flush=True)  # noqa: T201 to whoever waits

    def patiently(folder: Path, build: Callable[[Path], None], report: Report) -> None:
        if folder.parent == shared:
            tell(f"  {folder.name} is made once and kept in {shared}")
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            fill(folder, build, report)
        finally:
            signal.setitimer(signal.ITIMER_REAL, left)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "_fill", patiently)
        yield


@pytest.fixture(scope="session")
async def datastores() -> AsyncIterator[Datastores]:
    """PostgreSQL, Kafka and Elasticsearch for the whole session; who breaks one mends it before the test ends."""
    with tempfile.TemporaryDirectory(prefix="ecommerce-test-") as folder:
        async with Datastores(Layout.temporary(Path(folder))) as running:
            yield running


@pytest.fixture(scope="session")
def new_database(datastores: Datastores) -> Callable[[str], Awaitable[str]]:
    """Makes an empty database that no other test has and answers its address."""

    async def create(purpose: str) -> str:
        name = f"{purpose}_{uuid4().hex[:8]}"
        await datastores.postgres.create_database(name)
        return datastores.postgres.url(name)

    return create
