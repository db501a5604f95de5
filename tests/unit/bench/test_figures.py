"""The table of operations: medians, lines, ratios, and memory."""

import os

from tests.bench import figures, memory_table
from tests.bench.figures import Figures, by_part, medians, ratios, row


def _figures(cpu: float = 1.0, p50: float = 10.0, *, wrong: int = 0, requests: int = 5) -> Figures:
    parts = {"gateway": cpu / 4, "product": cpu * 3 / 4, "idle": 0.0}
    return Figures(100.0, p50, 4 * p50, wrong, 0, parts, requests)


def test_medians() -> None:
    """Of several runs each figure's median counts, so that one disturbed run does not."""
    found = medians([_figures(4.0, 10.0), _figures(400.0, 900.0), _figures(8.0, 12.0)])
    assert (found.cpu, found.p50, found.p99) == (8.0, 12.0, 48.0)
    assert found.parts == {"gateway": 2.0, "product": 6.0, "idle": 0.0}


def test_no_wrong_reply_is_lost() -> None:
    """A wrong reply in one round, and a round without any reply, are no good line."""
    assert medians([_figures(), _figures()]).good
    assert not medians([_figures(), _figures(wrong=1), _figures()]).good
    assert not medians([_figures(), _figures(requests=0), _figures()]).good


def test_row() -> None:
    """A line has a column for each of the head's."""
    line = row("product by id", figures.UNCHANGED, 64, _figures(0.3))
    assert line.split() == ["product", "by", "id", "unchanged", "64", "100.0", "10.0", "40.0", "4.0", "0.30", "0", "0"]
    assert len(line) == len(figures.HEAD)


def test_by_part() -> None:
    """Parts that have nothing to do with it are not told; the others are, the largest first."""
    assert by_part(_figures(4.0)).split() == ["product", "3.00", "gateway", "1.00"]


def test_ratios_of_a_read() -> None:
    """A read is compared with the state before, with what it costs without the cache, and with constant bytes."""
    found = {
        figures.BEFORE: _figures(8.0), figures.OFF: _figures(2.0), figures.UNCHANGED: _figures(0.2),
        figures.CONSTANT: _figures(0.04),
    }  # fmt: skip
    told = ratios(found)
    for ratio in ("cache off / before: 0.25", "unchanged / before: 0.03", "cache off / unchanged: 10.00"):
        assert ratio in told
    assert told.endswith("unchanged (gateway alone) / constant bytes: 1.25")


def test_ratios_of_a_write() -> None:
    """A write is compared with the state before; one state alone is compared with nothing."""
    assert ratios({"before": _figures(4.0), "after": _figures(3.0)}).strip() == "CPU-ms, after / before: 0.75"
    assert not ratios({"after": _figures()})


def test_memory() -> None:
    """The sum after the load is held against 1 GiB."""
    started = {"gateway": (100.0, 150.0), "order": (100.0, 120.0)}
    loaded = {"gateway": (200.0, 250.0), "order": (312.0, 330.0)}
    head, *rows, share = memory_table.table(started, loaded)
    assert [line.split() for line in rows] == [
        ["gateway", "100", "200", "150", "250"],
        ["order", "100", "312", "120", "330"],
        ["all", "200", "512", "270", "580"],
    ]  # fmt: skip
    assert share == "512 MiB (PSS) are 50% of 1 GiB."
    assert len(head) == len(rows[0])


def test_memory_of_this_process() -> None:
    """A part has what its processes have, and what is left out is not looked at."""
    found = memory_table.memory_of({"own": os.getpid(), "postgres": -1}, without={"postgres"})
    pss, rss = found["own"]
    assert 1 < pss <= rss
    assert list(found) == ["own"]
