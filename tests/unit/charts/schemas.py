"""Objects checked against the API's own definitions by kubeconform, fields that nobody knows refused.

The definitions are those that Kubernetes publishes with its sources (OpenAPI), and those in the Gateway API's resource
definitions, at the versions of local/kubernetes/go/go.mod. Each kind becomes one JSON schema, made once into the cache.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from local.cache import obtain
from local.kubernetes import golang
from local.kubernetes.tools import tool
from local.progress import silent
from tests.unit.charts.rendering import Object

KUBERNETES: Final = "k8s.io/kubernetes"
GATEWAY_API: Final = "sigs.k8s.io/gateway-api"
DEADLINE: Final = 120.0

_PREFIX: Final = "#/definitions/"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# Written as text in the definitions, and understood as numbers too.
_ALSO_NUMBERS: Final = (
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
)


def faults(objects: Iterable[Object], skip: Iterable[str] = ()) -> list[str]:
    """Answers what is wrong with objects, a line for each; `skip` names kinds that the definitions do not know."""
    location = f"{folder()}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    program = str(tool("kubeconform", silent))
    command = [program, "-strict", "-output", "json", "-schema-location", location]
    done = subprocess.run(
        [*command, "-skip", ",".join(skip), "-"],
        input="\n---\n".join(json.dumps(each) for each in objects),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.stdout, f"kubeconform ended with {done.returncode}: {done.stderr}"
    found = json.loads(done.stdout)["resources"]
    return [f"{each['kind']} {each['name']}: {each['msg']}" for each in found if each["status"] != "statusValid"]


def folder() -> Path:
    """Answers the folder of schemas, made where it is not there yet."""
    versions = [golang.module_version(module).removeprefix("v") for module in (KUBERNETES, GATEWAY_API)]
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    return obtain("-".join(["kubernetes-schemas", *versions, recipe]), _make, silent)


def _make(into: Path) -> None:
    published = golang.module_folder(KUBERNETES) / "api/openapi-spec/swagger.json"
    definitions = _strict(json.loads(published.read_text())["definitions"])
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            if len(definition["x-kubernetes-group-version-kind"]) == 1:
                schema = {**definition, "definitions": dict(_needed(definitions, name))}
                (into / _file(kind["group"], kind["version"], kind["kind"])).write_text(json.dumps(schema))
    for path in (golang.module_folder(GATEWAY_API) / "config/crd/standard").glob("gateway.*.yaml"):
        _make_from_definition(yaml.safe_load(path.read_text()), definitions, into)


def _make_from_definition(resource: Object, definitions: Mapping[str, Any], into: Path) -> None:
    """Writes a schema for each version of a CustomResourceDefinition."""
    spec = resource["spec"]
    for version in spec["versions"]:
        schema = _strict(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"$ref": _PREFIX + _META}
        schema["definitions"] = {_META: definitions[_META], **dict(_needed(definitions, _META))}
        (into / _file(spec["group"], version["name"], spec["names"]["kind"])).write_text(json.dumps(schema))


def _file(group: str, version: str, kind: str) -> str:
    """Answers the name under which kubeconform looks for a kind: of its group, the first part."""
    return "-".join(filter(None, [kind.lower(), group.partition(".")[0], version])) + ".json"


def _needed(definitions: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Yields every definition that one refers to, near or far."""
    seen, todo = set[str](), [name]
    while todo:
        for reference in _references(definitions[todo.pop()]):
            if reference not in seen:
                seen.add(reference)
                todo.append(reference)
                yield reference, definitions[reference]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(_PREFIX)
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def _strict(node: Any, name: str = "") -> Any:
    """Answers a schema in which objects have the fields that it names and no others."""
    if isinstance(node, list):
        return [_strict(child) for child in node]
    if not isinstance(node, dict):
        return node
    if name in _ALSO_NUMBERS:
        return {"type": ["string", "number"]}
    result = {key: _strict(child, key) for key, child in node.items()}
    if isinstance(node.get("properties"), dict) and "additionalProperties" not in node and "$ref" not in node:
        result["additionalProperties"] = bool(node.get("x-kubernetes-preserve-unknown-fields", False))
    return result
