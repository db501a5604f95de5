"""A gateway process over scripted services, and one over the real services on real datastores."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from local.datastores import Datastores
from local.platform import Platform
from local.topology import NAMES
from tests.integration.gateway.stage import Stage, staged


@pytest.fixture(scope="package")
async def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A stage for tests that leave it as it was."""
    async with staged(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture
def stage(shared_stage: Stage) -> Stage:
    """The shared stage with its counts at zero."""
    shared_stage.script.calls.clear()
    shared_stage.script.callers.clear()
    return shared_stage


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the stage's gateway."""
    async with httpx.AsyncClient(base_url=stage.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="package")
async def platform(datastores: Datastores) -> AsyncIterator[Platform]:
    """Every service, with a second gateway, and no trainer; over plain HTTP, so its cookies are not for TLS only."""
    overrides = {"gateway": {"COOKIE_SECURE": "false"}}
    async with Platform(instances=(*NAMES, "gateway-2"), datastores=datastores, overrides=overrides) as running:
        yield running


@pytest.fixture
async def shop(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the platform's gateway that keeps cookies, as a browser does."""
    base = platform.graphql_url.removesuffix("/graphql")
    async with httpx.AsyncClient(base_url=base, timeout=30) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test's own process logs."""
    return tmp_path
