"""How another state's platform is started, released and cleaned up: the program runs on a checkout of two small files.

Its platform starts nothing and writes down what becomes of it; the real one behind the same program is what every run
of the benchmark uses.
"""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from tests.bench import sides
from tests.bench.checkouts import Checkout

_PLATFORM = """
import os
from pathlib import Path
from types import SimpleNamespace

class Platform:
    administrator_email, administrator_password = "admin@example.com", "secret"

    def __init__(self, *, instances, overrides):
        self.instances, self.overrides = instances, overrides
        self.layout = SimpleNamespace(ports={name: 8000 + n for n, name in enumerate(instances)})
        self.processes = [SimpleNamespace(name=name, pid=os.getpid()) for name in ("postgres", *instances)]
        self.datastores = SimpleNamespace(all=[SimpleNamespace(name="postgres")])

    async def __aenter__(self):
        if Path("broken").exists():
            raise RuntimeError("it does not start")
        Path("told").write_text(repr(self.overrides))
        return self

    async def __aexit__(self, *_):
        Path("stopped").touch()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "local").mkdir()
    (tmp_path / "local/platform.py").write_text(_PLATFORM)
    (tmp_path / "local/topology.py").write_text('INSTANCES = ("order", "gateway")\n')
    (tmp_path / "services/gateway").mkdir(parents=True)
    (tmp_path / "services/gateway/__main__.py").write_text("response_cache_bytes = 1\n")
    return Checkout(tmp_path, Path(sys.executable))


async def test_running(checkout: Checkout) -> None:
    """It says where it answers and which process is which part, has a gateway without a cache, and ends in order."""
    async with sides.running("after", checkout) as side:
        assert side.urls == {sides.GATEWAY: "http://127.0.0.1:8001/graphql", sides.OFF: "http://127.0.0.1:8002/graphql"}
        assert list(side.parts) == ["postgres", "order", sides.GATEWAY, sides.OFF]
        assert side.datastores == {"postgres"}
        assert side.administrator == ("admin@example.com", "secret")
        assert (checkout.folder / "told").read_text() == repr({sides.OFF: {"RESPONSE_CACHE_BYTES": "0"}})
        assert not (checkout.folder / "stopped").exists()
    assert (checkout.folder / "stopped").exists()
    assert not psutil.pid_exists(side.parts["order"])


async def test_a_state_without_a_cache(checkout: Checkout) -> None:
    """A state that knows no cache has one gateway."""
    (checkout.folder / "services/gateway/__main__.py").write_text("")
    async with sides.running("before", checkout) as side:
        assert list(side.urls) == [sides.GATEWAY]
        assert not side.has_cache


async def test_ends_with_an_error(checkout: Checkout) -> None:
    """What ends the benchmark in between ends the platform in order as well."""
    with pytest.raises(KeyError):
        async with sides.running("after", checkout):
            raise KeyError
    assert (checkout.folder / "stopped").exists()


async def test_no_start(checkout: Checkout, capfd: pytest.CaptureFixture[str]) -> None:
    """A platform that does not start ends the benchmark, and its own words are shown."""
    (checkout.folder / "broken").touch()
    with pytest.raises(RuntimeError, match="The platform after did not start"):
        async with sides.running("after", checkout):
            pytest.fail("It does not run.")
    assert "it does not start" in capfd.readouterr().err


_PARENT = """
import asyncio, sys
from pathlib import Path
from tests.bench import sides
from tests.bench.checkouts import Checkout

async def main():
    async with sides.running("after", Checkout(Path(sys.argv[1]), Path(sys.executable))) as side:
        print(side.parts["order"], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_ends_with_its_parent(checkout: Checkout) -> None:
    """Where the benchmark is killed by force, the platform still ends in order."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, str(checkout.folder), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    platform = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [platform], timeout=20)
    assert not platform.is_running()
    assert (checkout.folder / "stopped").exists()
