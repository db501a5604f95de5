"""Claims about quantities and image references."""

from decimal import Decimal

import pytest

from ecommerce_operator.quantities import amount, split_reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("250m", Decimal("0.25")),
        ("1.5Gi", 3 * 2**29),
        ("1536Mi", 1536 * 2**20),
        ("1G", 10**9),
        ("1e3", 1000),
        (".5", Decimal("0.5")),
        ("1E", 10**18),
        ("1Ei", 2**60),
    ],
)
def test_amounts(text: str, number: Decimal) -> None:
    """A quantity is the number that Kubernetes takes it for."""
    assert amount(text) == number


@pytest.mark.parametrize("text", ["", "Gi", "1.2.3", "1 Gi", "5GB", "-1", "1e", "nan", "1x"])
def test_no_amounts(text: str) -> None:
    """What is no quantity raises ValueError."""
    with pytest.raises(ValueError, match=r"quantity|suffix"):
        amount(text)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("postgres", ("postgres", "latest", "")),
        ("postgres:18.3", ("postgres", "18.3", "")),
        ("localhost:5000/shop/order", ("localhost:5000/shop/order", "latest", "")),
        ("localhost:5000/shop/order:1", ("localhost:5000/shop/order", "1", "")),
        (f"shop/order@{DIGEST}", ("shop/order", "", DIGEST)),
        (f"localhost:5000/order:1@{DIGEST}", ("localhost:5000/order", "1", DIGEST)),
    ],
)
def test_references(reference: str, parts: tuple[str, str, str]) -> None:
    """A reference is taken apart at the tag's colon, not at that of the registry's port."""
    assert tuple(split_reference(reference).values()) == parts
