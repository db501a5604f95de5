"""Claims about the programs that are built: which there are, what keys them, and what is said where Go is missing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import FetchFailedError, ToolMissingError
from local.kubernetes import golang, tools
from local.progress import silent

KUBERNETES = {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "etcd"}


@pytest.fixture
def without_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host with an empty cache and a PATH that has nothing but what a test puts into the answered folder."""
    monkeypatch.setenv("ECOMMERCE_CACHE", str(tmp_path / "cache"))
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


def program(folder: Path, name: str, *lines: str) -> None:
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)


def test_every_program_of_a_cluster_has_one_source() -> None:
    """The names that others ask for are there, each in one set only."""
    names = [name for each in tools.SETS for name in each.names()]
    assert {"helm", "kubectl", "kubeconform", "coredns", "contour", *KUBERNETES} <= set(names)
    assert len(names) == len(set(names))


def test_a_set_is_keyed_by_all_its_own_sources() -> None:
    """Every Go file of a program that is our own counts, so that a change of it builds anew."""
    for each in tools.SETS:
        own = [program.package for program in each.programs if program.package.startswith("./")]
        files = {
            str(path.relative_to(golang.MODULE)) for package in own for path in (golang.MODULE / package).glob("*.go")
        }
        assert set(each.sources) == {"go.mod", "go.sum", *files}


GOFMT = shutil.which("gofmt")


@pytest.mark.skipif(GOFMT is None, reason="Go is not on this host")
def test_go_sources_are_formatted() -> None:
    """What gofmt would change is named."""
    command = [str(GOFMT), "-l", str(golang.MODULE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (gofmt of this host's Go)
    assert done.stdout == ""


def test_an_unknown_tool_is_answered_with_those_there_are() -> None:
    """The message names what was asked for and what could be."""
    with pytest.raises(ToolMissingError, match=r"there is no tool helmet; there are: .*helm, "):
        tools.tool("helmet", silent)


def test_without_go_the_message_says_how_to_get_it(without_go: Path) -> None:
    """A missing Go is named with the version wanted and what brings it; nothing is left in the cache."""
    with pytest.raises(
        ToolMissingError, match=rf"Go is missing.*Go {golang.wanted_version()}.*https://go.dev/doc/install"
    ):
        tools.tool("kubelet", silent)
    assert not (without_go.parent / "cache").exists()


def test_a_go_that_cannot_fetch_a_newer_one_is_too_old(without_go: Path) -> None:
    """Debian 12's own Go 1.19 is refused by its version, before it stumbles over go.mod."""
    program(without_go, "go", "echo go version go1.19.8 linux/amd64")
    with pytest.raises(ToolMissingError, match="too old"):
        tools.tool("helm", silent)


def test_a_go_that_is_kept_from_fetching_a_newer_one_says_so(without_go: Path) -> None:
    """Go's own words about GOTOOLCHAIN=local reach the person."""
    said = "go: go.mod requires go >= 1.26.0 (running go 1.24.1; GOTOOLCHAIN=local)"
    program(
        without_go,
        "go",
        'case "$1" in version) echo go version go1.24.1 linux/amd64;;',
        f'*) echo "{said}" >&2; exit 1;; esac',
    )
    with pytest.raises(ToolMissingError, match="GOTOOLCHAIN=local"):
        tools.tool("helm", silent)


def test_the_hosts_own_client_stands_in_where_go_is_missing(without_go: Path) -> None:
    """A helm on the PATH is used on a host without Go; a kubelet there never is."""
    program(without_go, "helm")
    program(without_go, "kubelet")
    assert tools.tool("helm", silent) == without_go / "helm"
    with pytest.raises(ToolMissingError):
        tools.tool("kubelet", silent)


def test_the_users_flags_do_not_reach_the_build() -> None:
    """Flags, workspaces and target systems of the user's other work are replaced; proxies and caches stay."""
    users = {"GOFLAGS": "-mod=mod", "GOWORK": "/else/go.work", "GOOS": "plan9", "GOPROXY": "off", "GOCACHE": "/kept"}
    given = golang.environment(users)
    assert given["GOFLAGS"] == "-mod=readonly -buildvcs=false"
    assert given["GOWORK"] == "off"
    assert "GOOS" not in given
    assert (given["GOPROXY"], given["GOCACHE"]) == ("off", "/kept")


def test_a_failed_build_shows_gos_last_words_and_caches_nothing(without_go: Path) -> None:
    """The error has what Go said, and the next call tries again."""
    lines = ('case "$1" in', "version) echo go version go1.26.0 linux/amd64;;", "env) echo go1.26.0;;")
    program(without_go, "go", *lines, 'build) echo "no space left on device" >&2; exit 1;; esac')
    with pytest.raises(FetchFailedError, match="no space left on device"):
        tools.tool("helm", silent)
    assert [path.suffix for path in (without_go.parent / "cache").iterdir()] == [".lock"]


def test_release_stamps_follow_go_mod() -> None:
    """Programs tell the versions that go.mod has: clients choose what they send by them."""
    stamps = tools.stamps()
    version = golang.module_version("k8s.io/kubernetes")
    assert stamps["k8s.io/component-base/version.gitVersion"] == version
    assert stamps["helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor"] == version.split(".")[1]


@pytest.mark.parametrize("arguments", [[], ["--path"], ["--unknown"]])
def test_a_wrong_command_line_is_answered_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is built for a call that cannot be meant."""
    assert tools.main(arguments) == 2
    assert capsys.readouterr().out.startswith("usage:")


def test_the_command_line_ends_with_a_sentence_instead_of_a_trace() -> None:
    """An unknown name on the command line is one line on the error stream, and exit code 1."""
    done = subprocess.run(
        [sys.executable, "-m", "local.kubernetes.tools", "helmet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("there is no tool helmet")
    assert "Traceback" not in done.stderr
