"""The postgres chart: its settings, its Job, and passwords that are only ever files."""

import json
import re
from typing import Any

from tests.unit.charts.datastores import stored
from tests.unit.charts.rendering import Object, of_kind, only, pod_templates
from tests.unit.charts.restricted import containers


def _job(changes: dict[str, Any] | None = None) -> Object:
    return only(stored("postgres", changes), "Job")


def test_passwords_are_only_files() -> None:
    """No container takes a Secret by its environment, and nothing that is rendered asks for a password elsewhere."""
    for template in pod_templates(stored("postgres")).values():
        for container in containers(template["spec"]):
            assert "secretKeyRef" not in json.dumps(container)
            assert "envFrom" not in container
        mounted = {volume["name"] for volume in template["spec"]["volumes"] if "secret" in volume}
        assert mounted == {"superuser"}


def test_the_job_reads_each_database_from_a_folder_of_its_own() -> None:
    """The folder's name is the database's in the values; other keys of the Secret stay outside, such as its URL."""
    (volume,) = (each for each in _job()["spec"]["template"]["spec"]["volumes"] if each["name"] == "databases")
    sources = {each["secret"]["name"]: each["secret"]["items"] for each in volume["projected"]["sources"]}
    assert set(sources) == {"shop-account-database", "shop-order-database"}
    assert sources["shop-order-database"] == [
        {"key": key, "path": f"order/{key}"} for key in ("username", "password", "database")
    ]


def test_the_job_is_another_when_what_it_does_is_another() -> None:
    """A new database, another image, a changed password's digest: a new name; settings of the server: the same."""
    names = [
        _job(changes)["metadata"]["name"]
        for changes in (
            {},
            {"databases": [{"name": "payment", "secretName": "shop-payment-database"}]},
            {"image": {"tag": "18.4"}},
            {"provision": {"podAnnotations": {"ecommerce.dev/secrets-digest": "2"}}},
        )
    ]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"shop-postgres-provision-[0-9a-f]{8}", name) for name in names)
    assert _job({"settings": {"max_connections": "50"}})["metadata"]["name"] == names[0]
    assert _job()["metadata"]["annotations"] == {"ecommerce.dev/stage": "provision"}


def test_the_databases_secrets_do_not_restart_the_server() -> None:
    """Their digest is on the Job's pods only, and a further database leaves the server's pods as they are."""
    further = {
        "databases": [{"name": "payment", "secretName": "shop-payment-database"}],
        "provision": {"podAnnotations": {"ecommerce.dev/secrets-digest": "2"}},
    }
    before, after = (only(stored("postgres", changes), "StatefulSet")["spec"] for changes in ({}, further))
    assert before == after


def test_settings_are_quoted() -> None:
    """Whatever a value holds, it is one value of one setting."""
    settings = {"max_connections": "50", "search_path": "'$user', public\\"}
    conf = only(stored("postgres", {"settings": settings}), "ConfigMap")["data"]["postgresql.conf"].splitlines()
    assert "max_connections = '50'" in conf
    assert "search_path = '''$user'', public\\\\'" in conf


def test_only_components_with_a_database_come_in() -> None:
    """Those whose names are in `databases`, and the Job; with them whoever the values name."""
    policy = only(stored("postgres", {"networkPolicy": {"clients": ["audit"]}}), "NetworkPolicy")
    (rule,) = policy["spec"]["ingress"]
    (peer,) = rule["from"]
    wanted = {each["key"]: each["values"] for each in peer["podSelector"]["matchExpressions"]}
    assert wanted["app.kubernetes.io/name"] == ["postgres", "account", "order", "audit"]
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/part-of": "shop"}
    assert rule["ports"] == [{"port": "postgres", "protocol": "TCP"}]


def test_without_databases_there_is_no_job() -> None:
    """There would be nothing for it to do."""
    assert not of_kind(stored("postgres", {"databases": []}), "Job")
