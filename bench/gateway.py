"""What the gateway costs: CPU per request beside HAProxy and nginx. ``make bench-gateway``.

All of them stand before the same upstream, one worker each, and take turns within one run, because
absolute figures vary between machines and moments while ratios within a run hold. The figure that
counts is the processor time of the proxy's own processes per request, read from the kernel.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import rivals
from bench.load import Load, run
from shared.secret import encode_base64url
from shared.tokens import SigningKey, sign

PATH = "/v1/learnings?page=1"
ISSUER = "http://127.0.0.1:8000"
FIRST_SIGHT_TOKENS = 40_000


@dataclass
class Candidate:
    """Something that is measured: a proxy and the tokens it is asked with."""

    name: str
    pid: int
    port: int
    tokens: Path
    loads: list[Load] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def measure(self, seconds: int, connections: int) -> None:
        """Take one turn."""
        before = rivals.cpu_seconds(self.pid)
        load = run(self.port, PATH, self.tokens, seconds, connections)
        self.costs.append((rivals.cpu_seconds(self.pid) - before) / max(1, load.requests) * 1e6)
        self.loads.append(load)

    @property
    def cost(self) -> float:
        """Microseconds of CPU per request, the median of all turns."""
        return statistics.median(self.costs)


def _token(key: SigningKey, session: str) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "guildhall",
        "sub": "usr_4fZ8kQ2mN7pR1sT3",
        "sid": session,
        "org": "org_4fZ8kQ2mN7pR1sT3",
        "role": "member",
        "typ": "access",
        "iat": now,
        "exp": now + 3600,
        "jti": secrets.token_hex(8),
    }
    return sign(claims, key)


def _write(file: Path, lines: list[str]) -> Path:
    file.write_text("\n".join(lines) + "\n")
    return file


@contextmanager
def gateway(folder: Path, upstream: int, seed: bytes) -> Iterator[tuple[int, int]]:
    """Run the gateway before an auth service in which everything holds; gives pid and port."""
    auth, port = rivals.free_port(), rivals.free_port()
    stub = [sys.executable, "-m", "bench.stub_auth", str(auth), encode_base64url(seed)]
    classes = ("learnings", "pages")
    environment = {
        "PATH": os.environ["PATH"],
        "GUILDHALL_PORT": str(port),
        "GUILDHALL_METRICS_PORT": "0",
        "GUILDHALL_ROOT_SECRET": encode_base64url(secrets.token_bytes(32)),
        "GUILDHALL_PUBLIC_URL": ISSUER,
        "GUILDHALL_AUTH_URL": f"http://127.0.0.1:{auth}",
        "GUILDHALL_LEARNINGS_URL": f"http://127.0.0.1:{upstream}",
        "GUILDHALL_RATE_LIMITS": " ".join(f"{name}=100000000/60" for name in classes),
        "GUILDHALL_LOG_LEVEL": "error",
    }
    with (
        rivals.child(stub, auth),
        rivals.child([sys.executable, "-m", "gateway"], port, environment) as process,
    ):
        time.sleep(1)  # for the signing keys
        yield process.pid, port


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    if not rivals.installed("nginx"):
        sys.exit("nginx is needed as the upstream (apt-get install nginx haproxy wrk)")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        candidates, idle = _start(stack, folder)
        for candidate in candidates:
            run(candidate.port, PATH, candidate.tokens, 1, options.connections)
        for _ in range(options.rounds):
            for candidate in candidates:
                candidate.measure(options.seconds, options.connections)
        _print(candidates, idle, rivals.resident_megabytes(candidates[0].pid))


def _start(stack: ExitStack, folder: Path) -> tuple[list[Candidate], float]:
    upstream = rivals.free_port()
    stack.enter_context(rivals.nginx_upstream(folder, upstream))
    seed = secrets.token_bytes(32)
    key = SigningKey(seed)
    pid, port = stack.enter_context(gateway(folder, upstream, seed))
    idle = rivals.resident_megabytes(pid)
    jwt = _write(folder / "jwt", [_token(key, "ses_1")])
    api_key = _write(folder / "key", ["trw_live_" + secrets.token_urlsafe(32)])
    news = [_token(key, f"ses_{number}") for number in range(FIRST_SIGHT_TOKENS)]
    candidates = [
        Candidate("guildhall, JWT remembered", pid, port, jwt),
        Candidate("guildhall, API key remembered", pid, port, api_key),
        Candidate("guildhall, JWT at first sight", pid, port, _write(folder / "new", news)),
    ]
    hs256 = _write(folder / "hs256", [rivals.hs256_token()])
    if rivals.installed("haproxy"):
        for checks in (True, False):
            name = "HAProxy, JWT and rate limit" if checks else "HAProxy, plain"
            port = rivals.free_port()
            pid = stack.enter_context(rivals.haproxy(folder, port, upstream, checks=checks))
            candidates.append(Candidate(name, pid, port, hs256))
    port = rivals.free_port()
    pid = stack.enter_context(rivals.nginx(folder, port, upstream))
    candidates.append(Candidate("nginx, plain", pid, port, hs256))
    return candidates, idle


def _print(candidates: list[Candidate], idle: float, loaded: float) -> None:
    checked = [one for one in candidates if one.name.startswith("HAProxy, JWT")]
    base = (checked or candidates)[0].cost
    lines = [f"{'':32}{'CPU us':>8}{'ratio':>8}{'req/s':>9}{'p50 us':>8}{'p99 us':>8}{'failed':>8}"]
    for one in candidates:
        median = statistics.median
        rate = median(load.requests / load.seconds for load in one.loads)
        lines.append(
            f"{one.name:32}{one.cost:8.1f}{one.cost / base:8.2f}{rate:9.0f}"
            f"{median(load.median for load in one.loads):8.0f}"
            f"{median(load.p99 for load in one.loads):8.0f}"
            f"{sum(load.failures for load in one.loads):8d}"
        )
    lines.append(f"guildhall's memory: {idle:.0f} MB idle, {loaded:.0f} MB after the load")
    lines.append(f"ratio: to {(checked or candidates)[0].name}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
