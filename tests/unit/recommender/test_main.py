import os
import subprocess
import sys

import pytest

from services.recommender import __main__ as recommender

LEARNING = ("implicit", "pandas", "scipy", "sklearn")


def test_a_serving_process_loads_nothing_that_only_training_needs() -> None:
    """Serving starts fast and stays small: it imports NumPy, and none of the libraries that learn."""
    program = (
        "import sys; import services.recommender.__main__;"
        f"loaded = [name for name in {LEARNING!r} if name in sys.modules];"
        "assert 'numpy' in sys.modules; assert not loaded, loaded"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("command", ["serve", "train", "migrate"])
def test_a_missing_setting_is_one_line(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command names what it needs and does not have."""
    monkeypatch.setattr(sys, "argv", ["recommender", command])
    for name in [name for name in os.environ if name.startswith(("DATABASE", "KAFKA", "ACCOUNT"))]:
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit, match=r"DATABASE_URL: Field required"):
        recommender.main()
