"""Claims about bringing a platform up."""

import pytest

from tests.integration.operator.world import World, condition

SERVICES = ("account", "product", "order", "payment", "recommender", "gateway")
pytestmark = pytest.mark.usefixtures("operator", "kubelet")


async def test_an_empty_spec_becomes_a_whole_platform(world: World) -> None:
    """Applying `spec: {}` ends with every component ready and the status saying so."""
    applied = await world.apply()
    status = await world.ready(applied["metadata"]["generation"])
    assert status["componentsReady"] == "9/9"
    assert condition(status, "Stalled") != "True"
    assert await world.names("Deployment") == {f"shop-{name}" for name in (*SERVICES, "recommender-trainer")}
