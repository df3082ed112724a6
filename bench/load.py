"""Load on an HTTP server: wrk where it is installed, else a generator of our own, as a process."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
local tokens = {{}}
for line in io.lines("{tokens}") do tokens[#tokens + 1] = line end
local number = 0
request = function()
  number = number + 1
  local token = tokens[(number - 1) % #tokens + 1]
  return wrk.format("GET", {path}, {{ ["authorization"] = "Bearer " .. token }})
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Requests:
    """What is asked: GET requests, each with the next of some bearer tokens.

    Attributes:
        path: with its query; where it says ``%d``, each request of a run has a number of its own.
        tokens: a file with one token a line, used in turn.
    """

    path: str
    tokens: Path


@dataclass(frozen=True, slots=True)
class Load:
    """What a run did in how many seconds: requests, failures, and latency in microseconds."""

    seconds: float
    requests: int
    failures: int
    median: int
    p99: int


def run(port: int, requests: Requests, seconds: float, connections: int) -> Load:
    """Send requests as fast as they are answered.

    Args:
        port: on 127.0.0.1.
        requests: what to ask.
        seconds: how long, rounded.
        connections: kept alive, one request at a time on each.

    Raises:
        RuntimeError: the generator failed.
    """
    seconds = max(1, round(seconds))  # wrk knows whole seconds only
    if shutil.which("wrk"):
        command = _wrk(port, requests, seconds, connections)
    else:
        arguments = (port, requests.path, requests.tokens, seconds, connections)
        command = [sys.executable, "-m", "bench.load_process", *map(str, arguments)]
    output = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return parse(output.stdout + output.stderr, seconds)


def _wrk(port: int, requests: Requests, seconds: float, connections: int) -> list[str]:
    script = requests.tokens.with_suffix(".lua")
    script.write_text(wrk_script(requests))
    options = ("-t1", "-c", str(connections), f"-d{seconds}s", "-s", str(script))
    return ["wrk", *options, f"http://127.0.0.1:{port}/"]


def wrk_script(requests: Requests) -> str:
    """Write the Lua that has wrk ask."""
    path = f'"{requests.path}"'
    if "%d" in path:
        path = f"string.format({path}, number)"
    return _SCRIPT.format(tokens=requests.tokens, path=path)


def parse(output: str, seconds: float) -> Load:
    """Read what a generator wrote.

    Raises:
        RuntimeError: it holds no result; with what was written.
    """
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", output)
    if found is None:
        raise RuntimeError(output)
    return Load(seconds, *(int(number) for number in found.groups()))
