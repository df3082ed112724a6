"""What identity costs: ``make bench-auth``.

Starts PostgreSQL and the auth service as a process and asks it with the gateway's assertion, at
10,000 and at 1,000,000 accounts and keys: how long a credential is looked up for the gateway, how
many logins a second there are beside what argon2 alone reaches, and whether time tells a known
address from an unknown one. Measures, judges nothing: machines differ, ratios hold.

    python -m bench.auth [--rows 1000000] [--lookups 5000] [--tries 200]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import asyncpg
import psutil
import uvloop
from argon2 import PasswordHasher

from bench.service import Clock, ask, database_server, head, loop_ns, make_database, running, say
from bench.service import with_body as framed
from guildhall.embedded.server import EmbeddedPostgres
from services.auth.api_keys.operations import check_digest
from services.auth.passwords.operations import AT_ONCE
from shared.db import Database
from shared.principal import ANONYMOUS, Kind, Principal
from shared.secret import encode_base64url

FEW: Final = 10_000
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of people who do not exist
LOGINS: Final = 60
LOGIN_LANES: Final = 8
ROUNDS: Final = 4
GATEWAY: Final = Principal(Kind.SERVICE, "gateway")

Requests = Iterator[bytes]


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.auth")
    parser.add_argument("--rows", type=int, default=1_000_000, help="accounts and keys at most")
    parser.add_argument("--lookups", type=int, default=5_000, help="per measurement")
    parser.add_argument("--tries", type=int, default=200, help="of each kind for the timing")
    arguments = parser.parse_args()
    with database_server() as server, tempfile.TemporaryDirectory() as mail:
        uvloop.run(_measure(server, mail, arguments))


async def _measure(server: EmbeddedPostgres, mail: str, arguments: argparse.Namespace) -> None:
    stored = PasswordHasher().hash(PASSWORD)
    say(f"a turn of an empty loop: {loop_ns():.0f} ns")
    figures: dict[int, dict[str, float]] = {}
    for rows in (FEW, arguments.rows):
        urls = await make_database(server, f"bench{rows}", "auth")
        await _fill(urls["auth"], server.url(), rows, stored)
        settings = {
            "GUILDHALL_PROFILE": "development",
            "GUILDHALL_SIGNING_KEYS": encode_base64url(bytes(range(32))),
            "GUILDHALL_ENCRYPTION_KEY": encode_base64url(bytes(32)),
            "GUILDHALL_DATA_DIR": mail,
        }
        probe = head("auth", ANONYMOUS, "GET", "/.well-known/jwks.json") + b"\r\n"
        async with running("auth", urls, probe, **settings) as (port, process):
            found = figures[rows] = await _without_http(urls["auth"], rows, arguments.lookups)
            for what, make in (("key look-up", _key_check), ("session look-up", _session_check)):
                found |= await _look_ups(what, port, make(rows), arguments.lookups, process, server)
            found["logins a second"] = await _logins(port, rows)
            if rows == FEW:
                await _timings(port, rows, arguments.tries)
    alone = _argon2_alone(stored)
    _print(figures, alone)


async def _fill(url: str, admin: str, rows: int, stored: str) -> None:
    started = time.monotonic()
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(
                """
                INSERT INTO auth.account (id, email, email_key, name, password_hash, verified_at)
                SELECT 'usr_' || n, n || '@bench.example', n || '@bench.example', 'Person ' || n,
                       $2, now() FROM generate_series(1, $1::int) n
                """,
                rows,
                stored,
                timeout=600,
            )
            for statement in _FILL:
                await connection.execute(statement, rows, timeout=600)
        await connection.execute("VACUUM ANALYZE", timeout=600)
    finally:
        await connection.close()
    # What the filling left to be written would otherwise be written while others are measured.
    connection = await asyncpg.connect(admin)
    try:
        await connection.execute("CHECKPOINT", timeout=600)
    finally:
        await connection.close()
    say(f"filled {rows:,} accounts, sessions and keys in {time.monotonic() - started:.0f} s")


_FILL: Final = (
    """
    INSERT INTO auth.organization (id, name, slug)
    SELECT 'org_' || n, 'Organization ' || n, 'org-' || n FROM generate_series(1, $1::int) n
    """,
    """
    INSERT INTO auth.membership (org_id, account_id, role)
    SELECT 'org_' || n, 'usr_' || n, 'owner' FROM generate_series(1, $1::int) n
    """,
    "UPDATE auth.account SET active_org_id = 'org_' || substr(id, 5) WHERE $1::int > 0",
    """
    INSERT INTO auth.session (org_id, id, account_id, expires_at, last_used_at)
    SELECT 'org_' || n, 'ses_' || n, 'usr_' || n, now() + interval '1 day',
           now() + interval '1 day'
      FROM generate_series(1, $1::int) n
    """,
    """
    INSERT INTO auth.api_key (org_id, id, account_id, name, prefix, digest, scopes, last_used_at)
    SELECT 'org_' || n, 'key_' || n, 'usr_' || n, 'bench', 'trw_live_',
           sha256(('trw_live_' || n)::bytea), '{*}', now() + interval '1 day'
      FROM generate_series(1, $1::int) n
    """,
)


def _key_check(rows: int) -> Requests:
    def body() -> dict[str, str]:
        key = f"trw_live_{random.randint(1, rows)}"  # noqa: S311 - a choice, not a secret
        return {"digest": hashlib.sha256(key.encode()).hexdigest()}

    return _posts("/internal/api-keys/check", GATEWAY, body)


def _session_check(rows: int) -> Requests:
    def body() -> dict[str, str]:
        one = random.randint(1, rows)  # noqa: S311 - a choice, not a secret
        return {"session_id": f"ses_{one}", "account_id": f"usr_{one}", "org_id": f"org_{one}"}

    return _posts("/internal/sessions/check", GATEWAY, body)


def _posts(path: str, principal: Principal, body: Callable[[], dict[str, str]]) -> Requests:
    while True:
        # One assertion serves many requests, as one of the gateway could; each has an address of
        # its own, because failures are counted by address.
        address = ".".join(str(random.randint(1, 250)) for _ in range(4))  # noqa: S311
        start = head("auth", principal, "POST", path, address)
        yield framed(start, json.dumps(body()).encode())


async def _without_http(url: str, rows: int, count: int) -> dict[str, float]:
    """Give milliseconds of the look-up alone: the operation with its statement, best of rounds."""
    database = await Database.connect(url, size=4)
    best = {"median": math.inf, "p99": math.inf}
    for _ in range(ROUNDS):
        taken = []
        for _ in range(count):
            key = f"trw_live_{random.randint(1, rows)}"  # noqa: S311 - a choice, not a secret
            digest = hashlib.sha256(key.encode()).digest()
            started = time.perf_counter()
            await check_digest(database, digest)
            taken.append((time.perf_counter() - started) * 1e3)
        taken.sort()
        best["median"] = min(best["median"], statistics.median(taken))
        best["p99"] = min(best["p99"], taken[int(count * 0.99)])
    await database.close()
    return {f"key look-up without HTTP, {what} ms": value for what, value in best.items()}


async def _look_ups(
    what: str,
    port: int,
    requests: Requests,
    count: int,
    process: psutil.Process,
    server: EmbeddedPostgres,
) -> dict[str, float]:
    """Give milliseconds (median, p99) of one after another, and CPU per look-up."""
    await _timed(port, requests, count // 5)
    with Clock(process, server) as clock:
        taken = await _timed(port, requests, count)
    ordered = sorted(taken)
    service, database = clock.taken
    return {
        f"{what}, median ms": statistics.median(ordered),
        f"{what}, p99 ms": ordered[int(len(ordered) * 0.99)],
        f"{what}, service us": service / count * 1e6,
        f"{what}, postgres us": database / count * 1e6,
    }


async def _timed(port: int, requests: Requests, count: int, expect: bytes = b"2") -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken = []
    for _ in range(count):
        request = next(requests)
        started = time.perf_counter()
        await ask(reader, writer, request, expect)
        taken.append((time.perf_counter() - started) * 1e3)
    writer.close()
    return taken


def _login(rows: int) -> Requests:
    def body() -> dict[str, str]:
        one = random.randint(1, rows)  # noqa: S311 - a choice, not a secret
        return {"email": f"{one}@bench.example", "password": PASSWORD}

    return _posts("/v1/auth/token", ANONYMOUS, body)


async def _logins(port: int, rows: int) -> float:
    await _lanes(port, _login(rows), LOGIN_LANES)
    started = time.perf_counter()
    await _lanes(port, _login(rows), LOGINS)
    return LOGINS / (time.perf_counter() - started)


async def _lanes(port: int, requests: Requests, count: int) -> None:
    async with asyncio.timeout(300), asyncio.TaskGroup() as lanes:
        for lane in range(LOGIN_LANES):
            share = count // LOGIN_LANES + (lane < count % LOGIN_LANES)
            lanes.create_task(_timed(port, requests, share))


def _argon2_alone(stored: str) -> float:
    """Checks a second, as many at once as the service computes."""
    hasher = PasswordHasher()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda _: hasher.verify(stored, PASSWORD), range(4)))
        started = time.perf_counter()
        list(threads.map(lambda _: hasher.verify(stored, PASSWORD), range(LOGINS)))
        return LOGINS / (time.perf_counter() - started)


async def _timings(port: int, rows: int, tries: int) -> None:
    """Print how long known and unknown addresses take, asked in no order."""
    say("")
    say(f"{'median ms of ' + str(tries) + ' tries':34}{'known':>9}{'unknown':>9}{'ratio':>8}")
    for path, extra, expect in _ANSWERS_ALIKE:
        known = _posts(path, ANONYMOUS, _about(lambda: f"{random.randint(1, rows)}", extra))  # noqa: S311
        unknown = _posts(path, ANONYMOUS, _about(lambda: os.urandom(4).hex(), extra))
        taken: dict[bool, list[float]] = {True: [], False: []}
        await _timed(port, known, 3, expect)
        # In no order: what a request leaves behind to be done falls on whichever comes next.
        for is_known in random.sample([True, False] * tries, tries * 2):
            taken[is_known] += await _timed(port, known if is_known else unknown, 1, expect)
        medians = {which: statistics.median(times) for which, times in taken.items()}
        say(
            f"{path:34}{medians[True]:>9.2f}{medians[False]:>9.2f}"
            f"{medians[True] / medians[False]:>8.3f}"
        )


def _about(who: Callable[[], str], extra: dict[str, str]) -> Callable[[], dict[str, str]]:
    return lambda: {"email": f"{who()}@bench.example", **extra}


_ANSWERS_ALIKE: Final[tuple[tuple[str, dict[str, str], bytes], ...]] = (
    ("/v1/auth/token", {"password": "not the password"}, b"401"),
    ("/api/v1/auth/login", {"password": "not the password"}, b"401"),
    ("/v1/auth/register", {"password": "a Long enough 1", "name": "Somebody"}, b"201"),
    ("/v1/auth/forgot-password", {}, b"200"),
    ("/v1/auth/resend-verification", {}, b"200"),
    ("/v1/waitlist", {}, b"200"),
)


def _print(figures: dict[int, dict[str, float]], alone: float) -> None:
    few, many = figures.values()
    say("")
    say(f"{'accounts and keys':34}" + "".join(f"{rows:>12,}" for rows in figures) + f"{'ratio':>8}")
    for what in few:
        say(f"{what:34}{few[what]:>12.2f}{many[what]:>12.2f}{many[what] / few[what]:>8.2f}")
    say(f"{'argon2 alone, checks a second':34}{alone:>12.2f}")
    say(f"logins reach {few['logins a second'] / alone:.2f} of what argon2 alone does")


if __name__ == "__main__":
    main()
