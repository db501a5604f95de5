"""The step load: where the knee is, when climbing ends, and what is written."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.bench import steps as climbing
from tests.bench.load_table import markdown
from tests.bench.step import CLIENT, Step, knee


def _step(offered: float, p99: float = 10.0, share: float = 1.0) -> Step:
    return Step(offered, offered * share, p99 / 2, p99, processors={"gateway": 0.2, "product": 0.6, CLIENT: 0.1})


def test_knee_by_latency() -> None:
    """The knee is the step before the first one whose p99 is over five times the first step's."""
    found = [_step(100), _step(130, 50.0), _step(169, 50.1), _step(220, 10.0)]
    assert knee(found) is found[1]


def test_knee_by_achievement() -> None:
    """The knee is the step before the first one that achieves less than 95 % of what was offered."""
    found = [_step(100), _step(130, share=0.95), _step(169, share=0.94)]
    assert knee(found) is found[1]


def test_no_knee() -> None:
    """Where every step keeps up there is no knee."""
    assert knee([_step(100), _step(200)]) is None
    assert knee([]) is None


async def test_climb() -> None:
    """Rates rise by the factor, and climbing ends after two steps in a row that are past the knee."""
    asked: list[float] = []

    async def measure(rate: float) -> Step:
        asked.append(rate)
        return _step(rate, 100.0 if len(asked) in (3, 5, 6) else 10.0)

    found = await climbing.climb(measure)
    assert len(found) == 6
    assert asked == pytest.approx([climbing.FIRST * climbing.FACTOR**n for n in range(6)])
    assert knee(found) is found[1]


async def test_climb_is_bounded() -> None:
    """A platform that follows for ever is asked no more than so often."""

    async def measure(rate: float) -> Step:
        return _step(rate)

    assert len(await climbing.climb(measure)) == climbing.MOST_STEPS


def test_table() -> None:
    """The table has a row for each step, and tells the knee and what it is made of without the client."""
    found = [_step(100), _step(200), _step(400, 99.0)]
    text = markdown(found, found[1], shop="10 products", machine="2 processors")
    assert text.count("| 0, 0, 0 |") == 3
    assert "The knee: 200 requests a second with a p99 of 10 ms." in text
    assert "4.00 CPU-ms" in text
    assert text.index("| product | 0.60 | 75% |") < text.index("| gateway | 0.20 | 25% |")
    assert f"| {CLIENT} |" not in text


def test_table_without_a_knee() -> None:
    """Where no knee was found the table says so."""
    assert "No knee was found" in markdown([_step(100)], None, shop="", machine="")


def test_picture(tmp_path: Path) -> None:
    """The picture is SVG that names the knee and each part, and the same figures give the same file."""
    found = [_step(100), _step(200), _step(400, 99.0)]
    for name in ("one", "two"):
        climbing.write(tmp_path / name, "text", found, found[1])
    one, two = ((tmp_path / name / "load.svg").read_bytes() for name in ("one", "two"))
    assert one == two
    texts = [element.text for element in ET.fromstring(one).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 our own
    assert {"knee: 200 a second", "product", "gateway", CLIENT} <= set(texts)
    assert (tmp_path / "one/load.md").read_text() == "text"
