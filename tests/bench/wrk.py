"""Drives wrk: writes its Lua script for a scenario, runs it and reads what it printed."""

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.bench.scenarios import Scenario

# Far above any answer, so that a slow one is counted as slow and not as lost.
TIMEOUT_SECONDS = 30

SCRIPT = r"""
local requests, expected, pattern = dofile(%(data)s)
local threads, turn = {}, 0
wrong = 0

function setup(thread) table.insert(threads, thread) end

function request()
  turn = turn %% #requests + 1
  local one = requests[turn]
  return wrk.format("POST", nil, one.headers, one.body)
end

function response(status, headers, body)
  if status ~= 200 or not (expected[body] or pattern and body:find(pattern)) then
    wrong = wrong + 1
  end
end

function done(summary, latency)
  local bad = 0
  for _, thread in ipairs(threads) do bad = bad + thread:get("wrong") end
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %%d, "microseconds": %%d, "p50": %%f, "p99": %%f, "wrong": %%d, "failed": %%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), bad,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Result:
    """What one run found: answered requests, requests per second, latency in milliseconds, wrong and lost ones."""

    requests: int
    rps: float
    p50: float
    p99: float
    wrong: int
    failed: int


def installed() -> bool:
    """Tells whether wrk is on the PATH."""
    return shutil.which("wrk") is not None


def write_script(folder: Path, scenario: Scenario, expected: list[str]) -> Path:
    """Writes the script and its data into `folder`; `expected` are the bodies that count as right."""
    folder.mkdir(exist_ok=True)
    data, script = folder / "data.lua", folder / "script.lua"
    rows = []
    for request in scenario.requests:
        headers = '["Content-Type"]="application/json"'
        if request.token:
            headers += f', ["Authorization"]={_quote(f"Bearer {request.token}")}'
        rows.append(f"{{headers={{{headers}}}, body={_quote(request.body)}}}")
    bodies = ", ".join(f"[ {_quote(body)} ]=true" for body in expected)
    pattern = _quote(scenario.pattern) if scenario.pattern else "nil"
    data.write_text(f"return {{{', '.join(rows)}}}, {{{bodies}}}, {pattern}\n")
    script.write_text(SCRIPT % {"data": _quote(str(data))})
    return script


async def run(script: Path, url: str, *, connections: int, seconds: int) -> Result:
    """Runs wrk for so long over so many connections; answers what it found."""
    process = await asyncio.create_subprocess_exec(
        "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS}s", "-s", script, url,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), seconds + 2 * TIMEOUT_SECONDS)
    lines = [line for line in output.decode().splitlines() if line.startswith("RESULT ")]
    if process.returncode or not lines:
        raise RuntimeError(f"wrk failed: {output.decode()}")
    found = json.loads(lines[0].removeprefix("RESULT "))
    rps = found["requests"] * 1e6 / max(1, found["microseconds"])
    return Result(found["requests"], rps, found["p50"] / 1e3, found["p99"] / 1e3, found["wrong"], found["failed"])


def _quote(text: str) -> str:
    """Quotes for Lua, which takes a line's text between level-two brackets as it is."""
    return f"[==[{text}]==]"
