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
  number = number % #tokens + 1
  return wrk.format("GET", "{path}", {{ ["authorization"] = "Bearer " .. tokens[number] }})
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run did in how many seconds: requests, failures, and latency in microseconds."""

    seconds: float
    requests: int
    failures: int
    median: int
    p99: int


def run(port: int, path: str, tokens: Path, seconds: float, connections: int) -> Load:
    """Send GET requests as fast as they are answered.

    Args:
        port: on 127.0.0.1.
        path: to ask for.
        tokens: a file with one bearer token a line, used in turn.
        seconds: how long, rounded.
        connections: kept alive, one request at a time on each.
    """
    seconds = max(1, round(seconds))  # wrk knows whole seconds only
    url = f"http://127.0.0.1:{port}{path}"
    if shutil.which("wrk"):
        script = tokens.with_suffix(".lua")
        script.write_text(_SCRIPT.format(tokens=tokens, path=path))
        count = str(connections)
        command = ["wrk", "-t1", "-c", count, f"-d{seconds}s", "-s", str(script), url]
    else:
        arguments = [str(port), path, str(tokens), str(seconds), str(connections)]
        command = [sys.executable, "-m", "bench.load_process", *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", output.stdout)
    if found is None:
        raise RuntimeError(output.stdout + output.stderr)
    return Load(seconds, *(int(number) for number in found.groups()))
