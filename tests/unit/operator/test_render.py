"""Claims about running helm."""

from pathlib import Path

import pytest

from ecommerce_operator.errors import RenderError
from ecommerce_operator.metrics import RENDERS
from ecommerce_operator.model import Release
from ecommerce_operator.render import REMEMBERED, Renderer
from local.kubernetes.tools import tool
from local.progress import to_terminal

CHARTS = Path(__file__).parents[3] / "charts"


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(str(tool("helm", to_terminal)), CHARTS)


def wish(**values: object) -> Release:
    return Release(
        "gateway", "gateway", "shop-gateway", {"kafka": {"bootstrapServers": "k:9092"}, **ADDRESSES, **values}
    )


ADDRESSES = {"addresses": {name: f"{name}:8080" for name in ("account", "product", "order", "payment", "recommender")}}


async def test_a_chart_becomes_objects_once(renderer: Renderer) -> None:
    """A chart is rendered for its namespace, and the same wish is not rendered again."""
    before = RENDERS._value.get()
    first = await renderer.render(wish(), "here")
    assert {obj["kind"] for obj in first} >= {"Deployment", "Service"}
    assert await renderer.render(wish(), "here") is first
    assert RENDERS._value.get() == before + 1


async def test_a_refused_value_is_told_in_the_charts_words(renderer: Renderer) -> None:
    """What the schema refuses is named, in one sentence without helm's preamble."""
    with pytest.raises(RenderError, match=r"The chart gateway refuses its values: .*replicas") as refused:
        await renderer.render(wish(replicas="many"), "here")
    assert refused.value.reason == "InvalidValues"
    assert "\n" not in str(refused.value)
    assert "walk.go" not in str(refused.value)


async def test_a_missing_helm_is_told() -> None:
    """A helm that cannot be started is an error of its own."""
    with pytest.raises(RenderError, match="cannot be started"):
        await Renderer("/nowhere/helm", CHARTS).render(wish(), "here")


async def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    """However many wishes there are, only so many renderings are kept."""
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\ncat >/dev/null\necho 'kind: Nothing'\n")
    helm.chmod(0o755)
    renderer = Renderer(str(helm), CHARTS)
    for number in range(REMEMBERED + 5):
        await renderer.render(wish(number=number), "here")
    assert len(renderer._remembered) == REMEMBERED
