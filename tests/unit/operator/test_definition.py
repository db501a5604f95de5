"""The definition in charts/crds and the operator's classes say the same: the same fields, the same defaults."""

import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from ecommerce_operator import components, model
from ecommerce_operator.spec import Spec

DEFINITION = yaml.safe_load((Path(__file__).parents[3] / "charts/crds/templates/ecommerceplatforms.yaml").read_text())
SCHEMA: dict[str, Any] = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
# Where nothing is the wish, and not a value: the platform is then not scaled by itself, and tolerates for good.
WITHOUT_DEFAULT = {"autoscaling", "tolerationSeconds"}


def _parts(schema: Mapping[str, Any], part: type[BaseModel], path: str) -> Iterator[tuple[str, Any, type[BaseModel]]]:
    """Walks through schema and classes at once."""
    yield path, schema, part
    for name, field in part.model_fields.items():
        child = schema["properties"].get(field.alias or name)
        inner = _class_of(field.annotation)
        if child and inner:
            yield from _parts(child.get("items", child), inner, f"{path}.{field.alias or name}")


def _class_of(annotation: Any) -> type[BaseModel] | None:
    """The class that an annotation names, itself or in a tuple, or with None beside it."""
    if get_origin(annotation) in (tuple, types.UnionType, typing.Union):
        return next((found for each in get_args(annotation) if (found := _class_of(each))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


every_part = pytest.mark.parametrize(
    ("path", "schema", "part"), [pytest.param(*each, id=each[0]) for each in _parts(SCHEMA, Spec, "spec")]
)


def _filled(schema: Mapping[str, Any], value: Any) -> Any:
    """What the API server makes of a value: defaults at every level, also inside of a default."""
    if schema.get("type") != "object" or "properties" not in schema:
        return value
    children = schema["properties"].items()
    given = {name: child["default"] for name, child in children if "default" in child} | dict(value)
    return {name: _filled(schema["properties"][name], each) for name, each in given.items()}


@every_part
def test_the_same_fields(path: str, schema: Mapping[str, Any], part: type[BaseModel]) -> None:
    """Every field of the schema is one that the operator reads, and the other way round."""
    assert {field.alias or name for name, field in part.model_fields.items()} == set(schema["properties"]), path


@every_part
def test_the_same_defaults(path: str, schema: Mapping[str, Any], part: type[BaseModel]) -> None:
    """Every optional field has the default in the schema that it has in the operator."""
    for name, field in part.model_fields.items():
        alias = field.alias or name
        child = schema["properties"][alias]
        if alias in schema.get("required", ()) or alias in WITHOUT_DEFAULT:
            assert "default" not in child, path
            continue
        ours = field.get_default(call_default_factory=True)
        known = ours.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(ours, BaseModel) else ours
        assert _filled(child, child["default"]) == (list(known) if isinstance(known, tuple) else known), path


@every_part
def test_no_default_hides_another(path: str, schema: Mapping[str, Any], part: type[BaseModel]) -> None:
    """A default of an object says the same as the defaults of its fields: leaving it out equals giving it empty."""
    assert part
    for name, child in schema["properties"].items():
        if child.get("type") == "object" and "default" in child and "properties" in child:
            assert _filled(child, child["default"]) == _filled(child, {}), f"{path}.{name}"


def test_the_same_choices() -> None:
    """Every choice of the schema is one that the operator knows, and the other way round."""
    found = {}
    for path, schema, part in _parts(SCHEMA, Spec, "spec"):
        for name, field in part.model_fields.items():
            child = schema["properties"][field.alias or name]
            if get_origin(field.annotation) is typing.Literal or "enum" in child:
                found[f"{path}.{name}"] = (set(get_args(field.annotation)), set(child.get("enum", ())))
    assert found
    assert [path for path, (ours, theirs) in found.items() if ours != theirs] == []


def test_every_text_and_list_is_bounded() -> None:
    """Nothing in a spec can be of any length: rules over it would have no bound, and neither would the object."""
    assert list(_unbounded(SCHEMA, "spec")) == []


def _unbounded(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    kind = schema.get("type")
    if kind == "string" and "maxLength" not in schema and "enum" not in schema:
        yield path
    if kind == "array" and "maxItems" not in schema:
        yield path
    if "additionalProperties" in schema and "maxProperties" not in schema:
        yield path
    for name, child in schema.get("properties", {}).items():
        yield from _unbounded(child, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _unbounded(schema[name], f"{path}[]")


def test_nothing_unknown_is_kept() -> None:
    """No part of the definition lets unknown fields through."""
    assert "x-kubernetes-preserve-unknown-fields" not in str(DEFINITION)


def test_every_rule_has_a_sentence() -> None:
    """A rule without a sentence would be shown as the expression itself."""
    assert [rule for rule in _rules(SCHEMA) if "message" not in rule and "messageExpression" not in rule] == []


def _rules(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from schema.get("x-kubernetes-validations", ())
    for child in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from _rules(child)


def test_the_names_are_the_operators() -> None:
    """Group, version, kind and plural are those that the operator asks for."""
    spec = DEFINITION["spec"]
    assert (spec["group"], spec["names"]["kind"], spec["names"]["plural"]) == (model.GROUP, model.KIND, model.PLURAL)
    assert [version["name"] for version in spec["versions"]] == [model.VERSION]


def test_every_component_can_be_wished_for() -> None:
    """The resource has a field for every row of the table of components, and none beside them."""
    services, datastores = (SCHEMA["properties"][group]["properties"] for group in ("services", "datastores"))
    assert [*datastores, *services] == list(components.components())
