"""Claims about running from a folder of sources that change."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.development import fingerprint

# The child writes a word into a file that the test reads: which one says which version of the source runs.
_CHILD = "import signal, pathlib, sys\npathlib.Path(sys.argv[1]).open('a').write('{word}\\n')\nsignal.pause()\n"
_RUN = """import pathlib, sys
from services.development import Runner
Runner(["child", sys.argv[1]], pathlib.Path(sys.argv[2])).run()
"""


def _until(path: Path, text: str, process: "subprocess.Popen[bytes]") -> None:
    while not path.exists() or path.read_text() != text:
        assert process.poll() is None
        signal.sigtimedwait([], 0.05)


@pytest.mark.timeout(60)
def test_a_changed_file_counts(tmp_path: Path) -> None:
    """The command runs from the folder, again after a change, and ends with the program that runs it."""
    module, told = tmp_path / "child.py", tmp_path / "told"
    module.write_text(_CHILD.format(word="first"))
    process = subprocess.Popen([sys.executable, "-c", _RUN, str(told), str(tmp_path)])  # noqa: S603 (our own words)
    try:
        _until(told, "first\n", process)
        module.write_text(_CHILD.format(word="second, longer"))
        _until(told, "first\nsecond, longer\n", process)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_only_python_files_count(tmp_path: Path) -> None:
    """A file of another kind starts nothing again."""
    before = fingerprint(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert fingerprint(tmp_path) == before
    (tmp_path / "module.py").write_text("x = 1")
    assert fingerprint(tmp_path) != before
