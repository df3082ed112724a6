"""What the gateway costs: CPU per request beside HAProxy and nginx. ``make bench-gateway``.

All of them stand before the same upstream, one worker each, and take turns within one run, because
absolute figures vary between machines and moments while ratios within a run hold. The figure that
counts is the processor time of the proxy's own processes per request, read from the kernel.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.gateway_process import PATH, Callers, gateway
from bench.gateway_requests import Candidate, Result, measure
from bench.load import Requests
from bench.process import resident
from bench.rivals import Rival, hs256_token
from bench.rivals.all import RIVALS
from bench.rivals.nginx import nginx_upstream
from shared.tokens import SigningKey


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway")
    parser.add_argument("--quick", action="store_true", help="less than a minute, small requests")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 7)
    seconds = options.seconds or (2 if options.quick else 3)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        candidates, idle = _start(stack, folder)
        results = measure(candidates, rounds, seconds, options.connections)
        _print(results, idle, resident(candidates[0].pid) / 1e6)


def _start(stack: ExitStack, folder: Path) -> tuple[list[Candidate], float]:
    upstream = stack.enter_context(nginx_upstream(folder)).port
    seed = secrets.token_bytes(32)
    ours = stack.enter_context(gateway(upstream, seed))
    idle = resident(ours.pid) / 1e6
    callers = Callers(folder, SigningKey(seed))
    rows = {
        "guildhall, JWT remembered": callers.with_jwt,
        "guildhall, each path new": callers.for_another_path,
        "guildhall, API key remembered": callers.with_api_key,
        "guildhall, JWT at first sight": callers.at_first_sight,
    }
    candidates = [Candidate(name, ours.pid, ours.port, make) for name, make in rows.items()]
    tokens = folder / "hs256.tokens"
    tokens.write_text(hs256_token() + "\n")
    for rival in RIVALS:
        if not rival.absent():
            candidates.extend(_rows(stack, folder, upstream, rival, Requests(PATH, tokens)))
    return candidates, idle


def _rows(
    stack: ExitStack, folder: Path, upstream: int, rival: Rival, requests: Requests
) -> list[Candidate]:
    rows = []
    for checks in (True, False):
        if rival.checks if checks else rival.is_plain_too:
            server = stack.enter_context(rival.run(folder, upstream, checks))
            name = f"{rival.name}, {rival.checks if checks else 'plain'}"
            rows.append(Candidate(name, server.pid, server.port, lambda turn, most: requests))
    return rows


def _print(results: list[Result], idle: float, loaded: float) -> None:
    base = next((one for one in results if one.name.startswith("HAProxy, jwt")), results[0])
    lines = [
        f"{'':40}{'CPU us':>8}{'user':>7}{'ratio':>7}{'req/s':>8}{'p50 us':>8}{'p99 us':>8}"
        f"{'ratio':>7}{'failed':>8}"
    ]
    lines += [
        f"{one.name:40}{one.cost:8.1f}{one.user:7.1f}{one.cost / base.cost:7.2f}{one.rate:8.0f}"
        f"{one.median:8.0f}{one.p99:8.0f}{one.p99 / base.p99:7.2f}{one.failures:8d}"
        for one in results
    ]
    lines.append(f"guildhall's memory: {idle:.0f} MB idle, {loaded:.0f} MB after the load")
    lines.append(f"ratio: to {base.name}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
