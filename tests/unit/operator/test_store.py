"""Claims about the operator's picture of the cluster."""

from typing import Any

from ecommerce_operator.kinds import DEPLOYMENT, SECRET, Key, Kind
from ecommerce_operator.store import Seen, Store

OWNED = {"manager": "ecommerce-operator", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}


def sight(kind: Kind = DEPLOYMENT, version: int = 1, platform: str = "shop", **meta: Any) -> Seen:
    body = {
        "metadata": {
            "name": "one",
            "namespace": "here",
            "uid": "u",
            "resourceVersion": str(version),
            "labels": {"ecommerce.dev/platform": platform, "ecommerce.dev/component": "order"},
            "managedFields": [OWNED],
            **meta,
        },
        "spec": {"replicas": 1},
    }
    return Seen.of(kind, body)


def store() -> tuple[Store, list[tuple[str, str]]]:
    woken: list[tuple[str, str]] = []
    return Store(lambda namespace, name: woken.append((namespace, name))), woken


KEY = Key(DEPLOYMENT, "here", "one")


def test_an_older_sight_is_dropped() -> None:
    """A watch that is behind does not undo what is known already."""
    picture, woken = store()
    picture.put(sight(version=5))
    picture.put(sight(version=4))
    picture.remove(sight(version=3))
    assert (picture.get(KEY, "shop") or sight()).version == 5
    assert woken == [("here", "shop")]


def test_what_is_put_quietly_wakes_nobody() -> None:
    """The operator's own writes do not wake it."""
    picture, woken = store()
    picture.put(sight(), quietly=True)
    assert woken == []


def test_a_list_ends_what_it_does_not_hold() -> None:
    """After a fresh list only what is in it is there, and what was written after it was made."""
    picture, woken = store()
    picture.put(sight(version=3))
    picture.put(sight(SECRET, version=9))
    picture.replace(DEPLOYMENT, None, (), 5)
    assert picture.get(KEY, "shop") is None
    picture.replace(SECRET, None, (), 5)
    assert len(picture.of_platform("here", "shop")) == 1
    assert woken[-1] == ("here", "shop")


def test_a_list_of_one_namespace_leaves_the_others() -> None:
    """A list of another namespace says nothing about this one."""
    picture, _ = store()
    picture.put(sight())
    picture.replace(DEPLOYMENT, "there", (), 5)
    assert picture.get(KEY, "shop")


def test_an_object_that_changes_its_platform_moves() -> None:
    """With another platform's label it is the other's, and both are woken."""
    picture, woken = store()
    picture.put(sight(version=1))
    picture.put(sight(version=2, platform="other"))
    assert picture.get(KEY, "shop") is None
    assert picture.get(KEY, "other")
    assert set(woken) == {("here", "shop"), ("here", "other")}


def test_only_metadata_is_kept_of_secrets() -> None:
    """Of kinds whose status does not matter nothing but the metadata is kept."""
    assert sight(SECRET).body == {}
    assert sight(DEPLOYMENT).body["spec"] == {"replicas": 1}
    assert "managedFields" not in sight(DEPLOYMENT).body["metadata"]


def test_ownership_changes_only_with_our_own_fields() -> None:
    """Others' fields and statuses leave it as it is; a field taken from us changes it."""
    kubelet = {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}}
    taken = {**OWNED, "fieldsV1": {"f:spec": {}}}
    assert sight().ownership == sight(managedFields=[kubelet, OWNED], annotations={"a": "b"}).ownership
    assert sight().ownership != sight(managedFields=[kubelet, taken]).ownership
    assert sight(managedFields=[kubelet]).ownership == ""
