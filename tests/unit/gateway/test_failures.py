"""Claims about errors: what may be shown is shown, faults of ours show nothing but an id that is in the log."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from structlog.testing import capture_logs

from services import errors, telemetry
from services.gateway import endpoint
from tests.unit.gateway.conftest import Shop


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidError,
        errors.UnauthenticatedError,
        errors.ForbiddenError,
        errors.NotFoundError,
        errors.ConflictError,
        errors.RateLimitedError,
        errors.UnavailableError,
    ],
)
async def test_errors_for_the_caller_go_out_as_they_are(shop: Shop, error: type[errors.EcommerceError]) -> None:
    """Each error of the tree keeps its code and its sentence, and is not logged as a fault."""
    shop.services.failures["products"] = error("A sentence for the caller.")
    with capture_logs() as logs:
        answer = await shop.ask("{ product { id } }")
    assert answer.errors == [
        {
            "message": "A sentence for the caller.",
            "locations": [{"line": 1, "column": 3}],
            "path": ["product"],
            "extensions": {"code": error.code},
        }
    ]
    assert not logs


@pytest.mark.parametrize("error", [ValueError("a secret"), errors.InternalError("a secret"), KeyError("a secret")])
async def test_faults_show_nothing(shop: Shop, error: Exception) -> None:
    """Anything else is INTERNAL with an id; the log has the id and the traceback."""
    shop.services.failures["products"] = error
    with capture_logs() as logs:
        answer = await shop.ask("{ product { id } }")
    assert answer.response.status_code == 200
    assert answer.codes == ["INTERNAL"]
    assert answer.data is None
    failure_id = answer.errors[0]["extensions"]["id"]
    assert [(line["failure_id"], line["exc_info"]) for line in logs] == [(failure_id, error)]
    if not isinstance(error, errors.EcommerceError):
        assert answer.message == "Internal error."
        assert "secret" not in answer.response.text


async def test_a_fault_is_found_by_its_trace(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a trace the id is the trace's, which the client may have begun."""
    monkeypatch.setattr(telemetry, "tracer", TracerProvider().get_tracer("test"))
    shop.services.failures["products"] = ValueError()
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    with capture_logs():
        answer = await shop.ask("{ product { id } }", headers=headers)
    assert answer.errors[0]["extensions"] == {"code": "INTERNAL", "id": trace_id}


async def test_a_fault_outside_of_resolvers_shows_nothing_either(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the gateway itself fails the answer is 500 and INTERNAL with an id."""

    def fail(*_: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(endpoint, "check_variables", fail)
    with capture_logs() as logs:
        answer = await shop.ask("{ product { id } }")
    assert (answer.response.status_code, answer.codes, answer.message) == (500, ["INTERNAL"], "Internal error.")
    assert logs[0]["failure_id"] == answer.errors[0]["extensions"]["id"]
