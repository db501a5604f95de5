"""Claims about the EcommercePlatform definition, on a real API server: it completes, it refuses, it explains itself."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ecommerce_operator.spec import Platform, Spec
from local.kubernetes.control_plane import ControlPlane
from tests.integration.operator import crd_api
from tests.integration.operator.crd_api import DEFINITION, ROOT, Api, platform
from tests.integration.operator.crd_refusals import CHANGES, NAMES, SPECS

NAME = "ecommerceplatforms.ecommerce.dev"


@pytest.fixture(scope="module")
def api(plane: ControlPlane) -> Iterator[Api]:
    """An API server with the definition; what tests make is gone before operators come."""
    api = Api(plane.kubeconfig)
    # Listed among all kinds a moment after it is served. `explain` believes what kubectl knows of that list; `get`
    # asks again, and so must come first.
    api.tell_in_time("get", "ecp")
    yield api
    api.tell("delete", "ecp", "--all")


def test_the_definition_has_no_warning(api: Api) -> None:
    """The API server takes the definition in strict mode: no unknown field, no rule that costs too much, no warning."""
    ran = api.run("replace", "--dry-run=server", "--validate=strict", f"--filename={DEFINITION}")
    assert (ran.returncode, ran.stderr) == (0, "")
    path = "{.status.conditions[?(@.type=='NonStructuralSchema')]}"
    schema_problems = api.tell("get", "crd", NAME, f"--output=jsonpath={path}")
    assert schema_problems == ""


@pytest.mark.parametrize("spec", [{}, None], ids=["empty", "missing"])
def test_an_empty_spec_is_completed(api: Api, spec: dict[str, Any] | None) -> None:
    """`spec: {}`, and no spec at all, become a whole shop with exactly the defaults that the operator knows."""
    resource = platform(spec)
    if spec is None:
        del resource["spec"]
    stored = api.completed(resource)
    assert stored["spec"] == Spec().model_dump(mode="json", by_alias=True, exclude_none=True)


def test_a_partly_given_object_is_completed(api: Api) -> None:
    """What is given at any depth stays, and everything beside it is filled in."""
    given = {
        "services": {"order": {"resources": {"limits": {"memory": "1Gi"}}, "autoscaling": {"maxReplicas": 3}}},
        "datastores": {"kafka": {"storage": {"size": "20Gi"}}, "postgres": {"external": {}}},
        "ingress": {"gateway": {}},
    }
    stored = api.completed(platform(given))["spec"]
    assert stored == Spec.model_validate(given).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert stored["services"]["order"]["resources"]["requests"] == {"cpu": "50m", "memory": "192Mi"}
    assert stored["services"]["order"]["autoscaling"]["minReplicas"] == 1


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_accepted(api: Api, example: Any) -> None:
    """Every example is accepted as it is, and understood by the operator."""
    for document in yaml.safe_load_all(example.read_text()):
        if document["kind"] == "EcommercePlatform":
            document["metadata"]["namespace"] = "default"
            stored = api.completed(document)
            stored["metadata"].setdefault("uid", "1")
            assert Platform.parse(stored).name == "shop"


@pytest.mark.parametrize(("spec", "sentence"), SPECS)
def test_a_bad_spec_is_refused_with_a_sentence(api: Api, spec: dict[str, Any], sentence: str) -> None:
    """What cannot work is refused when it is applied, and the sentence says what to do."""
    assert sentence in api.refusal(platform(spec))


@pytest.mark.parametrize(("name", "sentence"), NAMES)
def test_a_bad_name_is_refused(api: Api, name: str, sentence: str) -> None:
    """A name from which no names of Services can be made is refused."""
    assert sentence in api.refusal(platform({}, name))


def test_an_unknown_field_is_refused(api: Api) -> None:
    """A field that nobody reads is told to its writer instead of being dropped in silence."""
    words = api.refusal(platform({"services": {"account": {"replica": 2}}}))
    assert 'unknown field "spec.services.account.replica"' in words


@pytest.mark.parametrize(("before", "after", "sentence"), CHANGES)
def test_a_change_that_cannot_be_made_is_refused(
    api: Api, before: dict[str, Any], after: dict[str, Any], sentence: str
) -> None:
    """What is fixed once the platform exists is refused as a change; an empty sentence means that it is accepted."""
    api.tell("create", "--filename=-", given=platform(before, "changing"))
    try:
        if sentence:
            assert sentence in api.refusal(platform(after, "changing"), "replace")
        else:
            api.tell("replace", "--dry-run=server", "--filename=-", given=platform(after, "changing"))
    finally:
        api.tell("delete", "ecp", "changing")


def test_kubectl_explains_it(api: Api) -> None:
    """`kubectl explain` has a sentence for every field, down to the last one."""
    told = api.tell("explain", "ecp.spec.datastores.postgres")
    assert "Embedded" in told
    assert "DESCRIPTION" in told
    assert "storage.className" not in told
    assert "grow" in api.tell("explain", "ecp.spec.datastores.postgres.storage.size").lower()
    assert "<no description>" not in told
    assert _without_description(crd_api.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) == []


def _without_description(schema: dict[str, Any], path: str = "") -> list[str]:
    missing = []
    for name, child in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        if "description" not in child and where != ".metadata":
            missing.append(where)
        missing += _without_description(child, where) + _without_description(child.get("items", {}), f"{where}[]")
    return missing


def test_columns(api: Api) -> None:
    """`kubectl get ecp` shows Ready, Reason, Components, Version, URL and Age; it is among `kubectl get all`."""
    api.tell("create", "--filename=-", given=platform({}, "shown"))
    status = {
        "observedGeneration": 1,
        "version": "1.2.3",
        "url": "http://shop.example.com/graphql",
        "componentsReady": "6/7",
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "observedGeneration": 1,
                "reason": "ImagePullBackOff",
                "message": "order: The image cannot be pulled.",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
    patch = json.dumps({"status": status})
    api.tell("patch", "ecp", "shown", "--subresource=status", "--type=merge", f"--patch={patch}")
    head, row = api.tell("get", "ecp", "shown").splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "COMPONENTS", "VERSION", "URL", "AGE"]
    assert row.split()[:6] == ["shown", "False", "ImagePullBackOff", "6/7", "1.2.3", "http://shop.example.com/graphql"]
    assert "order: The image cannot be pulled." in api.tell("get", "ecp", "shown", "--output=wide")
    assert "ecommerceplatform.ecommerce.dev/shown" in api.tell("get", "all", "--output=name")


def test_the_status_is_a_door_of_its_own(api: Api) -> None:
    """Who writes the spec cannot write the status along with it."""
    resource = platform({}, "split") | {"status": {"url": "http://elsewhere"}}
    api.tell("create", "--filename=-", given=resource)
    assert api.tell("get", "ecp", "split", "--output=jsonpath={.status}") == ""
