"""What controllers and a kubelet would write, for a control plane without them.

It makes Deployments and StatefulSets ready, completes Jobs, gives Ingresses an address and makes the claims of
StatefulSets; a test says which of them it shall leave alone or fail.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ecommerce_operator.api import JSON_PATCH, Api
from ecommerce_operator.errors import ConflictError, NotFoundError, OperatorError
from ecommerce_operator.kinds import CLAIM, DEPLOYMENT, INGRESS, JOB, STATEFUL_SET, Kind
from ecommerce_operator.model import PLATFORM_LABEL


class Kubelet:
    """Works in one namespace until it is cancelled. `holds` are names that it does nothing about."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self.holds: set[str] = set()
        self.fails: set[str] = set()
        self.order: list[str] = []

    async def run(self) -> None:
        """Looks at everything, again and again."""
        while True:
            with suppress(OperatorError):
                await self.run_once()
            await asyncio.sleep(0.1)

    async def run_once(self) -> None:
        """Does what is to be done now."""
        for kind, new in (
            (DEPLOYMENT, _deployment),
            (STATEFUL_SET, _stateful_set),
            (JOB, self._job),
            (INGRESS, _ingress),
        ):
            answer = await self._api.request("GET", kind.path(self._namespace), {"labelSelector": PLATFORM_LABEL})
            for obj in answer["items"]:
                name = obj["metadata"]["name"]
                if any(name.startswith(held) for held in self.holds):
                    continue
                if kind is STATEFUL_SET:
                    await self._claims(obj)
                status = new(obj)
                if status != (obj.get("status") or {}):
                    await self._write(kind, name, status)

    async def break_deployment(self, name: str, reason: str, message: str) -> None:
        """Takes the pods of a Deployment away, says why there are no new ones, and leaves it so."""
        self.holds.add(name)
        found = await self._api.request("GET", DEPLOYMENT.path(self._namespace, name))
        failure = _condition("ReplicaFailure", reason=reason) | {"message": message}
        status = {"observedGeneration": found["metadata"]["generation"], "conditions": [failure]}
        await self._write(DEPLOYMENT, name, status)

    async def _write(self, kind: Kind, name: str, status: Mapping[str, Any]) -> None:
        if name not in self.order:
            self.order.append(name)
        patch = [{"op": "add", "path": "/status", "value": dict(status)}]
        with suppress(NotFoundError, ConflictError):
            path = kind.path(self._namespace, name, "status")
            await self._api.request("PATCH", path, {}, patch, content=JSON_PATCH)

    async def _claims(self, obj: Mapping[str, Any]) -> None:
        for template in obj["spec"].get("volumeClaimTemplates") or ():
            for number in range(obj["spec"]["replicas"]):
                name = f"{template['metadata']['name']}-{obj['metadata']['name']}-{number}"
                labels = {**(template["metadata"].get("labels") or {}), **obj["spec"]["selector"]["matchLabels"]}
                body = {"metadata": {"name": name, "labels": labels}, "spec": template["spec"]}
                with suppress(ConflictError):
                    await self._api.request("POST", CLAIM.path(self._namespace), {}, body)

    def _job(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        name = obj["metadata"]["name"]
        if (obj.get("status") or {}).get("conditions"):
            done: dict[str, Any] = obj["status"]
            return done
        now = _now()
        if any(name.startswith(failing) for failing in self.fails):
            return {
                "startTime": now,
                "failed": 1,
                "conditions": [
                    _condition("FailureTarget", reason="BackoffLimitExceeded", at=now),
                    _condition("Failed", reason="BackoffLimitExceeded", at=now),
                ],
            }
        return {
            "startTime": now,
            "completionTime": now,
            "succeeded": 1,
            "conditions": [_condition("SuccessCriteriaMet", at=now), _condition("Complete", at=now)],
        }


def _deployment(obj: Mapping[str, Any]) -> dict[str, Any]:
    replicas, known = obj["spec"]["replicas"], obj.get("status") or {}
    if known.get("observedGeneration") == obj["metadata"]["generation"]:
        return dict(known)
    return {
        "observedGeneration": obj["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "conditions": [_condition("Available"), _condition("Progressing", reason="NewReplicaSetAvailable")],
    }


def _stateful_set(obj: Mapping[str, Any]) -> dict[str, Any]:
    replicas, known = obj["spec"]["replicas"], obj.get("status") or {}
    if known.get("observedGeneration") == obj["metadata"]["generation"]:
        return dict(known)
    return {
        "observedGeneration": obj["metadata"]["generation"],
        "replicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "currentReplicas": replicas,
        "updatedReplicas": replicas,
        "currentRevision": "one",
        "updateRevision": "one",
    }


def _ingress(_: Mapping[str, Any]) -> dict[str, Any]:
    return {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}


def _condition(name: str, *, reason: str = "", at: str = "") -> dict[str, Any]:
    at = at or _now()
    return {"type": name, "status": "True", "reason": reason, "lastTransitionTime": at}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
