"""Claims about what of a chart's rendering is applied, and how."""

from typing import Any

import pytest

from ecommerce_operator.errors import RenderError
from ecommerce_operator.kinds import KINDS, Key, Phase, parse_key
from ecommerce_operator.manifests import Manifest, Owner, prepare

OWNER = Owner("shop", "here", "uid-1")
OURS = {"ecommerce.dev/platform": "shop", "ecommerce.dev/component": "order"}


def rendered(kind: str = "Deployment", version: str = "apps/v1", **meta: Any) -> dict[str, Any]:
    spec = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "shop-order", **meta}, "spec": spec}


def one(obj: Any) -> Manifest:
    return prepare([obj], OWNER, "order")[0]


def test_objects_are_labelled_and_owned() -> None:
    """Objects and pod templates carry the labels by which they are found; objects name the platform as controller."""
    body = one(rendered(labels={"c": "d"})).body
    assert body["metadata"]["labels"] == {"c": "d", **OURS}
    assert body["spec"]["template"]["metadata"]["labels"] == {"a": "b", **OURS}
    assert body["metadata"]["namespace"] == "here"
    assert body["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    assert body["metadata"]["ownerReferences"][0]["controller"] is True


def test_claims_are_labelled_and_have_no_owner() -> None:
    """Claims are found by label, and the garbage collector removes none with the platform."""
    body = rendered("StatefulSet")
    body["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    assert one(body).body["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"] == OURS
    claim = one({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}})
    assert "ownerReferences" not in claim.body["metadata"]


def test_what_was_rendered_is_not_changed() -> None:
    """The rendering stays as it is, because it is remembered."""
    body = rendered()
    one(body)
    assert body == rendered()


def test_phases_are_in_order() -> None:
    """What pods need comes first, then the migration, then the rest, then what needs the release's own pods."""
    stage = "ecommerce.dev/stage"
    objects = [
        rendered("Job", "batch/v1", annotations={stage: "provision"}),
        rendered(),
        rendered("Job", "batch/v1", annotations={stage: "migrate"}),
        rendered("ConfigMap", "v1"),
    ]
    phases = [manifest.phase for manifest in prepare(objects, OWNER, "order")]
    assert phases == [Phase.SUPPORT, Phase.MIGRATE, Phase.MAIN, Phase.PROVISION]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (rendered("ClusterRole", "rbac.authorization.k8s.io/v1"), "does not own"),
        (rendered("Pod", "v1"), "does not own"),
        (rendered(namespace="there"), "namespace there"),
        (rendered(annotations={"helm.sh/hook": "pre-install"}), "hook"),
        (rendered("Job", "batch/v1", annotations={"ecommerce.dev/stage": "later"}), "stage later"),
        ("text", "no Kubernetes object"),
        ({"kind": "Deployment"}, "no Kubernetes object"),
    ],
    ids=["cluster", "pod", "namespace", "hook", "stage", "text", "nameless"],
)
def test_what_must_not_be_in_a_chart_is_refused(bad: Any, said: str) -> None:
    """Other kinds, other namespaces, hooks and unknown stages are refused with a sentence."""
    with pytest.raises(RenderError, match=said):
        one(bad)


def test_keys_are_read_as_they_are_written() -> None:
    """The inventory's text of an object names it again; what is not known any more is no key."""
    for kind in KINDS:
        key = Key(kind, "here", "shop-order")
        assert parse_key(str(key), "here") == key
    assert parse_key("apps/v9/Deployment/x", "here") is None
    assert parse_key("nonsense", "here") is None


def test_paths_are_those_of_the_api() -> None:
    """Core and grouped kinds, collections and objects are where the API server has them."""
    paths = {kind.name: kind for kind in KINDS}
    assert paths["Service"].path("here", "x") == "/api/v1/namespaces/here/services/x"
    assert paths["Deployment"].path(None) == "/apis/apps/v1/deployments"
    assert paths["Deployment"].path("here", "x", "status") == "/apis/apps/v1/namespaces/here/deployments/x/status"
