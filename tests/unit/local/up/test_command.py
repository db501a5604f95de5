"""Claims about the commands around a cluster, as far as they need none."""

from pathlib import Path
from typing import Any

import pytest

from local.errors import LocalError, ToolMissingError
from local.up import preflight
from local.up.clusters import Given, HostNode, Where, chosen
from local.up.command import addresses, main
from local.up.installing import EXAMPLE, Manifest
from local.up.programs import CommandFailedError, Kubectl, fits, run

PLATFORM: dict[str, Any] = {
    "metadata": {"name": "shop", "namespace": "market"},
    "spec": {"administrator": {"email": "admin@example.com"}},
    "status": {"url": "http://10.0.0.7/graphql"},
}


def test_the_example_is_read() -> None:
    """The platform of `make up` is the one example that needs nothing else."""
    manifest = Manifest.read(EXAMPLE)
    assert (manifest.name, manifest.namespace) == ("shop", "shop")
    assert {each["kind"] for each in manifest.objects} == {"Namespace", "EcommercePlatform"}


@pytest.mark.parametrize(("text", "named"), [("", "0 EcommercePlatforms"), ("a: [", "cannot be read")])
def test_a_file_that_is_none(tmp_path: Path, text: str, named: str) -> None:
    """A file without a platform, or without sense, is an error that says so."""
    file = tmp_path / "platform.yaml"
    file.write_text(text)
    with pytest.raises(LocalError, match=named):
        Manifest.read(file)


def test_all_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One error holds every missing program, by the package that brings it."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("ECOMMERCE_CACHE", str(tmp_path))
    with pytest.raises(ToolMissingError) as missing:
        preflight.check(HostNode(), "")
    for word in ("containerd", "buildah", "conntrack", "nftables", "maven", "https://go.dev"):
        assert word in str(missing.value)


def test_a_given_cluster_needs_a_registry(tmp_path: Path) -> None:
    """Without a registry its nodes could not get the images."""
    with pytest.raises(ToolMissingError, match="REGISTRY"):
        preflight.check(Given(tmp_path / "config"), "")


def test_a_kubeconfig_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is one line on stderr, and exit status 1."""
    assert main(["down", "--kubeconfig", str(tmp_path / "config")]) == 1
    assert "there is no kubeconfig" in capsys.readouterr().err


def test_the_given_cluster_is_taken(tmp_path: Path) -> None:
    """A kubeconfig that is given wins over whatever this host could make."""
    assert isinstance(chosen(tmp_path / "config"), Given)


def test_a_person_is_told_where_everything_is(tmp_path: Path) -> None:
    """The address on this host, the playground, the administrator, how to see the password, and kubectl's file."""
    kubectl = Kubectl(tmp_path / "bin/kubectl", tmp_path / "config")
    text = addresses(Where(tmp_path / "config", "http://10.123.0.2"), kubectl, PLATFORM)
    assert "http://10.123.0.2/graphql" in text
    assert "http://10.123.0.2/playground" in text
    assert "admin@example.com" in text
    assert "kubectl -n market get secret shop-administrator" in text
    assert "{{.data.password | base64decode}}" in text
    assert f"export KUBECONFIG={tmp_path}/config PATH={tmp_path}/bin:$PATH" in text


def test_on_a_foreign_cluster_the_platform_tells_its_address(tmp_path: Path) -> None:
    """Its ingress is not this host's: the status knows where it is; without one there is a way in by kubectl."""
    kubectl = Kubectl(tmp_path / "kubectl", tmp_path / "config")
    where = Where(tmp_path / "config", "")
    assert "http://10.0.0.7/graphql" in addresses(where, kubectl, PLATFORM)
    assert "port-forward service/shop-gateway" in addresses(where, kubectl, PLATFORM | {"status": {}})


def test_a_program_that_fails_is_told_in_its_own_words() -> None:
    """The error holds what it said; a deadline that passes is an error too."""
    with pytest.raises(CommandFailedError, match="no such place"):
        run(["sh", "-c", "echo no such place >&2; exit 3"], timeout=10)
    with pytest.raises(CommandFailedError, match="did not end within 0 s"):
        run(["sleep", "10"], timeout=0.1)


@pytest.mark.parametrize(("version", "expected"), [("v1.35.1", True), ("v1.30.9", False), ("nonsense", False)])
def test_only_a_kubectl_that_is_new_enough_is_taken(tmp_path: Path, version: str, expected: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """One that is too old for the cluster is passed over."""
    own = tmp_path / "kubectl"
    own.write_text(f'#!/bin/sh\necho \'{{"gitVersion": "{version}"}}\'\n')
    own.chmod(0o755)
    assert fits("kubectl", str(own)) is expected
