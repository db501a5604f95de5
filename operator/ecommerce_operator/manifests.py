"""What a chart rendered becomes what is applied: checked, labelled, owned, and sorted by phase."""

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ecommerce_operator.errors import RenderError
from ecommerce_operator.kinds import CLAIM, JOB, Key, Phase, kind_of
from ecommerce_operator.model import COMPONENT_LABEL, GROUP, KIND, PLATFORM_LABEL, STAGE_ANNOTATION, VERSION

_STAGES: Final = {"migrate": Phase.MIGRATE, "provision": Phase.PROVISION}


@dataclass(frozen=True, slots=True)
class Owner:
    """The platform that objects are made for."""

    name: str
    namespace: str
    uid: str

    @property
    def reference(self) -> dict[str, Any]:
        """What makes the garbage collector remove an object when the platform is gone."""
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as it is to be; `digest` tells two wishes apart."""

    key: Key
    phase: Phase
    body: Mapping[str, Any]
    digest: str


def digest_of(value: object) -> str:
    """Answers a short digest of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def prepare(objects: Iterable[Any], owner: Owner, component: str) -> tuple[Manifest, ...]:
    """Answers what is to be applied, in order of its phases; raises RenderError for what must not be in a chart."""
    manifests = [_prepared(obj, owner, component) for obj in objects]
    return tuple(sorted(manifests, key=lambda manifest: manifest.phase))


def manifest(body: Mapping[str, Any], key: Key, phase: Phase = Phase.SUPPORT) -> Manifest:
    """Answers a manifest of an object that is complete already."""
    return Manifest(key, phase, body, digest_of(body))


def labels(platform: str, component: str = "") -> dict[str, str]:
    """Answers the labels by which the operator finds its objects."""
    return {PLATFORM_LABEL: platform} | ({COMPONENT_LABEL: component} if component else {})


def _prepared(given: Any, owner: Owner, component: str) -> Manifest:
    key = _checked(given, owner.namespace)
    body = copy.deepcopy(given)
    ours = labels(owner.name, component)
    _label(body, ours)
    body["metadata"]["namespace"] = owner.namespace
    if key.kind is not CLAIM:
        body["metadata"]["ownerReferences"] = [owner.reference]
    spec = body.get("spec") or {}
    if isinstance(spec.get("template"), dict) and "spec" in spec["template"]:
        _label(spec["template"], ours)
    for template in spec.get("volumeClaimTemplates") or ():
        _label(template, ours)
    return manifest(body, key, _phase(body, key))


def _checked(given: Any, namespace: str) -> Key:
    if not isinstance(given, dict) or not (given.get("metadata") or {}).get("name"):
        raise RenderError("A chart rendered something that is no Kubernetes object.")
    meta, title = given["metadata"], f"{given.get('kind')} {given['metadata']['name']}"
    kind = kind_of(given)
    if kind is None:
        raise RenderError(f"A chart rendered {title}, a kind that the operator does not own.")
    if meta.get("namespace", namespace) != namespace:
        raise RenderError(f"A chart rendered {title} for the namespace {meta['namespace']}, not for {namespace}.")
    if any(name.startswith("helm.sh/hook") for name in meta.get("annotations") or {}):
        raise RenderError(f"A chart rendered {title} as a helm hook, which only helm itself could run.")
    return Key(kind, namespace, meta["name"])


def _phase(body: Mapping[str, Any], key: Key) -> Phase:
    stage = (body["metadata"].get("annotations") or {}).get(STAGE_ANNOTATION)
    if stage is None or key.kind is not JOB:
        return key.kind.phase
    if stage not in _STAGES:
        raise RenderError(f"A chart rendered {key.title} for the stage {stage}, which there is not.")
    return _STAGES[stage]


def _label(body: dict[str, Any], ours: Mapping[str, str]) -> None:
    meta = body.setdefault("metadata", {})
    meta["labels"] = {**(meta.get("labels") or {}), **ours}
