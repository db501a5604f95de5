"""What the operator does to the cluster: apply, read, delete, and tell.

Applying is server-side, with a field manager of our own and by force: the fields that a chart sets are ours, whatever
else is in an object is left to others. The API server writes nothing when nothing differs.
"""

from collections.abc import Mapping
from typing import Any, Final

from ecommerce_operator.api import APPLY, JSON, JSON_PATCH, MERGE, Api
from ecommerce_operator.errors import NotFoundError, RefusedError
from ecommerce_operator.kinds import DEPLOYMENT, EVENT, PLATFORM, POD, Key, Kind
from ecommerce_operator.model import Log
from ecommerce_operator.store import FIELD_MANAGER, Seen, Store

HANDOVER_MANAGER: Final = f"{FIELD_MANAGER}-handover"
LOG_BYTES: Final = "4096"
# The last warnings of a namespace; more are of no use for one sentence.
EVENTS: Final = "200"


class Cluster:
    """The API server's verbs, for objects as plain dicts; what is written is put into `store` at once."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api = api
        self._store = store

    async def apply(self, key: Key, manifest: Mapping[str, Any]) -> Seen:
        """Makes the object's fields be as in the manifest; answers the object as it is now."""
        answer = await self._apply(key, manifest, FIELD_MANAGER)
        seen = Seen.of(key.kind, answer)
        self._store.put(seen, quietly=True)
        return seen

    async def hand_over_replicas(self, key: Key) -> None:
        """Keeps a Deployment's number of replicas before a manifest without it is applied.

        Giving up the field would set it to its default, one pod, until an autoscaler has had its turn.
        """
        live = await self.get(key) if key.kind is DEPLOYMENT else None
        replicas = live and live["spec"].get("replicas")
        if replicas and any(_owns_replicas(entry) for entry in (live or {})["metadata"].get("managedFields") or ()):
            manifest = {
                "apiVersion": key.kind.api_version,
                "kind": key.kind.name,
                "metadata": {"name": key.name, "namespace": key.namespace},
                "spec": {"replicas": replicas},
            }
            await self._apply(key, manifest, HANDOVER_MANAGER)

    async def create(self, key: Key, manifest: Mapping[str, Any]) -> Seen:
        """Makes a new object; raises ConflictError when there is one of that name."""
        query = {"fieldManager": FIELD_MANAGER}
        answer = await self._api.request("POST", key.kind.path(key.namespace), query, dict(manifest))
        seen = Seen.of(key.kind, answer)
        self._store.put(seen, quietly=True)
        return seen

    async def get(self, key: Key) -> dict[str, Any] | None:
        """Answers the object; None where there is none."""
        try:
            answer: dict[str, Any] = await self._api.request("GET", key.kind.path(key.namespace, key.name))
        except NotFoundError:
            return None
        return answer

    async def delete(self, seen: Seen, *, orphan: bool = False) -> None:
        """Asks for the end of exactly this object, and in the background of what it owns, or not (`orphan`)."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": seen.uid},
            "propagationPolicy": "Orphan" if orphan else "Background",
        }
        try:
            await self._api.request("DELETE", seen.key.kind.path(seen.key.namespace, seen.key.name), body=body)
        except NotFoundError:
            return

    async def grow_claim(self, seen: Seen, size: str) -> None:
        """Asks for a larger volume."""
        body = {"spec": {"resources": {"requests": {"storage": size}}}}
        path = seen.key.kind.path(seen.key.namespace, seen.key.name)
        await self._api.request("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, content=MERGE)

    async def set_finalizers(self, body: Mapping[str, Any], finalizers: list[str]) -> dict[str, Any]:
        """Sets a platform's finalizers; raises ConflictError when the resource is not the one that was seen."""
        meta = body["metadata"]
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": meta["resourceVersion"]}}
        path = PLATFORM.path(meta["namespace"], meta["name"])
        query = {"fieldManager": FIELD_MANAGER}
        answer: dict[str, Any] = await self._api.request("PATCH", path, query, patch, content=MERGE)
        return answer

    async def set_status(self, body: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces a platform's whole status; answers the resource as it is now."""
        meta = body["metadata"]
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": meta["uid"]},
            {"op": "add", "path": "/status", "value": dict(status)},
        ]
        path = PLATFORM.path(meta["namespace"], meta["name"], "status")
        query = {"fieldManager": FIELD_MANAGER}
        answer: dict[str, Any] = await self._api.request("PATCH", path, query, patch, content=JSON_PATCH)
        return answer

    async def last_line(self, namespace: str, log: Log) -> str:
        """Answers the last line that a container wrote; empty when it cannot be read."""
        query = {"container": log.container, "tailLines": "5", "limitBytes": LOG_BYTES}
        query |= {"previous": "true"} if log.previous else {}
        try:
            path = POD.path(namespace, log.pod, "log")
            answer = await self._api.request("GET", path, query, accept="text/plain, */*")
        except RefusedError:
            return ""
        lines = [line.strip() for line in str(answer).splitlines() if line.strip()]
        return lines[-1] if lines else ""

    async def warnings(self, namespace: str) -> list[dict[str, Any]]:
        """Answers the namespace's latest warning events."""
        query = {"fieldSelector": "type=Warning", "limit": EVENTS}
        answer = await self._api.request("GET", EVENT.path(namespace), query)
        items: list[dict[str, Any]] = answer.get("items") or []
        return items

    async def post_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        """Tells something in the resource's events."""
        await self._api.request("POST", EVENT.path(namespace), {}, dict(event))

    async def served(self, kind: Kind) -> bool:
        """Answers whether the API server knows a kind."""
        try:
            answer = await self._api.request("GET", f"/apis/{kind.api_version}", accept=JSON)
        except NotFoundError:
            return False
        return any(resource["name"] == kind.plural for resource in answer.get("resources") or ())

    async def _apply(self, key: Key, manifest: Mapping[str, Any], manager: str) -> Any:
        query = {"fieldManager": manager, "force": "true"}
        return await self._api.request(
            "PATCH", key.kind.path(key.namespace, key.name), query, dict(manifest), content=APPLY
        )


def _owns_replicas(entry: Mapping[str, Any]) -> bool:
    fields = entry.get("fieldsV1") or {}
    return entry.get("manager") == FIELD_MANAGER and "f:replicas" in (fields.get("f:spec") or {})
