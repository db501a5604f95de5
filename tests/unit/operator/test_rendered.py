"""Claims about what helm makes of a platform: the examples become objects that the API knows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecommerce_operator.model import COMPONENT_LABEL, PLATFORM_LABEL
from ecommerce_operator.releases import releases
from ecommerce_operator.spec import Platform
from tests.unit.charts.rendering import render
from tests.unit.charts.schemas import faults
from tests.unit.operator.platforms import SETTINGS, secrets

EXAMPLES = Path(__file__).parents[3] / "examples"
ROUTE = {"type": "HTTPRoute", "host": "shop.example.com", "https": True, "gateway": {"name": "public"}}
STRIPE = {"provider": "Stripe", "secretName": "stripe", "redirectHosts": ["shop.example.com"]}


def wishes() -> list[Any]:
    """The examples, and a platform behind a Gateway."""
    documents = ((path.stem, each) for path in sorted(EXAMPLES.glob("*.yaml")) for each in _documents(path))
    found = [pytest.param(each["spec"], id=name) for name, each in documents if each["kind"] == "EcommercePlatform"]
    return [*found, pytest.param({"ingress": ROUTE}, id="HTTPRoute"), pytest.param({"payment": STRIPE}, id="Stripe")]


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all(path.read_text())


@pytest.mark.parametrize("spec", wishes())
def test_a_platform_becomes_objects(spec: dict[str, Any]) -> None:
    """Every release renders; its objects are what the API's schemas say, and their pods can be found by label."""
    platform = Platform.parse({"metadata": {"name": "shop", "namespace": "shop", "uid": "0"}, "spec": spec})
    for release in releases(platform, SETTINGS, secrets(), dict.fromkeys(("postgres", "order"), "0")):
        objects = render(release.chart, release.values, release.name)
        assert faults(objects, skip=["HTTPRoute"]) == []
        for obj in objects:
            if template := obj.get("spec", {}).get("template"):
                labels = template["metadata"]["labels"]
                assert (labels[PLATFORM_LABEL], labels[COMPONENT_LABEL]) == ("shop", release.component)
