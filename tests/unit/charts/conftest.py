"""What tests of charts share: each service rendered with as little as it needs."""

import pytest

from local.topology import NAMES
from tests.unit.charts import examples
from tests.unit.charts.rendering import Object, render


@pytest.fixture(params=NAMES)
def service(request: pytest.FixtureRequest) -> str:
    """The name of a service; a test runs once for each."""
    return str(request.param)


@pytest.fixture
def objects(service: str) -> list[Object]:
    """The service's objects, rendered with as little as it needs."""
    return render(service, examples.least(service))
