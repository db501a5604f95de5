"""Claims about skaffold.yaml and Tiltfile: both build what there is, and put it where the operator looks for it.

Neither tool runs here. The Tiltfile is Starlark, a part of Python's own language, so it is run with stand-ins for
Tilt's functions that remember how they were called.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from local.topology import NAMES

CHECKOUT = Path(__file__).parents[2]
IMAGES = {f"ecommerce-platform/{name}" for name in (*NAMES, "operator")}


def _platform() -> dict[str, Any]:
    documents = yaml.safe_load_all((CHECKOUT / "examples/development.yaml").read_text())
    return next(each for each in documents if each["kind"] == "EcommercePlatform")


def _skaffold() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((CHECKOUT / "skaffold.yaml").read_text()))


def _tilt_calls() -> dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """Runs the Tiltfile and answers how each of Tilt's functions was called."""
    calls: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = defaultdict(list)

    class Functions(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            if name not in TILT:
                raise NameError(name)

            def remember(*arguments: Any, **named: Any) -> Any:
                calls[name].append((arguments, named))
                return name, arguments

            return remember

    code = compile((CHECKOUT / "Tiltfile").read_text(), "Tiltfile", "exec")
    exec(code, Functions(__builtins__={}))  # noqa: S102 (our own file, which Tilt would run as well)
    return calls


TILT = {
    "allow_k8s_contexts", "blob", "docker_build", "fall_back_on", "helm", "k8s_kind", "k8s_resource", "k8s_yaml",
    "local_resource", "sync",
}  # fmt: skip


def test_the_resource_for_development_names_every_service() -> None:
    """Each service of the platform has an image to be put in, and takes changed files."""
    services = _platform()["spec"]["services"]
    assert set(services) == set(NAMES)
    for name, service in services.items():
        assert service == {"image": f"ecommerce-platform/{name}", "development": True}


def test_skaffold_builds_and_syncs_every_service() -> None:
    """One artifact a service and one for the operator; a service's Python files go where they are watched."""
    artifacts = {each["image"]: each for document in _skaffold() for each in document["build"]["artifacts"]}
    assert set(artifacts) == IMAGES
    for name in NAMES:
        artifact = artifacts[f"ecommerce-platform/{name}"]
        assert artifact["docker"]["buildArgs"] == {"SERVICE": name}
        rules = artifact["sync"]["manual"]
        assert {"src": f"services/{name}/**/*.py", "dest": "/sources"} in rules
        assert all(list(CHECKOUT.glob(rule["src"])) for rule in rules)


def test_skaffold_goes_through_the_operator() -> None:
    """It installs both charts first and then applies the resource, in which it may replace images."""
    operator, platform = _skaffold()
    releases = operator["deploy"]["helm"]["releases"]
    assert [each["chartPath"] for each in releases] == ["charts/crds", "charts/operator"]
    assert all((CHECKOUT / each["chartPath"]).is_dir() for each in releases)
    assert platform["requires"] == [{"configs": [operator["metadata"]["name"]]}]
    assert platform["manifests"]["rawYaml"] == ["examples/development.yaml"]
    allowed = platform["resourceSelector"]["allow"]
    assert allowed == [{"groupKind": "EcommercePlatform.ecommerce.dev", "image": [".*"]}]


def test_tilt_builds_every_service_and_finds_its_place() -> None:
    """The paths of images lead to fields that are there, and each image that is built is used."""
    calls = _tilt_calls()
    assert {arguments[0] for arguments, _ in calls["docker_build"]} == IMAGES
    ((kind,), named) = calls["k8s_kind"][0]
    assert kind == "EcommercePlatform"
    for path in named["image_json_path"]:
        found: Any = _platform()
        for key in path.strip("{}.").split("."):
            found = found[key]
        assert found in IMAGES
    assert all(destination == "/sources/services" for (_, destination), _ in calls["sync"])
