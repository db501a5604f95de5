"""One cluster and one installed platform for all of e2e; faults that need a platform of their own make a small one.

The cluster is that of `make e2e KUBECONFIG=…`, or this host's own (kind or node): found running and left so, or started
here and removed at the end. Everything in it happens in namespaces that begin with `e2e-`, which are removed.
"""

import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local.progress import to_terminal as say
from local.up import images, installing, preflight
from local.up.clusters import Cluster, chosen
from local.up.programs import Helm, Kubectl, program
from tests.e2e.clusters import Stage, diagnosis, until
from tests.e2e.platforms import Entrance, Platform

# Files in the order in which they should run: what changes little comes first, what breaks the whole cluster last.
ORDER = (
    *("install", "refusal", "idle", "recommender", "drift", "pause", "update"),
    *("payment", "pods", "side_by_side", "brief", "node", "deletion"),
)
_STAGE = pytest.StashKey[Stage]()
_FAILED = pytest.StashKey[bool]()
_NAMESPACES = ("e2e-shop", "e2e-twin", "e2e-brief")
_TWO = {"replicas": 2}
# Two pods of each service: one may be killed without anybody noticing.
# A model is tried as often as a test is willing to wait for one.
SHOP = {
    "services": dict.fromkeys(("account", "product", "order", "payment", "recommender", "gateway"), _TWO),
    "recommender": {"training": {"everySeconds": 20}},
}


@pytest.hookimpl(trylast=True)  # when those that are not to run have gone
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files in order, and gives each test the time that clusters take; the first builds images, too."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    for item in here:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(ORDER)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))
    if here:
        next(item for item in items if item in here).add_marker(pytest.mark.timeout(1_800), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds to a failed test what could be seen in the cluster at that moment."""
    report: pytest.TestReport = yield  # type: ignore[assignment]  # the hook's result, which pytest does not type
    stage = item.config.stash.get(_STAGE, None)
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    if report.failed and stage is not None:
        report.sections.append(("cluster", diagnosis(stage.kubectl, _NAMESPACES)))
    return report  # type: ignore[return-value]  # as above


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster; removed at the end if it was started here."""
    given = os.environ.get("E2E_KUBECONFIG")
    found = chosen(Path(given).absolute() if given else None)
    preflight.check(found, os.environ.get("E2E_REGISTRY", ""))
    was_there = found.where() is not None
    yield found
    if found.ours and not was_there and not os.environ.get("E2E_KEEP"):
        found.remove(say)


@pytest.fixture(scope="session")
def stage(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The cluster with the images and the operator in it, by the very steps of `make up`."""
    registry = os.environ.get("E2E_REGISTRY", "")
    with _timed("images"):
        built = images.build(cluster, registry, say)
    with _timed("cluster"):
        where = cluster.start(say)
        kubectl = Kubectl(program("kubectl", say), where.kubeconfig)
        cluster.prepare(kubectl, say)
    ready = Stage(cluster, where, kubectl)
    request.config.stash[_STAGE] = ready
    with _timed("images into the cluster"):
        images.deliver(cluster, built, say)
    with _timed("operator"):
        installing.install_operator(
            Helm(program("helm", say), kubectl), kubectl, images.operator_values(built, registry)
        )
    yield ready
    if os.environ.get("E2E_KEEP"):  # for who works on these tests: the next run finds everything as it is
        return
    for namespace in _NAMESPACES:  # platforms first: their finalizers need the operator
        kubectl("delete", "ecp", "--all", "--namespace", namespace, "--ignore-not-found", timeout=300)
        kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout=300)


@pytest.fixture(autouse=True)
async def mended(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Closes what a test opened; after one that failed, puts the shared platform back as it should be."""
    yield
    await Entrance.close_all()
    failed = request.node.stash.get(_FAILED, False)
    if failed and "shop" in request.fixturenames:
        shop: Platform = request.getfixturevalue("shop")
        await shop.apply()
        await shop.mend()
        await shop.ready()


@pytest.fixture(scope="session")
async def shop(stage: Stage) -> Platform:
    """The platform that most tests share; who breaks it mends it before the test ends."""
    shop = Platform(stage, "shop", "e2e-shop", SHOP)
    with _timed("the shared platform"):
        await shop.apply()
        await shop.ready()
        await answers(shop)
    return shop


async def answers(platform: Platform) -> None:
    """Waits until the ingress controller has learned of a platform: GraphQL answers through it."""
    ask = platform.gateway()

    async def look() -> bool:
        response = await ask.post("{ __typename }")
        return response.status_code == 200

    await until(look, within=60, what=f"GraphQL of {platform.name} answers through the ingress")


class _timed:  # noqa: N801 (reads as a statement where it is used)
    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        say(f"[e2e] {self._what}: {time.monotonic() - self._began:.0f} s")
