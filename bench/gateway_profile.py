"""Where the gateway's processor time goes: ``python -m bench.gateway_profile``.

Prints which functions ran, by themselves and with all that they called, and, where ``perf`` is
installed and may be used, what the machine did below them.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from bench.gateway_process import Callers, gateway
from bench.gateway_requests import WARM_UP
from bench.load import Requests, run
from bench.process import cpu
from bench.rivals.nginx import nginx_upstream
from bench.service import say
from shared.tokens import SigningKey

ROWS = ("with_jwt", "for_another_path", "with_api_key", "at_first_sight", "in_new_sessions")


def main() -> None:
    """Run one kind of request and print the profile."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway_profile")
    parser.add_argument("row", nargs="?", choices=ROWS, default=ROWS[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--top", type=int, default=30)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(nginx_upstream(folder)).port
        seed, file = secrets.token_bytes(32), folder / "profile"
        command = (sys.executable, "-m", "bench.profiled_gateway", str(file))
        ours = stack.enter_context(gateway(upstream, seed, command=command))
        make = getattr(Callers(folder, SigningKey(seed)), options.row)
        run(ours.port, make(0, WARM_UP), 1, options.connections)
        asked = make(1, 2 * WARM_UP * options.seconds)

        before = cpu(ours.pid)
        load = run(ours.port, asked, options.seconds, options.connections)
        spent = cpu(ours.pid) - before
        each = 1e6 / max(1, load.requests)
        say(f"{spent.total * each:.1f} us a request, {spent.user * each:.1f} of them user")

        os.kill(ours.pid, signal.SIGUSR2)
        run(ours.port, asked, options.seconds, options.connections)
        os.kill(ours.pid, signal.SIGUSR2)
        while not file.exists():
            time.sleep(0.05)
        say(render(file.read_text().splitlines(), spent.total * each, options.top))
        if shutil.which("perf"):
            say(_perf(folder, ours.pid, options, ours.port, asked))


def _perf(folder: Path, pid: int, options: argparse.Namespace, port: int, asked: Requests) -> str:
    command = ("perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-p", str(pid))
    record = subprocess.Popen((*command, "-o", str(folder / "perf")), stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        run(port, asked, options.seconds, options.connections)
    finally:
        record.send_signal(signal.SIGINT)
        record.wait(30)
    shown = subprocess.run(  # noqa: S603
        ("perf", "report", "--stdio", "-q", "--no-children", "-i", str(folder / "perf")),  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.rstrip() for line in shown.stdout.splitlines() if "%" in line]
    return "\n".join(lines[: options.top])


def render(lines: Iterable[str], cost: float, top: int) -> str:
    """Make a table of the functions that ran.

    Args:
        lines: a count and a stack each, as ``bench.profiled_gateway`` writes them.
        cost: microseconds of a request.
        top: how many functions to name.
    """
    alone: Counter[str] = Counter()
    together: Counter[str] = Counter()
    for line in lines:
        count, _, stack = line.partition(" ")
        names = stack.split(";")
        alone[names[-1]] += int(count)
        together.update(dict.fromkeys(names, int(count)))
    total = max(1, alone.total())
    table = [f"{'us alone':>9}{'us in all':>11}  function"]
    table += [
        f"{count / total * cost:9.1f}{together[name] / total * cost:11.1f}  {name}"
        for name, count in alone.most_common(top)
    ]
    return "\n".join(table)


if __name__ == "__main__":
    main()
