"""What is secret in a request is nowhere in what processes write, count, or tell others.

Real processes at their most talkative: the gateway, auth, learnings and teams on a real database,
runs as a fake that breaks in every way, agents away. Every secret carries a mark of its own, and
all outputs are searched for the marks at the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import pytest

from gateway.route_table import TABLE
from tests.gateway.fake_service import Asked, answering, plain
from tests.gateway.machines import Machine
from tests.gateway.socket_bytes import frame, handshake
from tests.gateway.talkative import REAL, Loud, talkative
from tests.support.postgres import DatabaseUrls

METHODS = ("GET", "POST", "DELETE", "OPTIONS")


async def well_formed(system: Loud) -> None:
    """Send credentials where existing clients put them."""
    new = system.marks.new
    for target in (
        f"/t/{new('clone token')}",
        f"/invite/{new('invitation')}",
        f"/teams/5e3a?view={new('view token')}",
        f"/teams/5e3a/members/{new('path of a page')}",
        f"/new?from={new('query of a page')}",
        f"/users/reset-password/{new('reset token')}",
        f"/users/log-in/{new('sign-in link')}",
        f"/accept-invite?token={new('invitation in a query')}",
        f"/v1/auth/verify-email?token={new('verification token')}",
        f"/auth/github/callback?code={new('code')}&state={new('state')}",
        f"/device?code={new('user code')}",
        f"/api/teams/clone/{new('clone token of the API')}",
        f"/api/teams/{new('machine token')}/head",
        f"/socket/websocket?ticket={new('ticket')}&vsn=2.0.0",
        f"/api/v1/artifacts/x?token={new('token of an artifact')}",
        f"/api/v1/artifacts/x?token=art_{new('token of a service')}",
        f"/v1/backup/file?key=x&signature={new('signature of a backup')}",
        f"/v1/releases/1/artifact?signature={new('signature of a release')}",
        f"/v1/proprietary/file?grant={new('grant')}",
        f"/{new('unknown path')}/x?y={new('unknown query')}",
        f"/v1/../{new('climbing path')}",
        f"/v1/%74oken/{new('escaped path')}%2f%00",
    ):
        await asyncio.gather(*(system.ask(one, target) for one in METHODS))
    await system.ask("DELETE", f"/api/token/{new('token to erase')}/erase")
    await system.ask("DELETE", f"/api/account/machines/{new('machine of an account')}")
    upgrade = ("upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: eA==")
    ticket = new("ticket of an upgrade")
    await system.ask("GET", f"/socket/websocket?ticket={ticket}", "connection: upgrade", *upgrade)


async def machines(system: Loud) -> None:
    """Send what a machine has signed to every route of its own, as its client does."""
    new, machine = system.marks.new, Machine()
    # The first twelve characters may be told (teams contract, section 13).
    system.marks.watch("token of a machine", machine.token[12:])
    ticket = machine.ticket()
    system.marks.watch("signature of a ticket", ticket.rpartition(".")[2])
    bodies: dict[str, dict[str, object]] = {
        "/api/teams": {"team": {"name": "a", "members": []}},
        "/api/join": {"invite_code": new("invitation of a machine")},
        "/api/teams/preview": {"invite_code": new("invitation of a preview")},
        "/api/teams/claim": {"claim_secret": new("claim secret")},
        "/api/teams/invite": {},
        "/api/teams/view-token": {},
        "/api/teams/knowledge": {"content": new("knowledge")},
        "/api/teams/visibility": {"visibility": new("bad visibility")},
        "/api/teams/tasks": {"description": new("task"), "assignee": "a"},
        "/api/teams/rollback": {"version": new("bad version")},
        "/api/account/reassociate": {"new_token": new("new token")},
    }
    for path, fields in bodies.items():
        for body in (machine.body(**fields), machine.body(**fields).replace(b'"', b"", 1)):
            lines = [
                f"{name}: {value}" for name, value in machine.headers("POST", path, body).items()
            ]
            lines.append(f"authorization: Bearer {new(f'person beside a machine at {path}')}")
            lines.append(f"cookie: guildhall_session={new(f'session beside a machine at {path}')}")
            await system.ask("POST", path, *lines, body=body)
    mine = f"/api/teams/{machine.token}"
    for method, path in (
        ("GET", mine),
        ("GET", f"{mine}/head?team_id={new('team')}"),
        ("GET", f"{mine}/export?platform={new('bad platform')}"),
        ("GET", f"{mine}/versions/{new('bad number')}"),
        ("GET", f"/api/teams/all/{machine.token}"),
        ("GET", f"/api/teams/tasks/{machine.token}"),
        ("GET", f"/api/auth/device/{new('device code')}"),
        ("DELETE", f"/api/token/{machine.token}/erase"),
    ):
        lines = [f"{name}: {value}" for name, value in machine.headers(method, path).items()]
        await system.ask(method, path, *lines)
    for query in (f"ticket={ticket}&vsn=2.0.0&x={new('query of a socket')}", f"ticket={ticket}x"):
        await system.send(handshake(f"/socket/websocket?{query}"), frame(1, b"[1,2"))


async def headers(system: Loud) -> None:
    """Send credentials in headers to every row."""
    new = system.marks.new
    for row in TABLE:
        await system.ask(
            "POST",
            row.prefix,
            f"authorization: Bearer {new('bearer')}",
            f"cookie: session={new('cookie')}",
            f"x-api-key: {new('API key')}",
            f"x-guildhall-assertion: {new('assertion')}",
            f"referer: https://a.test/?token={new('referrer')}",
            f"x-request-id: {new('bad request id')}!",
            f"traceparent: {new('bad traceparent')}",
            f"tracestate: a={new('tracestate')}",
            f"origin: https://{new('origin')}.test",
            f"idempotency-key: {new('idempotency key')}",
        )
    await system.ask("GET", "/v1/learnings", f"authorization: Basic {system.marks.basic('basic')}")
    await system.ask("GET", "/v1/x", f"authorization: bearer\teyJ{new('jwt')}.eyJ{new('jwt')}.x")
    await system.ask("GET", "/v1/x", *[f"authorization: Bearer {new('two')}" for _ in range(2)])
    signed = Machine().headers("GET", "/api/teams/x")
    for name in signed:
        lines = [f"{n}: {v}{new(name) if n == name else ''}" for n, v in signed.items()]
        await system.ask("GET", "/api/teams/x", *lines)


async def bodies(system: Loud) -> None:
    """Send passwords and tokens in bodies that are right, wrong, and no JSON at all."""
    new = system.marks.new
    for path in (
        "/v1/auth/login",
        "/v1/auth/register",
        "/v1/auth/token",
        "/v1/auth/refresh",
        "/v1/auth/reset-password",
        "/v1/auth/2fa/verify",
        "/v1/auth/device/token",
        "/api/v1/auth/login",
        "/api/v1/auth/accept-invite",
        "/api/v0/auth/internal",
        "/users/log-in",
        "/api/teams",
    ):
        word = new(f"password of {path}")
        fields = {
            "email": "ada@example.test",
            "user": "ada",
            "password": word,
            "pass": word,
            "new_password": word,
            "token": word,
            "api_key": word,
            "refresh_token": word,
            "device_code": word,
            "code": word,
            "name": "Ada",
            "terms_accepted": True,
        }
        sent = (
            ("application/json", json.dumps(fields).encode()),
            ("application/json", json.dumps({"password": [word]}).encode()),
            ("application/json", f'{{"password": "{word}'.encode()),
            ("application/json", b"\xff\xfe" + word.encode()),
            ("application/x-www-form-urlencoded", f"email=a%40b.test&password={word}".encode()),
            ("x/y", word.encode()),
        )
        asked = (
            system.ask("POST", path, f"content-type: {kind}", body=body) for kind, body in sent
        )
        await asyncio.gather(*asked)


async def malformed(system: Loud) -> None:
    """Send what is no request, or not wholly."""
    new = system.marks.new
    host = b"host: x\r\n"
    all_pieces = (
        [f"GET /t/{new('control character')}\x01 HTTP/1.1\r\n\r\n".encode()],
        [f"GET /t/{new('space')} x HTTP/1.1\r\n\r\n".encode()],
        [f"GET /t/{new('no version')}\r\n\r\n".encode()],
        [f"GET /t/{new('other version')} HTTP/9.9\r\n\r\n".encode()],
        [f"GET /t/{new('high bytes')}".encode() + b"\xff\xfe HTTP/1.1\r\n" + host + b"\r\n"],
        [f"{new('method')} / HTTP/1.1\r\n\r\n".encode()],
        [f"GET http://ada:{new('userinfo')}@x/v1 HTTP/1.1\r\n".encode() + host + b"\r\n"],
        [f"CONNECT {new('authority')}:443 HTTP/1.1\r\n".encode() + host + b"\r\n"],
        [f"GET /v1 HTTP/1.1\r\n{new('header name')} x: y\r\n\r\n".encode()],
        [f"GET /v1 HTTP/1.1\r\nauthorization: {new('control')}\x00\r\n\r\n".encode()],
        [f"GET /v1 HTTP/1.1\r\nhost: {new('host')}\r\nhost: y\r\n\r\n".encode()],
        [
            f"POST /t/{new('two lengths')} HTTP/1.1\r\n".encode() + host,
            b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        ],
        [
            f"POST /v1/x?token={new('bad chunk')} HTTP/1.1\r\n".encode() + host,
            b"transfer-encoding: chunked\r\n\r\n",
            f"zz{new('chunk')}\r\n".encode(),
        ],
        [
            b"POST /v1/auth/login HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n",
            host + f"\r\n5;{new('chunk extension')}=x\r\nhello\r\n".encode(),
            f"0\r\nx-trailer: {new('trailer')}\r\n\r\n".encode(),
        ],
        [f"GET /t/{new('huge target')}".encode() + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"],
        [
            f"GET /t/{new('huge head')} HTTP/1.1\r\n".encode() + host,
            *[f"x-{n}: {new('of a huge head')}{'y' * 700}\r\n".encode() for n in range(99)],
            b"\r\n",
        ],
        [
            f"GET /t/{new('many headers')} HTTP/1.1\r\n".encode() + host,
            b"connection: close\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        ],
        [b"\x16\x03\x01\x02\x00\x01" + new("no HTTP").encode()],
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + new("HTTP/2").encode()],
    )
    await asyncio.gather(*(system.send(*pieces) for pieces in all_pieces))
    for pieces in all_pieces:
        await system.send(*pieces[:-1], pieces[-1][: len(pieces[-1]) // 2], listens=False)
    length = b"content-length: 100000\r\n\r\n"
    secret = new("body that ends early").encode()
    await system.send(b"POST /v1/auth/login HTTP/1.1\r\n" + host + length, secret, listens=False)
    length = b"content-length: 999999999\r\n\r\n"
    target = f"POST /v1/x?token={new('too large')} HTTP/1.1\r\n".encode()
    await system.send(target + host + length, new("body too large").encode())


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN_ANSWERS = (
    b"HTTP/1.1 2x0 %b\r\n\r\n",
    b"%b\r\n\r\n",
    OK + b"content-length: 5\r\ncontent-length: %b\r\n\r\n",
    OK + b"content-length: 5\r\nset-cookie: a=%b\r\n\r\nhel",
    OK + b"transfer-encoding: chunked\r\n\r\nzz%b\r\n",
    OK + b"bad header %b\r\n\r\n",
    OK + b"x: %b" + b"y" * 200_000,
    OK + b"content-length: 2\r\n\r\nok%b",
    b"HTTP/1.1 101 %b\r\nupgrade: x\r\n\r\n",
    b"HTTP/1.1 100 %b\r\n\r\n",
    b"",
)


async def broken_services(system: Loud) -> None:
    """Ask a service that answers nonsense, half, late or never, and one that is away."""
    new = system.marks.new

    def target(label: str) -> str:
        return f"/api/v1/auth/../artifacts/x?token={new(label)}".replace("auth/../", "")

    async def login(path: str, label: str) -> bytes:
        body = json.dumps({"password": new(label)}).encode()
        return await system.ask("POST", path, "content-type: application/json", body=body)

    for n, data in enumerate(BROKEN_ANSWERS):
        told = data.replace(b"%b", new(f"answer {n}").encode())
        system.runs.behave = _once_and_away(told)
        await system.ask("GET", f"/api/v1/health/ready?token={new(f'query {n}')}")
        await system.ask("GET", target(f"artifact {n}"))
    assert len(system.runs.asked) >= len(BROKEN_ANSWERS), "it was asked"
    system.runs.behave = _silent
    await system.ask("GET", f"/api/v1/health/ready?token={new('query of a late answer')}")
    shown = f'{{"detail": "{new("crash that a service tells")}"}}'.encode()
    system.runs.behave = answering(plain(500, shown, "content-type: application/json"))
    await system.ask("GET", f"/api/v1/health/ready?token={new('query of a crash')}")
    await login("/api/v0/auth/login", "password for who is away")
    await system.ask("GET", f"/api/v0/health?token={new('query for who is away')}")
    await system.ask(
        "GET",
        f"/t/{new('path of a crash here')}?x={new('query of a crash here')}",
        "x-crash: 1",
        f"authorization: Bearer {new('bearer of a crash here')}",
        f"cookie: a={new('cookie of a crash here')}",
    )


def _once_and_away(data: bytes) -> Callable[..., Awaitable[None]]:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(data)
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    return behave


async def _silent(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def broken_database(system: Loud, urls: DatabaseUrls) -> None:
    """Make services crash on what their database says, values of rows included."""
    new = system.marks.new
    connection = await asyncpg.connect(urls.admin, timeout=10)
    try:
        for table in ("auth.account", "auth.audit_event", "auth.waitlist_entry"):
            if await connection.fetchval("SELECT to_regclass($1)", table):
                await connection.execute(
                    f"ALTER TABLE {table} ADD CONSTRAINT never CHECK (false) NOT VALID"
                )
        for path in ("/v1/auth/register", "/v1/waitlist", "/v1/auth/login"):
            fields = {
                "email": f"{new(f'address of a row of {path}')}@example.test",
                "password": new(f"password of a row of {path}") + "Aa1!",
                "name": new(f"name of a row of {path}"),
                "terms_accepted": True,
            }
            body = json.dumps(fields).encode()
            await system.ask("POST", path, "content-type: application/json", body=body)
        await connection.execute("ALTER TABLE auth.account RENAME TO gone")
        for path in ("/v1/auth/login", "/v1/auth/forgot-password", "/users/log-in"):
            body = json.dumps({"email": "ada@example.test", "password": new(path)}).encode()
            await system.ask("POST", path, "content-type: application/json", body=body)
        await system.ask("GET", f"/users/reset-password/{new('path of a broken service')}")
        await system.ask("GET", f"/accept-invite?token={new('query of a broken service')}")
    finally:
        await connection.close(timeout=5)


async def others(system: Loud) -> str:
    """Give what everybody else is told: answers to strangers, and the metrics."""
    told = []
    async with httpx.AsyncClient(timeout=10) as client:
        base = f"http://127.0.0.1:{system.port}"
        for path in ("/", "/health", "/health/ready", "/openapi.json", "/docs", "/nowhere"):
            told.append(await client.get(base + path))
        for path in ("/v1/learnings", "/api/v1/runs", "/api/v0/agents", "/api/teams/x", "/t/x"):
            told.append(await client.get(base + path, headers={"authorization": "Bearer stranger"}))
        for port in (system.metrics_port, *(system.ports[name] for name in REAL)):
            told.append(await client.get(f"http://127.0.0.1:{port}/metrics"))
    return "\n".join(f"{one.headers}\n{one.text}" for one in told)


@pytest.mark.slow
async def test_nobody_repeats_a_secret(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with talkative(database_urls, tmp_path) as system:
        for kind in (well_formed, machines, headers, bodies, malformed, broken_services):
            await kind(system)
        await broken_database(system, database_urls)
        told = await others(system)
        await system.stop()
        output = system.output()
    assert "crash of" in output["gateway"], "it did crash"
    assert "request failed" in output["auth"], "it did crash"
    assert "Executing" in output["gateway"], "it is as talkative as it can be"
    for name, text in (*output.items(), ("answers to others", told)):
        leaks = system.marks.found(text)
        assert not leaks, f"{name} repeats:\n" + "\n".join(leaks)
