"""Images of the datastores for hosts that reach no registry: the same servers at the official images' paths.

PostgreSQL, Kafka and Elasticsearch are those that `make dev` runs (local/artifacts.py). Paths, users and the scripts
that charts call are the official images', so one chart runs on both. They are layers upon the base image, put together
without any container.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from local import artifacts
from local.images.archives import USUAL_PATH, Configuration, Image, write_archive
from local.images.base import GROUPS, USERS, base_layer, unpack_beside
from local.images.carriers import named, packed
from local.images.engines import store_directory
from local.images.layers import Layer, Owner
from local.images.recipe import version_of
from local.progress import Report

_FILES = Path(__file__).with_name("files")
_LOGGING = Path(artifacts.__file__).with_name("log4j2.properties")
_JAVA_HOME = "/opt/java/openjdk"
_JAVA = {"PATH": f"{_JAVA_HOME}/bin:{USUAL_PATH}", "JAVA_HOME": _JAVA_HOME, "LANG": "C.UTF-8"}
_SERVER = "usr/lib/postgresql/18"
_PROGRAMS = 0o755


def datastores(report: Report) -> Mapping[str, Image]:
    """Answer the images by the datastore's name; what they are made of is fetched at first use."""
    return {"postgres": _postgres(report), "kafka": _kafka(report), "elasticsearch": _elasticsearch(report)}


def archived(images: Mapping[str, Image]) -> dict[str, Path]:
    """Answer the one file that holds the images, written where it is not there yet."""
    references = [each.reference for each in images.values()]
    if not references:
        return {}
    archive = store_directory() / "archives" / f"datastores-{version_of(references)}.tar"
    if not archive.exists():
        for old in archive.parent.glob("datastores-*.tar"):
            old.unlink()
        write_archive(archive, list(images.values()))
    return dict.fromkeys(references, archive)


def _postgres(report: Report) -> Image:
    server = artifacts.postgres(report)

    def fill(root: Path) -> None:
        # Of the server's archive only the server: its clients come from Debian.
        unpack_beside(("postgresql-client",), root, report)
        _copy(server, root / _SERVER, leave_out=("*.a", "pkgconfig"))
        programs = root / "usr/local/bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name in ("psql", "pg_isready", "pg_dump", "pg_restore"):
            found = max((root / "usr/lib/postgresql").glob(f"*/bin/{name}"))
            (programs / name).symlink_to(f"/{found.relative_to(root)}")
        _user(root, "postgres", 999, "/var/lib/postgresql")
        _folders(root, "var/lib/postgresql", "run/postgresql")

    owners = [Owner(path, 999, 999) for path in ("var/lib/postgresql", "run/postgresql")]
    configuration = Configuration(
        user="999:999",
        environment={
            "PATH": f"{USUAL_PATH}:/{_SERVER}/bin",
            "PGDATA": "/var/lib/postgresql/18/docker",
            "LANG": "C.UTF-8",
        },
        stop_signal="SIGINT",
    )
    layers = [base_layer(report), _layer("postgres", artifacts.POSTGRES, fill, owners, report)]
    return named("postgres", configuration, layers)


def _kafka(report: Report) -> Image:
    jars = artifacts.kafka(report)

    def fill(root: Path) -> None:
        home = root / "opt/kafka"
        _copy(jars, home / "libs")
        for name in ("kafka-run-class.sh", "kafka-server-start.sh", "kafka-storage.sh"):
            _program(name, home / "bin" / name)
        (home / "config").mkdir()
        shutil.copy(_LOGGING, home / "config/log4j2.properties")
        _user(root, "appuser", 1000, "/home/appuser")
        _folders(root, "home/appuser", "var/lib/kafka/data", "opt/kafka/logs")

    owners = [Owner(path, 1000, 1000) for path in ("home/appuser", "var/lib/kafka", "opt/kafka/logs")]
    layers = [base_layer(report), _java(report), _layer("kafka", artifacts.KAFKA, fill, owners, report)]
    return named("kafka", Configuration(user="1000:1000", environment=_JAVA, directory="/opt/kafka"), layers)


def _elasticsearch(report: Report) -> Image:
    server, launcher = artifacts.elasticsearch(report), artifacts.launcher(report)

    def fill(root: Path) -> None:
        home = root / "usr/share/elasticsearch"
        _copy(server / "home", home)
        _copy(server / "lib", home / "lib")
        _copy(launcher, home / "launcher")
        _program("elasticsearch-entrypoint.sh", root / "usr/local/bin/docker-entrypoint.sh")
        _user(root, "elasticsearch", 1000, "/usr/share/elasticsearch")
        _folders(root, *(f"usr/share/elasticsearch/{name}" for name in ("config", "data", "logs")), mode=0o775)
        shutil.copy(_LOGGING, home / "config/log4j2.properties")

    owners = [Owner(f"usr/share/elasticsearch/{name}", 1000, 0) for name in ("config", "data", "logs")]
    made_of = f"{artifacts.ELASTICSEARCH}-{launcher.name}"
    configuration = Configuration(
        user="1000:0",
        environment=_JAVA,
        entrypoint=["/usr/local/bin/docker-entrypoint.sh"],
        directory="/usr/share/elasticsearch",
    )
    layers = [base_layer(report), _java(report), _layer("elasticsearch", made_of, fill, owners, report)]
    return named("elasticsearch", configuration, layers)


def _java(report: Report) -> Layer:
    runtime = artifacts.java(report).parents[1]

    def fill(root: Path) -> None:
        _copy(runtime, root / _JAVA_HOME.lstrip("/"), leave_out=("legal", "include"))

    return _layer("java", artifacts.JAVA, fill, [], report)


def _layer(name: str, made_of: str, fill: Callable[[Path], None], owners: Iterable[Owner], report: Report) -> Layer:
    """Answer a layer kept under a digest of this module, the files beside it, and what the layer is made of."""
    whole = hashlib.sha256(f"{made_of}{base_layer(report).digest}".encode())
    for path in (Path(__file__), _LOGGING, *sorted(_FILES.iterdir())):
        whole.update(path.read_bytes())
    return packed(f"{name}-{whole.hexdigest()[:8]}", fill, report, list(owners))


def _copy(source: Path, to: Path, leave_out: tuple[str, ...] = ()) -> None:
    shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*leave_out))
    to.chmod(_PROGRAMS)  # the cache's folders are their owner's alone


def _program(name: str, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_FILES / name, to)
    to.chmod(_PROGRAMS)


def _user(root: Path, name: str, number: int, home: str) -> None:
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text(f"{USERS}{name}:x:{number}:{number}::{home}:/bin/bash\n")
    (root / "etc/group").write_text(f"{GROUPS}{name}:x:{number}:\n")


def _folders(root: Path, *names: str, mode: int = 0o755) -> None:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
