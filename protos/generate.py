"""Generates protos/gen from the .proto files: betterproto2 dataclasses, and the descriptors that rpc.py reads.

`python protos/generate.py` writes; with `--check` it writes to a temporary folder and fails where the two differ.
"""

import filecmp
import importlib.resources
import subprocess
import sys
import tempfile
from pathlib import Path

PROTOS = Path(__file__).parent
GENERATED = PROTOS / "gen"


def generate(into: Path) -> None:
    """Runs protoc over every .proto file, twice: for the dataclasses and for the descriptor set."""
    into.mkdir(parents=True, exist_ok=True)
    includes = [f"-I{PROTOS}", f"-I{importlib.resources.files('grpc_tools') / '_proto'}"]
    sources = sorted(str(path) for path in PROTOS.glob("*.proto"))
    options = ["client_generation=async", "server_generation=async"]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", *includes]
    subprocess.run(
        [
            *protoc,
            f"--python_betterproto2_out={into}",
            *(f"--python_betterproto2_opt={o}" for o in options),
            *sources,
        ],
        check=True,
        stderr=subprocess.DEVNULL if "--quiet" in sys.argv else None,
        env={"PATH": str(Path(sys.executable).parent) + ":/usr/bin:/bin"},
    )
    subprocess.run([*protoc, f"--descriptor_set_out={into / 'descriptors.binpb'}", *sources], check=True)


def differences(left: Path, right: Path) -> list[str]:
    """Names the files that are not the same in both trees, relative to them."""

    def files(root: Path) -> set[str]:
        return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts}

    names = files(left) | files(right)
    _, mismatch, errors = filecmp.cmpfiles(left, right, names, shallow=False)
    return sorted(mismatch + errors)


def main() -> int:
    """Writes the generated code, or compares it when asked to."""
    if "--check" not in sys.argv:
        generate(GENERATED)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "gen"
        generate(fresh)
        stale = differences(fresh, GENERATED)
    for name in stale:
        print(f"protos/gen/{name} is not what the .proto files say: run `make protos`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
