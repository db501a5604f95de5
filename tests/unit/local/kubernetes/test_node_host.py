"""Claims about what the node does on the host before and after it runs: names, locks, archives, the state folder."""

import io
import json
import os
import signal
import subprocess
import tarfile
from ipaddress import IPv4Network
from pathlib import Path
from time import monotonic

import pytest

from local.errors import AlreadyRunningError, StartFailedError, ToolMissingError
from local.kubernetes.node import Node, archives, lifecycle, locks, network, preflight
from local.kubernetes.node.layout import PODS, SERVICES, Layout, Record
from local.kubernetes.node.processes import is_ending

LINK_NAME_LIMIT = 15  # IFNAMSIZ of Linux, without the final zero


def test_two_folders_are_two_nodes(tmp_path: Path) -> None:
    """The names of link and cgroup differ, stay the same, and fit a network interface."""
    one, other = Layout(tmp_path / "one"), Layout(tmp_path / "other")
    assert one.name == Layout(tmp_path / "one").name != other.name
    assert len(one.name) <= LINK_NAME_LIMIT


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Only its owner can read the file; where there is none, there is no record."""
    record = Record(keeper=10, init=11, host="10.123.0.1", address="10.123.0.2")
    record.write(tmp_path / "node.json")
    assert Record.read(tmp_path / "node.json") == record
    assert (tmp_path / "node.json").stat().st_mode & 0o077 == 0
    assert Record.read(tmp_path / "other.json") is None


def test_the_link_takes_a_network_that_nothing_else_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of routes and of addresses are passed over, the default route is not one, nor are the cluster's own."""
    taken = {
        "route": [{"dst": "default"}, {"dst": "10.123.0.0/30"}, {"dst": "10.123.0.5"}],
        "address": [{"addr_info": [{"local": "10.123.0.9", "prefixlen": 30}]}],
    }
    monkeypatch.setattr(
        network, "_run", lambda *command: json.dumps(taken["route" if "route" in command else "address"])
    )
    assert network.choose() == network.Link("10.123.0.13", "10.123.0.14")
    assert not IPv4Network(PODS).overlaps(IPv4Network(SERVICES))


def test_a_host_without_a_free_network_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A route to the whole range leaves nothing to choose."""
    monkeypatch.setattr(network, "_taken", lambda: [IPv4Network("10.0.0.0/8")])
    with pytest.raises(StartFailedError, match="no free network"):
        network.choose()


def test_all_that_is_missing_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message names each program and plugin, and the one command that brings their packages."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(preflight, "CNI", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(ToolMissingError) as caught:
        preflight.check(tmp_path)
    assert "containerd, ctr, runc, ip, nft" in str(caught.value)
    assert "ptp, host-local, portmap, loopback" in str(caught.value)
    assert "apt-get install -y conntrack containerd containernetworking-plugins iproute2" in str(caught.value)


def test_only_root_can_run_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else is told what to use instead."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ToolMissingError, match=r"needs root.*kind"):
        preflight.check(tmp_path)


def test_the_file_system_is_that_of_the_nearest_mount() -> None:
    """/proc is known; what is not there yet counts as where it will be."""
    assert preflight.file_system(Path("/proc/self")) == "proc"
    assert preflight.file_system(Path("/proc/none/at/all")) == "proc"


def test_a_lock_is_seen_by_others_and_freed_with_its_holder(tmp_path: Path) -> None:
    """While it is held, nobody else gets it within the time that they have; afterwards they do."""
    path = tmp_path / "lock"
    assert not locks.is_held(path)
    with locks.held(path, within=0):
        assert locks.is_held(path)
        with pytest.raises(AlreadyRunningError, match="another command"), locks.held(path, within=0):
            pass
    with locks.held(path, within=0):
        pass
    assert not locks.is_held(path)


def test_a_folder_that_was_never_a_nodes_is_not_cleaned(tmp_path: Path) -> None:
    """Somebody's files stay, and they are told to choose another folder."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StartFailedError, match="holds other things"):
        lifecycle.clean(Layout(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_nothing_can_be_asked_where_nothing_runs(tmp_path: Path) -> None:
    """The sentence says how to start it; there is no status."""
    node = Node(tmp_path / "state")
    assert node.status() is None
    with pytest.raises(StartFailedError, match="no node runs: start it"):
        node.restart("kubelet")


def test_an_archive_holds_one_program_that_nobody_special_runs(tmp_path: Path) -> None:
    """Its configuration names the layer by the digest of its content, and its manifest the image's name."""
    program = tmp_path / "echo"
    program.write_bytes(b"program")
    archives.write(tmp_path / "image.tar", "example.com/echo:1", program)
    with tarfile.open(tmp_path / "image.tar") as image:
        content = {name: (image.extractfile(name) or io.BytesIO()).read() for name in image.getnames()}
    (manifest,), config = json.loads(content["manifest.json"]), json.loads(content["config.json"])
    assert manifest["RepoTags"] == ["example.com/echo:1"]
    assert config["config"] == {"Entrypoint": ["/echo"], "User": "65535:65535"}
    with tarfile.open(fileobj=io.BytesIO(content["layer.tar"])) as layer:
        (entry,) = layer.getmembers()
    assert (entry.name, entry.mode) == ("echo", 0o755)


def test_a_killed_process_is_ending_before_the_kernel_has_ended_it() -> None:
    """It counts as gone soon after the signal, as a zombie, and after that; a stopped one is there.

    Soon, not at once: between taking a signal off the list and marking the process the kernel shows neither.
    """
    for _ in range(50):
        with subprocess.Popen(["/bin/sleep", "60"]) as child:
            assert not is_ending(child.pid)
            child.send_signal(signal.SIGSTOP)
            assert not is_ending(child.pid)
            child.kill()
            deadline = monotonic() + 10
            while not is_ending(child.pid):
                assert monotonic() < deadline
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            assert is_ending(child.pid)
        assert is_ending(child.pid)


@pytest.mark.parametrize("killed", ["keeper", "init"])
def test_a_node_whose_processes_are_dying_does_not_run(tmp_path: Path, killed: str) -> None:
    """Its lock may still be held for a moment: a process that is on its way out holds it until the end."""
    node = Node(tmp_path)
    with node.layout.lock.open("a") as lock, subprocess.Popen(["/bin/sleep", "60"]) as dying:
        assert locks.take(lock)
        assert node.running
        processes = {"keeper": os.getpid(), "init": os.getpid(), killed: dying.pid}
        Record(**processes, host="10.123.0.1", address="10.123.0.2").write(node.layout.record)
        assert node.running
        dying.kill()
        deadline = monotonic() + 10
        while node.running:
            assert monotonic() < deadline
        assert node.status() is None
