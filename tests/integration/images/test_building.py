"""Images built for real, by buildah and from nothing but packages; skipped where that cannot be.

What is built already, for this checkout, is taken from the cache.
"""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from local.images import build, standins
from local.images.building import kept_names
from local.images.carriers import carriers
from local.images.engines import Buildah
from local.progress import to_terminal

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("buildah", "uv", "apt-get", "dpkg-deb"))),
    reason="images without a registry are built by root, with buildah, on Debian or Ubuntu",
)
LIBRARIES = "import services.gateway.__main__, granian, ssl, sqlite3, zoneinfo; zoneinfo.ZoneInfo('Europe/Lisbon')"

# Wheels bring all that they need but one, which wants the system's OpenMP.
TRAINS = """
import implicit.cpu.als, numpy, pandas, scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_limits
with threadpool_limits(1, "blas"):
    model = implicit.cpu.als.AlternatingLeastSquares(factors=4, num_threads=2, iterations=1)
    model.fit(scipy.sparse.random(20, 10, 0.5, format="csr", dtype=numpy.float32), show_progress=False)
TfidfVectorizer().fit(["a red scarf"])
"""


class WithoutCache(Buildah):
    """buildah that takes no layer from an earlier build."""

    def _build_options(self) -> list[str]:
        return [*super()._build_options(), "--no-cache"]


@pytest.mark.timeout(1200)
def test_the_gateways_image_runs_as_its_user(tmp_path: Path) -> None:
    """The image has all that its program imports, no build tools, and its user may write nothing of it."""
    built = build(to_terminal, tool="buildah", stand_ins=True, names=("gateway",))
    reference = next(each for each in built.references if "/gateway:" in each)
    root, configuration = _unpacked(built.archives[reference], reference, tmp_path)
    assert configuration["User"] == "10001:10001"
    assert configuration["Entrypoint"] == ["python", "-m"]
    _run(root, configuration, "python", "-m", "services.gateway", "schema", "--check")
    _run(root, configuration, "python", "-c", LIBRARIES)
    writable = _run(root, configuration, "find", "/", "-xdev", "-writable", "-not", "-type", "l", "-printf", "%p\\n")
    assert set(writable.split()) <= {"/tmp", "/var/tmp"}  # noqa: S108 (the image's own)
    present = [name for name in ("uv", "pip", "gcc", "make", "apt-get") if _found(root, name)]
    assert not present
    assert not (root / "app/services/account").exists()


@pytest.mark.timeout(1200)
def test_the_recommenders_image_can_train(tmp_path: Path) -> None:
    """What training needs is there and computes, on a base without a compiler's libraries."""
    built = build(to_terminal, tool="buildah", stand_ins=True, names=("recommender",))
    reference = next(each for each in built.references if "/recommender:" in each)
    root, configuration = _unpacked(built.archives[reference], reference, tmp_path)
    assert not list(root.glob("usr/lib/*/libgomp*"))
    (root / "dev/shm").mkdir(mode=0o1777)
    _run(root, configuration, "python", "-c", TRAINS)


@pytest.mark.timeout(1200)  # on a busy machine, two builds from nothing
def test_the_same_inputs_give_the_same_image() -> None:
    """Built twice, the second time without any layer of the first, an image has the same id."""
    usual, anew = Buildah(), WithoutCache()
    kept = kept_names(usual, to_terminal, stand_ins=True, names=("account",))["account"]
    if not usual.has(kept):
        build(to_terminal, tool="buildah", stand_ins=True, names=("account",))
    again = f"{kept}-again"
    anew.build("account", again, carriers(usual, to_terminal))
    try:
        assert anew.identity(again) == usual.identity(kept)
    finally:
        anew.remove(again)


def test_building_leaves_no_mount() -> None:
    """The mounts of a build end with it."""
    Buildah().names()
    assert "ecommerce-platform/images" not in Path("/proc/mounts").read_text()


@pytest.mark.timeout(1200)
def test_the_datastores_stand_ins_have_what_charts_call(tmp_path: Path) -> None:
    """Each stand-in has its official namesake's programs and folders, and its own user may write to its data."""
    made = standins.datastores(to_terminal)
    archives = standins.archived(made)
    expected = {
        "postgres": ("999:999", ["initdb --version", "postgres --version", "psql --version", "pg_isready --version"]),
        "kafka": ("1000:1000", ["test -x /opt/kafka/bin/kafka-server-start.sh", "java -version"]),
        "elasticsearch": ("1000:0", ["test -w /usr/share/elasticsearch/data", "java -version"]),
    }
    for name, (user, commands) in expected.items():
        reference = made[name].reference
        root, configuration = _unpacked(archives[reference], reference, tmp_path / name)
        assert configuration["User"] == user
        for command in commands:
            _run(root, configuration, *command.split())


def _unpacked(archive: Path, reference: str, into: Path) -> tuple[Path, dict[str, object]]:
    """Answer an image's root file system, and what the image says to those who run it."""
    root = into / "root"
    root.mkdir(parents=True)
    with tarfile.open(archive) as opened:
        listed = json.loads(_content(opened, "manifest.json"))
        one = next(each for each in listed if reference in each["RepoTags"])
        for layer in one["Layers"]:
            command = ["tar", "-x", "-p", "--numeric-owner", "-C", str(root)]
            subprocess.run(command, input=_content(opened, layer), check=True, timeout=120)  # noqa: S603 (tar)
        configuration = json.loads(_content(opened, one["Config"]))["config"]
    root.chmod(0o755)
    return root, configuration


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream is not None
    return stream.read()


def _run(root: Path, configuration: dict[str, object], *command: str) -> str:
    """Run a command in the image's root as the image's user."""
    environment = configuration["Env"]
    assert isinstance(environment, list)
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root / 'proc'}"]
    user = ["chroot", f"--userspec={configuration['User']}", "--groups=", str(root), "/usr/bin/env", "-i"]
    done = subprocess.run(  # noqa: S603 (the image's own programs)
        [*alone, *user, *environment, *command], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 or command[0] == "find", done.stdout + done.stderr
    return done.stdout


def _found(root: Path, name: str) -> bool:
    return any((root / folder / name).exists() for folder in ("usr/bin", "usr/local/bin", "venv/bin"))
