"""Claims about the status: conditions, lines, the address, and that nothing new is nothing to write."""

from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecommerce_operator.model import Health, Observation, State
from ecommerce_operator.status import address_of, invalid, status
from tests.unit.operator.objects import NOW, ago
from tests.unit.operator.platforms import platform, some
from tests.unit.operator.test_definition import DEFINITION

SCHEMA = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
READY = Health(State.READY, "Ready")
ROLLING = Health(State.PROGRESSING, "RollingOut", "Deployment shop-order: 0 of 1 pods are ready.")
PULLING = Health(State.FAILED, "ImagePullBackOff", "Deployment shop-order: The image x cannot be pulled.")
WAITING = Health(State.PROGRESSING, "Waiting", "Waits for order.")


def seen(health: Health = READY, component: str = "order", **further: Any) -> Observation:
    return Observation(component, health, "1.0.0", **further)


def told(*observations: Observation, previous: dict[str, Any] | None = None, **further: Any) -> dict[str, Any]:
    spec = further.pop("spec", {})
    metadata = further.pop("metadata", {})
    now = further.pop("now", NOW)
    return status(platform(spec, **metadata), previous or {}, observations, now, version="1.0.0", **further)


def verdicts(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in found["conditions"]}


def message(found: dict[str, Any], kind: str = "Ready") -> str:
    return next(str(each["message"]) for each in found["conditions"] if each["type"] == kind)


def test_all_is_well() -> None:
    """Every component ready: Ready, and neither of the others."""
    found = told(seen(component="postgres"), seen())
    assert verdicts(found) == {
        "Ready": ("True", "Ready"),
        "Reconciling": ("False", "AsExpected"),
        "Stalled": ("False", "AsExpected"),
    }
    assert found["componentsReady"] == "2/2"
    assert found["observedGeneration"] == 3
    assert {each["observedGeneration"] for each in found["conditions"]} == {3}
    assert message(found) == "All 2 components are ready."


def test_something_is_on_its_way() -> None:
    """Progressing components make it reconciling; who only waits for another one is told last."""
    found = told(seen(component="postgres"), seen(WAITING, "gateway", pending=True), seen(ROLLING))
    assert verdicts(found)["Ready"] == ("False", "Progressing")
    assert verdicts(found)["Reconciling"] == ("True", "Progressing")
    assert verdicts(found)["Stalled"] == ("False", "AsExpected")
    assert found["componentsReady"] == "1/3"
    assert message(found) == f"order: {ROLLING.message} gateway: Waits for order."


def test_something_has_failed() -> None:
    """The real reason is the platform's reason, and what is still on its way is said to be."""
    found = told(seen(ROLLING, "kafka"), seen(PULLING))
    assert verdicts(found) == {
        "Ready": ("False", "ImagePullBackOff"),
        "Reconciling": ("True", "Progressing"),
        "Stalled": ("True", "ImagePullBackOff"),
    }
    assert message(found) == message(found, "Stalled") == f"order: {PULLING.message}"
    assert message(found, "Reconciling") == "On the way: kafka."


def test_many_have_failed() -> None:
    """Three reasons are told in full, the others by name."""
    found = told(*(seen(PULLING, name) for name in "abcde"))
    assert message(found).endswith("Also: d, e.")


def test_a_warning_is_told_while_all_is_ready() -> None:
    """What somebody should look at is in the message of Ready and in its component's line."""
    found = told(seen(Health(State.READY, "NoAddress", "Ingress it: No controller."), "gateway"))
    assert verdicts(found)["Ready"] == ("True", "Ready")
    assert message(found) == "All 1 components are ready. gateway: Ingress it: No controller."
    assert found["components"][0]["reason"] == "NoAddress"


def test_a_change_that_is_not_applied_is_not_ready() -> None:
    """A component that works, but whose wish waits, is not what was asked for."""
    found = told(seen(pending=True))
    assert found["components"][0]["ready"] is False
    assert verdicts(found)["Ready"][0] == "False"


def test_a_pause() -> None:
    """A paused platform that is well is ready and says so; a change that waits makes it not ready, and not stalled."""
    found = told(seen(paused=True), spec={"paused": True})
    assert verdicts(found)["Ready"] == ("True", "Ready")
    assert verdicts(found)["Reconciling"] == ("False", "Paused")
    assert message(found).endswith("Paused: nothing is changed or repaired.")
    waiting = told(seen(paused=True, pending=True), spec={"paused": True})
    assert verdicts(waiting)["Ready"] == ("False", "Paused")
    assert verdicts(waiting)["Stalled"][0] == "False"
    assert waiting["components"][0]["message"] == "Paused: its change waits."


@pytest.mark.parametrize(
    ("state", "reconciling", "stalled"), [(State.FAILED, "False", "True"), (State.PROGRESSING, "True", "False")]
)
def test_trouble_of_the_operator_itself(state: State, reconciling: str, stalled: str) -> None:
    """What keeps the operator from its work is the reason, whatever the components are."""
    found = told(seen(), trouble=Health(state, "ChartBroken", "values don't meet the schema"))
    assert verdicts(found)["Ready"] == ("False", "ChartBroken")
    assert (verdicts(found)["Reconciling"][0], verdicts(found)["Stalled"][0]) == (reconciling, stalled)


def test_deletion() -> None:
    """While it is taken down, the lines stay what they were."""
    before = told(seen())
    going = Health(State.PROGRESSING, "Deleting", "Takes down: gateway.")
    found = told(previous=before, metadata={"deletionTimestamp": ago(1)}, trouble=going)
    assert verdicts(found)["Ready"] == ("False", "Deleting")
    assert message(found) == "Takes down: gateway."
    assert (found["components"], found["componentsReady"]) == (before["components"], "1/1")


def test_a_resource_that_cannot_be_understood() -> None:
    """It is stalled with the sentence; what was known of it stays."""
    body = {"metadata": {"generation": 4}}
    before = told(seen())
    found = invalid(body, before, "This operator does not understand it.", NOW)
    assert verdicts(found)["Stalled"] == ("True", "InvalidSpec")
    assert (message(found), found["observedGeneration"]) == ("This operator does not understand it.", 4)
    assert found["components"] == before["components"]
    assert invalid(body, found, "This operator does not understand it.", NOW + timedelta(hours=1)) == found


OBSERVATIONS = st.lists(
    st.builds(
        Observation,
        st.sampled_from(["postgres", "order", "gateway"]),
        st.sampled_from([READY, ROLLING, PULLING, WAITING]),
        st.sampled_from(["", "1.0.0"]),
        paused=st.booleans(),
        pending=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda one: one.component,
)


@some
@given(OBSERVATIONS, st.sampled_from(["", "10.0.0.1"]))
def test_nothing_new_is_nothing_to_write(observations: list[Observation], address: str) -> None:
    """The same observed later gives the equal status, whatever it is; and it is one that the definition takes."""
    first = told(*observations, address=address)
    assert told(*observations, previous=first, now=NOW + timedelta(days=1), address=address) == first
    jsonschema.validate(first, SCHEMA)


@some
@given(OBSERVATIONS, OBSERVATIONS)
def test_times_are_those_of_changes(before: list[Observation], after: list[Observation]) -> None:
    """A time changes exactly when the status that it belongs to does."""
    first = told(*before)
    later = NOW + timedelta(minutes=5)
    second = told(*after, previous=first, now=later)
    old = {each["type"]: each for each in first["conditions"]} | {each["name"]: each for each in first["components"]}
    for new in [*second["conditions"], *second["components"]]:
        known = old.get(new.get("type") or new["name"])
        key = "status" if "type" in new else "ready"
        same = known is not None and known[key] == new[key]
        assert new["lastTransitionTime"] == (ago(0) if same else later.strftime("%Y-%m-%dT%H:%M:%SZ"))


@pytest.mark.parametrize(
    ("ingress", "address", "url"),
    [
        ({}, "", ""),
        ({}, "10.0.0.1", "http://10.0.0.1/graphql"),
        ({}, "fd00::1", "http://[fd00::1]/graphql"),
        ({}, "lb.example.com", "http://lb.example.com/graphql"),
        ({"host": "shop.example.com"}, "10.0.0.1", "http://shop.example.com/graphql"),
        ({"host": "shop.example.com", "tlsSecretName": "tls"}, "", "https://shop.example.com/graphql"),
        ({"https": True}, "10.0.0.1", "https://10.0.0.1/graphql"),
        ({"type": "None"}, "10.0.0.1", ""),
    ],
)
def test_the_url(ingress: dict[str, Any], address: str, url: str) -> None:
    """It is the host's if there is one, else the address's; without a way in there is none."""
    assert told(seen(), spec={"ingress": ingress}, address=address)["url"] == url


@pytest.mark.parametrize(
    ("obj", "address"),
    [
        ({}, ""),
        ({"status": {"loadBalancer": {}}}, ""),
        ({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}, "10.0.0.1"),
        ({"status": {"loadBalancer": {"ingress": [{"hostname": "lb", "ip": "10.0.0.1"}]}}}, "lb"),
        ({"status": {"addresses": [{"type": "IPAddress", "value": "10.0.0.2"}]}}, "10.0.0.2"),
    ],
)
def test_addresses(obj: dict[str, Any], address: str) -> None:
    """An Ingress and a Gateway say where they are, each in its own way."""
    assert address_of(obj) == address
