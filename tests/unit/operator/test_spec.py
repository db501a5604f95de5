"""Claims about the resource as the operator reads it."""

import pytest
from hypothesis import given
from pydantic import ValidationError

from ecommerce_operator.spec import InvalidSpecError, Platform, Spec
from tests.unit.operator.platforms import SPECS, platform, some


def test_nothing_given_is_a_whole_shop() -> None:
    """A resource without a spec is read as one with every default."""
    metadata = {"name": "shop", "namespace": "shop", "uid": "0"}
    read = Platform.parse({"metadata": metadata})
    assert (read.name, read.namespace, read.generation, read.deleting) == ("shop", "shop", 1, False)
    assert read.spec == Spec()
    assert read.spec.datastores.postgres.ours
    assert read.spec.services.of("gateway").replicas == 1


def test_numbers_are_quantities() -> None:
    """`cpu: 2` means what `cpu: "2"` means."""
    number, text = ({"services": {"order": {"resources": {"limits": {"cpu": cpu}}}}} for cpu in (2, "2"))
    assert platform(number) == platform(text)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"services": {"cart": {}}}, "spec.services.cart"),
        ({"datastores": {"kafka": {"mode": "Serverless"}}}, "spec.datastores.kafka.mode"),
        ({"services": {"order": {"env": [{}]}}}, "spec.services.order.env.0.name"),
        ({"ingress": None}, "spec.ingress"),
    ],
)
def test_what_does_not_fit_is_named(spec: dict[str, object], named: str) -> None:
    """A spec from another definition than the operator's is refused with a sentence that names the field."""
    with pytest.raises(InvalidSpecError) as refused:
        platform(spec)
    assert named in str(refused.value)
    assert str(refused.value).endswith("Does the CRD fit the operator?")
    assert "\n" not in str(refused.value)


def test_a_platform_cannot_be_changed() -> None:
    """What was read stays as it was read."""
    with pytest.raises(ValidationError):
        platform().spec.services.order.replicas = 2  # type: ignore[misc] # it must not work


def test_deletion_is_seen() -> None:
    """A resource with a time of deletion is one that is being deleted."""
    assert platform(deletionTimestamp="2026-01-01T00:00:00Z").deleting


@some
@given(SPECS)
def test_reading_loses_nothing(spec: dict[str, object]) -> None:
    """A platform written down and read again is the same, whatever was given."""
    read = platform(spec)
    assert platform(read.spec.model_dump(mode="json", by_alias=True)) == read
