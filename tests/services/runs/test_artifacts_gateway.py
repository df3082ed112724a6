"""Artifacts through the gateway of the running system: by name, by tokens, and in no log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.support.stack import Stack, running_stack
from tests.system.people import Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@dataclass
class Site:
    """The system, two people of two organizations, and a run of the first with artifacts."""

    stack: Stack
    client: httpx.AsyncClient
    ada: Person
    bob: Person
    run_id: str

    @property
    def jwt(self) -> str:
        return self.ada.headers["authorization"].removeprefix("Bearer ")

    async def get(self, target: str, **headers: str) -> httpx.Response:
        return await self.client.get(f"/api/v1/artifacts/{target}", headers=headers)

    async def token(self, path: str) -> str:
        answer = await self.client.post(
            "/api/v1/artifacts/token", json={"path": path}, headers=self.ada.headers
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    async def raw(self, target: str) -> bytes:
        """Ask with a target that no client would send."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.client.base_url.port)
        writer.write(
            f"GET {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.jwt}\r\n"
            "connection: close\r\n\r\n".encode()
        )
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    with running_stack() as stack:
        async with httpx.AsyncClient(base_url=stack.base_url, timeout=60) as client:
            ada = await joined(client, stack.mail_directory, "ada@artifacts.example")
            bob = await joined(client, stack.mail_directory, "bob@artifacts.example")
            run_id = f"run_{uuid4().hex}"
            sql = await asyncpg.connect(stack.database_url("runs"), timeout=10)
            await sql.execute(
                """
                INSERT INTO runs.run (org_id, id, file, suite_id, suite_name, version, trigger,
                                      created_by, status, finished_at)
                VALUES ($1, $2, 'a.yaml', 'a', 'A', 1, 'api', 'usr', 'passed', now())
                """,
                ada.org_id,
                run_id,
            )
            await sql.close(timeout=5)
            folder = stack.data_dir / "artifacts" / run_id
            (folder / "shots").mkdir(parents=True)
            (folder / "shots" / "1.png").write_bytes(PNG)
            (folder / "report.html").write_text("<script>alert(1)</script>")
            yield Site(stack, client, ada, bob, run_id)


async def test_a_shot_is_shown_by_every_credential(site: Site) -> None:
    path = f"{site.run_id}/shots/1.png"
    token, folder = await site.token(path), await site.token(site.run_id)
    for answer in (
        await site.get(path, **site.ada.headers),
        await site.get(f"{path}?token={site.jwt}"),
        await site.get(f"{path}?token={token}"),
        await site.get(f"{path}?token={folder}&size=small"),
    ):
        assert (answer.status_code, answer.content) == (200, PNG)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"].startswith("private")
    part = await site.get(f"{path}?token={token}", range="bytes=0-3")
    assert (part.status_code, part.content) == (206, PNG[:4])
    head = await site.client.head(f"/api/v1/artifacts/{path}?token={token}")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(PNG)))


async def test_a_report_is_sandboxed(site: Site) -> None:
    answer = await site.get(f"{site.run_id}/report.html", **site.ada.headers)
    assert answer.status_code == 200
    policies = answer.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert "sandbox" in policies[0]
    assert "default-src 'none'" in policies[0]


async def test_nobody_else_is_shown_anything(site: Site) -> None:
    path = f"{site.run_id}/shots/1.png"
    token = await site.token(path)
    for target, headers, status in (
        (path, {}, 401),
        (f"{path}?token=", {}, 401),
        (f"{path}?token=art_noise", {}, 401),
        (f"{path}?token={token}x", {}, 401),
        (f"{path}?token={token}&token={token}", {}, 401),
        (path, {"authorization": f"Bearer {token}"}, 401),
        (f"{site.run_id}/report.html?token={token}", {}, 403),
        (path, site.bob.headers, 404),
    ):
        answer = await site.get(target, **headers)
        assert answer.status_code == status, target
        assert answer.json()["error"]["type"] == answer.json()["type"]
    answer = await site.client.get(f"/api/v1/runs?token={token}")
    assert answer.status_code == 401
    made = await site.client.post(
        f"/api/v1/artifacts/token?token={token}", json={"path": site.run_id}
    )
    assert made.status_code == 401


@pytest.mark.parametrize(
    "path",
    ["RUN/../RUN/shots/1.png", "RUN/./shots/1.png", "../../../etc/passwd", "RUN/shots/%2e%2e/x",
     "RUN%2f..%2fRUN%2fshots%2f1.png", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "RUN\\shots",
     "RUN/shots/1.png%00", "RUN/%5c..%5cx", "..", "."],
)  # fmt: skip
async def test_no_target_leads_elsewhere(site: Site, path: str) -> None:
    answer = await site.raw("/api/v1/artifacts/" + path.replace("RUN", site.run_id))
    assert answer.split(b" ", 2)[1] in (b"404", b"400"), answer[:300]
    assert PNG[:4] not in answer
    assert b"root:" not in answer


async def test_no_token_stands_in_a_log(site: Site) -> None:
    path = f"{site.run_id}/shots/1.png"
    token = await site.token(path)
    for target in (path, f"{site.run_id}/report.html", f"{site.run_id}/none.png"):
        await site.get(f"{target}?token={token}")
        await site.get(f"{target}?token={site.jwt}")
    await site.raw(f"/api/v1/artifacts/{path}%00?token={token}")
    assert (await site.client.get("/api/v1/health")).status_code == 200
    log = site.stack.log
    assert token[4:40] not in log
    assert token.rpartition(".")[2] not in log
    assert site.jwt.rpartition(".")[2] not in log
