"""What tests of the operator do to a cluster, and what they wait for."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from ecommerce_operator.api import APPLY, JSON_PATCH, MERGE, Api
from ecommerce_operator.errors import NotFoundError
from ecommerce_operator.kinds import KINDS, PLATFORM, Kind

T = TypeVar("T")

WITHIN = 60.0  # seconds; on two cores under load everything takes its time
NAMESPACE = Kind("v1", "Namespace", "namespaces")
EVENTS = Kind("v1", "Event", "events")
BY_NAME = {kind.name: kind for kind in KINDS} | {"Event": EVENTS}


async def until(what: str, look: Callable[[], Awaitable[T | None]], within: float = WITHIN) -> T:
    """Answers the first true answer of `look`; fails with the last one when the time is over."""
    answer: Any = None
    try:
        async with asyncio.timeout(within):
            while not (answer := await look()):  # noqa: ASYNC110 (what is awaited is another process)
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {within:.0f} s: {what}; last seen: {answer!r}") from None
    return answer


class World:
    """A namespace of a cluster, seen by its administrator."""

    def __init__(self, api: Api, namespace: str, name: str = "shop") -> None:
        self.api = api
        self.namespace = namespace
        self.name = name

    async def apply(self, spec: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Applies the platform, as `kubectl apply` does."""
        body = {
            "apiVersion": PLATFORM.api_version,
            "kind": PLATFORM.name,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": dict(spec or {}),
        }
        query = {"fieldManager": "tests", "force": "true"}
        path = PLATFORM.path(self.namespace, self.name)
        answer: dict[str, Any] = await self.api.request("PATCH", path, query, body, content=APPLY)
        return answer

    async def platform(self) -> dict[str, Any] | None:
        """Answers the platform; None when it is gone."""
        return await self._or_none(PLATFORM.path(self.namespace, self.name))

    async def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """Answers an object; None when there is none."""
        return await self._or_none(BY_NAME[kind].path(self.namespace, name))

    async def list(self, kind: str) -> list[dict[str, Any]]:
        """Answers all objects of a kind."""
        answer = await self.api.request("GET", BY_NAME[kind].path(self.namespace))
        items: list[dict[str, Any]] = answer["items"]
        return items

    async def names(self, kind: str) -> set[str]:
        """Answers their names."""
        return {one["metadata"]["name"] for one in await self.list(kind)}

    async def patch(self, kind: str, name: str, body: object, subresource: str = "") -> dict[str, Any]:
        """Changes an object as somebody with kubectl would."""
        content = JSON_PATCH if isinstance(body, list) else MERGE
        path = BY_NAME[kind].path(self.namespace, name, subresource)
        answer: dict[str, Any] = await self.api.request("PATCH", path, {}, body, content=content)
        return answer

    async def delete(self, kind: str, name: str) -> None:
        """Deletes an object, as kubectl does: what it owns follows in the background."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        await self.api.request("DELETE", BY_NAME[kind].path(self.namespace, name), body=body)

    async def delete_platform(self) -> None:
        """Deletes the platform."""
        await self.api.request("DELETE", PLATFORM.path(self.namespace, self.name))

    async def create(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Makes an object."""
        answer: dict[str, Any] = await self.api.request("POST", BY_NAME[kind].path(self.namespace), {}, dict(body))
        return answer

    async def ready(self, generation: int = 0, within: float = WITHIN) -> dict[str, Any]:
        """Waits until the platform is ready, and observed at least at that generation; answers its status."""

        async def look() -> dict[str, Any] | None:
            status = await self.status()
            fresh = status.get("observedGeneration", 0) >= generation
            return status if fresh and condition(status, "Ready") == "True" else None

        try:
            return await until("ready", look, within)
        except AssertionError:
            raise AssertionError(f"not ready: {json.dumps(await self.status())}") from None

    async def status(self) -> dict[str, Any]:
        """Answers the platform's status."""
        platform = await self.platform()
        status: dict[str, Any] = (platform or {}).get("status") or {}
        return status

    async def component(self, name: str) -> dict[str, Any]:
        """Answers a component's line in the status."""
        lines = (await self.status()).get("components") or ()
        return next((line for line in lines if line["name"] == name), {})

    async def everything(self) -> set[str]:
        """Answers the kind and name of all objects that carry the platform's label, except pods and their like."""
        found = set()
        for kind in KINDS:
            if kind.applied and not kind.optional:
                query = {"labelSelector": f"ecommerce.dev/platform={self.name}"}
                answer = await self.api.request("GET", kind.path(self.namespace), query)
                found |= {f"{kind.name}/{one['metadata']['name']}" for one in answer["items"]}
        return found

    async def _or_none(self, path: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = await self.api.request("GET", path)
        except NotFoundError:
            return None
        return answer


def condition(status: Mapping[str, Any], name: str) -> str:
    """Answers a condition's status; empty where there is none."""
    found = (one["status"] for one in status.get("conditions") or () if one["type"] == name)
    return next(found, "")
