"""Kubernetes objects as the API answers them, as far as health looks at them; times are seconds before NOW."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ecommerce_operator.model import Log, Related

NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
Object = dict[str, Any]


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: str, reason: str = "", message: str = "", seconds: float = 5) -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(seconds),
    }


def made(kind: str, name: str, owner: Object | None = None, seconds: float = 20, **metadata: Any) -> Object:
    owners = [{"controller": True, "uid": owner["metadata"]["uid"]}] if owner else []
    known = {"name": name, "uid": f"{kind}/{name}", "creationTimestamp": ago(seconds), "ownerReferences": owners}
    return {"kind": kind, "metadata": known | metadata}


def deployment(wanted: int = 1, /, generation: int = 2, **status: Any) -> Object:
    found = made("Deployment", "shop-order", generation=generation, annotations={REVISION: "2"})
    selector = {"matchLabels": {"app": "order"}}
    return found | {
        "apiVersion": "apps/v1",
        "spec": {"replicas": wanted, "selector": selector},
        "status": {"observedGeneration": 2} | status,
    }


REVISION: Final = "deployment.kubernetes.io/revision"
DONE: Final = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}


def replica_set(owner: Object, revision: str = "2") -> Object:
    return made("ReplicaSet", f"shop-order-{revision}", owner, annotations={REVISION: revision})


def stateful_set(wanted: int = 1, /, **status: Any) -> Object:
    known = {"observedGeneration": 1, "currentRevision": "a", "updateRevision": "a"}
    return made("StatefulSet", "shop-kafka", generation=1) | {
        "apiVersion": "apps/v1",
        "spec": {"replicas": wanted},
        "status": known | status,
    }


def job(**status: Any) -> Object:
    return made("Job", "shop-order-migrate-1") | {"apiVersion": "batch/v1", "spec": {}, "status": status}


def pod(
    owner: Object | None = None,
    *containers: Object,
    name: str = "pod",
    ready: bool = False,
    placed: Object | None = None,
    phase: str = "Pending",
    seconds: float = 20,
    **metadata: Any,
) -> Object:
    found = made("Pod", name, owner, seconds, **({"labels": {"app": "order"}} | metadata))
    seen = [placed or condition("PodScheduled", "True"), condition("Ready", str(ready), seconds=seconds)]
    return found | {"status": {"phase": phase, "conditions": seen, "containerStatuses": list(containers)}}


def container(
    *, waiting: Object | None = None, ended: Object | None = None, before: Object | None = None, **further: Any
) -> Object:
    state: Object = {"waiting": waiting} if waiting else {"terminated": ended} if ended else {"running": {}}
    last = {"terminated": before} if before else {}
    return {"name": "order", "image": "shop/order:2", "ready": False, "state": state, "lastState": last} | further


def crashed(code: int = 1, seconds: float = 10, **further: Any) -> Object:
    return {"exitCode": code, "reason": "Error", "finishedAt": ago(seconds)} | further


def event(about: Object, reason: str, message: str, seconds: float = 5) -> Object:
    named = {"kind": about["kind"], "name": about["metadata"]["name"], "uid": about["metadata"]["uid"]}
    return {"involvedObject": named, "reason": reason, "message": message, "lastTimestamp": ago(seconds)}


def around(*pods: Object, **further: Any) -> Related:
    return Related(NOW, pods, **further)


def logs(line: str, *, previous: bool = True) -> Mapping[Log, str]:
    return {Log("pod", "order", previous): line}
