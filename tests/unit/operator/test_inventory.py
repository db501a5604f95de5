"""Claims about the record of what was made."""

from ecommerce_operator.inventory import Inventory
from ecommerce_operator.kinds import DEPLOYMENT, JOB, Key
from ecommerce_operator.manifests import Owner

OWNER = Owner("shop", "here", "uid-1")
POD, RUN = Key(DEPLOYMENT, "here", "shop-order"), Key(JOB, "here", "shop-order-migrate-1")


def test_it_is_read_as_it_was_written() -> None:
    """A ConfigMap's data gives the same records again."""
    inventory = Inventory()
    inventory.expect("order", [POD, RUN])
    inventory.complete("order", "digest")
    assert Inventory.parse(inventory.manifest(OWNER).body["data"]) == inventory


def test_what_cannot_be_read_is_as_if_it_were_not_there() -> None:
    """Nonsense that somebody wrote into the ConfigMap stops nothing."""
    assert Inventory.parse({"a": "nonsense", "b": "[]", "c": "{}", "d": '{"objects": 1, "applied": ""}'}).records == {}


def test_entries_are_only_added_until_they_are_dropped() -> None:
    """A new wish adds to what is recorded; only what is gone is dropped, and at last the component."""
    inventory = Inventory()
    inventory.expect("order", [RUN])
    inventory.expect("order", [POD])
    assert inventory.of("order").objects == {str(POD), str(RUN)}
    inventory.drop("order", [str(RUN)])
    assert inventory.of("order").objects == {str(POD)}
    inventory.drop("order", [str(POD)])
    assert inventory.records == {}
