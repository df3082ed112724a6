"""What the gateway costs, beside other proxies: ``make bench-gateway``.

All of them stand before the same upstream, one worker each, and take turns within one run, because
absolute figures vary between machines and moments while ratios within a run hold. The figure that
counts is the processor time of a proxy's own processes for each request, read from the kernel.

    python -m bench.gateway --quick             less than a minute, small requests, writes nothing
    python -m bench.gateway [--only bodies]     everything, or one part; writes docs/benchmarks
"""

from __future__ import annotations

import argparse
import resource
import secrets
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import gateway_bodies, gateway_idle, gateway_requests, gateway_targets
from bench.figures import with_blocks
from bench.gateway_process import PATH, Callers, gateway
from bench.gateway_targets import (
    API_KEY,
    FIRST_SIGHT,
    HAPROXY,
    JWT,
    NEW_PATHS,
    NEW_SESSIONS,
    OURS,
    Figures,
)
from bench.load import Requests
from bench.load_bodies import DIRECTIONS, DOWN
from bench.machine import describe
from bench.process import child, free_port, resident
from bench.rivals import Rival, Server, hs256_token
from bench.rivals.all import RIVALS
from bench.rivals.nginx import nginx_upstream
from bench.service import say
from bench.table import Table
from shared.tokens import SigningKey

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "benchmarks" / "gateway.md"
PARTS: Final = ("requests", "bodies", "idle")
QUICK_RIVALS: Final = ("HAProxy", "Envoy")
HEAVY_RIVALS: Final = ("HAProxy", "nginx", "Envoy")
"""Those whose throughput and memory are worth comparing."""


@dataclass
class Run:
    """One run: where its files go, who takes part, how long.

    Attributes:
        folder: for files.
        rivals: that can be run here.
        options: of the command line.
    """

    folder: Path
    rivals: list[Rival]
    options: argparse.Namespace

    def requests(self) -> list[gateway_requests.Result]:
        """Measure small requests."""
        with ExitStack() as stack:
            upstream = stack.enter_context(nginx_upstream(self.folder)).port
            candidates = self._our_rows(stack, upstream)
            tokens = self.folder / "hs256.tokens"
            tokens.write_text(hs256_token() + "\n")
            asked = Requests(PATH, tokens)
            for rival in self.rivals:
                for checks in (True, False):
                    if not _takes_part(rival, checks, self.options.quick):
                        continue
                    server = stack.enter_context(rival.run(self.folder, upstream, checks))
                    name = f"{rival.name}, {'checks' if checks else 'plain'}"
                    candidate = gateway_requests.Candidate(
                        name, server.pid, server.port, lambda turn, most: asked
                    )
                    candidate.warming = rival.warm_up
                    candidates.append(candidate)
            options = self.options
            return gateway_requests.measure(
                candidates, options.rounds, options.seconds, options.connections
            )

    def _our_rows(self, stack: ExitStack, upstream: int) -> list[gateway_requests.Candidate]:
        seed = secrets.token_bytes(32)
        ours = stack.enter_context(gateway(upstream, seed))
        callers = Callers(self.folder, SigningKey(seed))
        rows = {
            JWT: callers.with_jwt,
            NEW_PATHS: callers.for_another_path,
            API_KEY: callers.with_api_key,
            FIRST_SIGHT: callers.at_first_sight,
        }
        if not self.options.quick:
            rows[NEW_SESSIONS] = callers.in_new_sessions
        return [
            gateway_requests.Candidate(name, ours.pid, ours.port, make)
            for name, make in rows.items()
        ]

    def bodies(self) -> list[gateway_bodies.Carried]:
        """Measure large bodies, each way with fresh proxies."""
        place = self.folder / "files" / gateway_bodies.PATH.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(bytes(gateway_bodies.SIZE))
        results = []
        for direction in DIRECTIONS:
            with ExitStack() as stack:
                if direction == DOWN:
                    upstream = stack.enter_context(nginx_upstream(self.folder)).port
                else:
                    upstream = free_port()
                    sink = (sys.executable, "-m", "bench.stub_bodies", str(upstream))
                    stack.enter_context(child(sink, upstream))
                carriers = [
                    gateway_bodies.Carrier(name, server, token)
                    for name, server, token in self._heavy(stack, upstream, 0)
                ]
                options = self.options
                results += gateway_bodies.measure(
                    carriers, direction, place, options.rounds, options.seconds
                )
        return results

    def idle(self) -> tuple[list[gateway_idle.Held], dict[str, int]]:
        """Measure idle connections of both kinds, each with fresh proxies."""
        held: list[gateway_idle.Held] = []
        idle: dict[str, int] = {}
        for kind in (gateway_idle.HTTP, gateway_idle.SOCKET):
            with ExitStack() as stack:
                upstream = stack.enter_context(nginx_upstream(self.folder)).port
                if kind == gateway_idle.SOCKET:
                    upstream = free_port()
                    sockets = (sys.executable, "-m", "bench.stub_sockets", str(upstream))
                    stack.enter_context(child(sockets, upstream))
                for name, server, token in self._heavy(stack, upstream, upstream):
                    idle.setdefault(name, resident(server.pid))
                    heads = gateway_idle.http_heads(PATH, token)
                    if kind == gateway_idle.SOCKET:
                        heads = gateway_idle.socket_heads("/socket/websocket", token)
                        heads = gateway_idle.ticket_heads if name == OURS else heads
                    one = gateway_idle.measure(name, kind, server, heads, self.folder)
                    if one.trouble:
                        say(f"*** {name}, {kind}: {one.trouble} ***")
                    held.append(one)
        return held, idle

    def _heavy(self, stack: ExitStack, upstream: int, teams: int) -> list[tuple[str, Server, str]]:
        seed = secrets.token_bytes(32)
        ours = stack.enter_context(gateway(upstream, seed, teams=teams))
        token = Callers(self.folder, SigningKey(seed)).token("ses_1")
        running = [(OURS, ours, token)]
        for rival in self.rivals:
            if rival.name in HEAVY_RIVALS:
                checks = bool(rival.checks)
                server = stack.enter_context(rival.run(self.folder, upstream, checks))
                running.append((rival.name, server, hs256_token()))
        return running


def _takes_part(rival: Rival, checks: bool, quick: bool) -> bool:
    if quick:
        return checks and rival.name in QUICK_RIVALS
    return bool(rival.checks) if checks else rival.is_plain_too


def main() -> None:
    """Measure, print, write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway")
    parser.add_argument("--quick", action="store_true", help="less than a minute, writes nothing")
    parser.add_argument("--only", choices=PARTS, help="one part of the measurements")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    options = parser.parse_args()
    options.rounds = options.rounds or (4 if options.quick else 7)
    options.seconds = options.seconds or (1 if options.quick else 3)
    _raise_file_limit()
    parts = ("requests",) if options.quick else (options.only,) if options.only else PARTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rivals, table = _muster(folder, quick=options.quick)
        blocks = _measure(Run(folder, rivals, options), parts)
    if not options.quick:
        blocks |= {"machine": describe(), "rivals": table.markdown()}
        page = options.page.read_text() if options.page.exists() else ""
        options.page.write_text(with_blocks(page, blocks))
        say(f"written: {options.page.name}")


def _measure(run: Run, parts: tuple[str, ...]) -> dict[str, str]:
    figures, tables = Figures(), {}
    if "requests" in parts:
        figures.requests = run.requests()
        _complain([(one.name, one.failures) for one in figures.requests])
        tables["requests"] = _tell(gateway_requests.table(figures.requests))
    if "bodies" in parts:
        figures.bodies = run.bodies()
        _complain([(one.name, one.failures) for one in figures.bodies])
        tables["bodies"] = _tell(gateway_bodies.table(figures.bodies, HAPROXY))
    if "idle" in parts:
        figures.held, figures.idle = run.idle()
        tables["idle"] = _tell(gateway_idle.table(figures.held, figures.idle, HAPROXY))
    if parts == PARTS:
        tables["targets"] = _tell(gateway_targets.table(figures))
    return tables


def _complain(failures: Sequence[tuple[str, int]]) -> None:
    for name, count in failures:
        if count:
            say(f"*** {name}: {count} failed, so what it cost means little ***")


def _tell(table: Table) -> str:
    say(table.text() + "\n")
    return table.markdown()


def _muster(folder: Path, *, quick: bool) -> tuple[list[Rival], Table]:
    """Find the rivals that can be run, and say of each what it is or why it is absent."""
    table = Table(("proxy", "version", "with checks"))
    there = []
    for rival in RIVALS:
        if quick and rival.name not in QUICK_RIVALS:
            continue
        problem = rival.absent()
        if problem and not quick:
            say(f"installing {rival.name} into the user's cache")
            problem = rival.install() or rival.absent()
        problem = problem or _trouble(rival, folder)
        if problem:
            say(f"*** {rival.name} is absent: {problem} ***")
            # never the whole text, which may name places of this machine
            table.rows.append((rival.name, "absent", rival.absent() or "does not start"))
        else:
            there.append(rival)
            table.rows.append((rival.name, rival.version(), rival.checks or "-"))
    return there, table


def _trouble(rival: Rival, folder: Path) -> str:
    """Tell why a rival does not start; empty if it does."""
    try:
        with rival.run(folder, free_port(), bool(rival.checks)):
            return ""
    except RuntimeError as error:
        return str(error)


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
