"""Layers and archives: the same bytes from the same files."""

import json
import os
import stat
import tarfile
from pathlib import Path

from local.images.archives import Configuration, image, read_directory, share, write_archive
from local.images.layers import Layer, Owner, write_layer


def _root(folder: Path) -> Path:
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin/su").write_text("program")
    (root / "bin/su").chmod(0o4755)
    (root / "data").mkdir()
    (root / "data/file").write_text("bytes")
    (root / "sbin").symlink_to("bin")
    return root


def test_the_same_files_give_the_same_layer(tmp_path: Path) -> None:
    """Times, and the order in which files were made, leave no trace."""
    root = _root(tmp_path)
    first = write_layer(root, tmp_path / "first.tar")
    os.utime(root / "data/file", (1, 1))
    (root / "data/file").rename(tmp_path / "file")
    (tmp_path / "file").rename(root / "data/file")
    assert write_layer(root, tmp_path / "second.tar").digest == first.digest


def test_a_layer_has_the_owners_that_it_is_told(tmp_path: Path) -> None:
    """Files are root's, but for those of a named folder; links stay links; nothing has a set-user-id bit."""
    write_layer(_root(tmp_path), tmp_path / "layer.tar", [Owner("data", 999, 998)])
    with tarfile.open(tmp_path / "layer.tar") as archive:
        entries = {entry.name: entry for entry in archive}
    assert {name: (entry.uid, entry.gid) for name, entry in entries.items()} == {
        "bin": (0, 0),
        "bin/su": (0, 0),
        "data": (999, 998),
        "data/file": (999, 998),
        "sbin": (0, 0),
    }
    assert entries["bin/su"].mode == 0o755
    assert not any(entry.mode & (stat.S_ISUID | stat.S_ISGID) for entry in entries.values())
    assert entries["sbin"].issym()
    assert entries["sbin"].linkname == "bin"


def test_images_share_their_layers_in_an_archive(tmp_path: Path) -> None:
    """A layer of two images is in the archive once, and the manifest names both."""
    common = write_layer(_root(tmp_path), tmp_path / "common.tar")
    configuration = Configuration(user="999:999", entrypoint=["serve"], stop_signal="SIGINT")
    first = image("registry.example.com/first:1", configuration, [common])
    second = image("registry.example.com/second:1", Configuration(), [common])
    write_archive(tmp_path / "archive.tar", [first, second])
    with tarfile.open(tmp_path / "archive.tar") as archive:
        names = archive.getnames()
        listed = json.loads(_content(archive, "manifest.json"))
        told = json.loads(_content(archive, f"{first.digest}.json"))
    assert sorted(names) == sorted(
        [f"{common.digest}.tar", f"{first.digest}.json", f"{second.digest}.json", "manifest.json"]
    )
    assert [each["RepoTags"] for each in listed] == [
        ["registry.example.com/first:1"],
        ["registry.example.com/second:1"],
    ]
    assert told["config"]["User"] == "999:999"
    assert told["config"]["Entrypoint"] == ["serve"]
    assert told["config"]["StopSignal"] == "SIGINT"
    assert told["rootfs"]["diff_ids"] == [f"sha256:{common.digest}"]
    assert not (tmp_path / "archive.draft").exists()


def test_what_was_taken_out_of_a_store_is_read_back(tmp_path: Path) -> None:
    """The folder of an image answers its layers in order, whichever image brought their bytes first."""
    (tmp_path / "blobs").mkdir()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "aa").write_bytes(b"layer")
        (folder / name).write_bytes(b"{}")
        manifest = {"config": {"digest": f"sha256:{name}"}, "layers": [{"digest": "sha256:aa"}]}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        share(folder, tmp_path / "blobs")
    assert (tmp_path / "one/aa").stat().st_ino == (tmp_path / "two/aa").stat().st_ino
    assert read_directory("example:1", tmp_path / "two").layers == [Layer(tmp_path / "two/aa", "aa")]


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream is not None
    return stream.read()
