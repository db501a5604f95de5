"""Claims about a platform that ends before it has begun."""

import asyncio
from time import monotonic

from tests.e2e.clusters import Stage, until
from tests.e2e.platforms import Platform
from tests.e2e.test_side_by_side import _nothing_left


async def test_deleted_while_installing(stage: Stage) -> None:
    """Deleted in the midst of its start, nothing of it is left, and nothing of it comes back."""
    brief = Platform(stage, "brief", "e2e-brief", {"deletionPolicy": "Delete"})
    await brief.apply()

    async def begun() -> bool:
        return bool(await brief.objects("statefulsets"))

    await until(begun, within=60, what="its first StatefulSet is there")
    took = await brief.delete()
    print(f"\ngone after {took:.0f} s")
    await _nothing_left(stage, brief)


async def test_its_namespace_deleted(stage: Stage) -> None:
    """A namespace that is deleted takes the platform with it: the operator neither holds it nor makes anything anew."""
    brief = Platform(stage, "brief", "e2e-brief", {})
    await brief.apply()

    async def begun() -> bool:
        return bool(await brief.objects("pods"))

    await until(begun, within=90, what="its first pod is there")
    await asyncio.sleep(5)
    began = monotonic()
    await stage.run("delete", "namespace", brief.namespace, "--wait=false")

    async def gone() -> bool:
        return not await stage.get("default", "namespace", brief.namespace)

    await until(gone, within=180, what="the namespace is gone")
    print(f"\nthe namespace is gone after {monotonic() - began:.0f} s")
