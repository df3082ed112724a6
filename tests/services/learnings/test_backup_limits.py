"""How much is kept of backups, and for how long; and what is left when something ends early."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.learnings.app import SERVICE
from services.learnings.backup import operations
from services.learnings.erasures.operations import forget_organization
from services.learnings.files.operations import sweep as sweep_files
from shared.db import Database
from shared.object_store import FileStore
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.files_support import environment, files_below, s3
from tests.services.learnings.test_backup import CLIENT, DATA, Backups, Own, Sql, own
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

__all__ = ("own",)

AGED = "UPDATE learnings.file SET changed_at = now() - interval '3 hours' WHERE org_id = $1"


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("learnings"), size=2)
    yield database
    await database.close()


async def sweep(database: Database, own: Own, days: int = 0) -> None:
    settings = SERVICE.settings.model_validate(
        {
            "GUILDHALL_DATABASE_URL": "postgres://unused",
            "GUILDHALL_ROOT_SECRET": bytes(32),
            "GUILDHALL_BACKUP_DAYS": days,
        }
    )
    async with FileStore.opened(own.folder.as_uri()) as files:
        await operations.sweep(database, files, settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("own", [{"GUILDHALL_BACKUPS_KEPT": 2}], indirect=True)
async def test_the_oldest_of_a_client_go(own: Own) -> None:
    other = await own.backups.keep(client_id="other")
    keys = [await own.backups.keep(bytes([number])) for number in range(4)]
    assert [item["key"] for item in await own.backups.objects()] == keys[:1:-1]
    assert [item["key"] for item in await own.backups.objects("other")] == [other]
    assert len(files_below(own.folder)) == 3
    answer = await own.backups.presign(client_id=CLIENT, method="get", key=keys[0])
    assert answer.status_code == 404


@pytest.mark.parametrize("own", [{"GUILDHALL_BACKUPS_KEPT": 3}], indirect=True)
async def test_as_many_stay_when_they_come_at_once(own: Own) -> None:
    await asyncio.gather(*(own.backups.keep(bytes([number])) for number in range(8)))
    assert len(await own.backups.objects()) == 3
    assert len(files_below(own.folder)) == 3


@pytest.mark.parametrize("own", [{"GUILDHALL_BACKUP_SIZE": 1000}], indirect=True)
async def test_a_backup_that_is_too_large_is_not_announced(own: Own) -> None:
    await own.backups.announce(bytes(1000))
    answer = await own.backups.presign(client_id=CLIENT, sha256="0" * 64, size_bytes=1001)
    assert answer.status_code == 422
    fault = answer.json()["detail"][0]
    assert fault["loc"] == ["body", "size_bytes"]
    assert "1000" in fault["msg"]


QUOTA = {"GUILDHALL_BACKUP_QUOTA": 1000, "GUILDHALL_BACKUPS_KEPT": 2}


@pytest.mark.parametrize("own", [QUOTA], indirect=True)
async def test_an_organization_has_so_much_room(own: Own) -> None:
    await own.backups.keep(os.urandom(400))
    await own.backups.keep(os.urandom(500))
    # The third would displace the first of this client, of another client it would not.
    refused = await own.backups.presign(client_id="other", sha256="0" * 64, size_bytes=400)
    assert refused.status_code == 413
    assert "1000" in refused.json()["detail"]
    await own.backups.keep(os.urandom(500))
    refused = await own.backups.presign(client_id=CLIENT, sha256="0" * 64, size_bytes=501)
    assert refused.status_code == 413


@pytest.mark.parametrize("own", [QUOTA], indirect=True)
async def test_room_is_not_given_away_twice(own: Own) -> None:
    asked = [
        own.backups.presign(client_id=f"c{number}", sha256="0" * 64, size_bytes=300)
        for number in range(8)
    ]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [413] * 5


@pytest.mark.parametrize("own", [QUOTA], indirect=True)
async def test_room_that_was_announced_and_not_used_comes_back(own: Own, sql: Sql) -> None:
    await own.backups.announce(bytes(900))
    late = {"client_id": CLIENT, "sha256": "0" * 64, "size_bytes": 900}
    assert (await own.backups.presign(**late)).status_code == 413
    await sql.execute(
        "UPDATE learnings.backup SET expires_at = now() WHERE org_id = $1", own.backups.tenant.org
    )
    assert (await own.backups.presign(**late)).status_code == 200


async def test_announcements_are_bounded(own: Own) -> None:
    asked = {"client_id": CLIENT, "sha256": "0" * 64, "size_bytes": 1}
    for _ in range(10):
        answers = await asyncio.gather(*(own.backups.presign(**asked) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
    answer = await own.backups.presign(**asked)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


async def test_old_announcements_are_swept(own: Own, sql: Sql, database: Database) -> None:
    announced = await own.backups.announce()
    org = own.backups.tenant.org
    count = "SELECT count(*) FROM learnings.backup WHERE org_id = $1"
    await sweep(database, own)
    assert await sql.fetchval(count, org) == 1
    await sql.execute(
        "UPDATE learnings.backup SET expires_at = now() - interval '2 hours' WHERE org_id = $1", org
    )
    await sweep(database, own)
    assert await sql.fetchval(count, org) == 0
    assert (await own.backups.put(announced["url"], DATA)).status_code == 400


async def test_backups_are_kept_for_so_many_days(own: Own, sql: Sql, database: Database) -> None:
    old, new = await own.backups.keep(b"old"), await own.backups.keep(b"new")
    await sql.execute(
        "UPDATE learnings.backup SET uploaded_at = now() - interval '8 days' WHERE key = $1", old
    )
    await sweep(database, own, days=0)
    assert len(await own.backups.objects()) == 2
    await sweep(database, own, days=7)
    assert [item["key"] for item in await own.backups.objects()] == [new]
    await sql.execute(AGED, own.backups.tenant.org)
    await sweep(database, own, days=7)
    assert len(files_below(own.folder)) == 1
    assert (await own.backups.get(await own.backups.address_of(new))).content == b"new"


async def test_what_a_crash_left_is_swept(own: Own, sql: Sql, database: Database) -> None:
    key = await own.backups.keep()
    org = own.backups.tenant.org
    left, begun = own.folder / "backups" / "left", own.folder / "backups" / "left#1"
    for path in (left, begun):
        path.write_bytes(b"half")
    await sql.execute(
        "INSERT INTO learnings.file (org_id, key) VALUES ($1, $2), ($1, $3)",
        org,
        "backups/left",
        f"backups/never-written-{org}",
    )
    await sweep(database, own)
    assert left.exists()
    assert begun.exists()
    await sql.execute(AGED, org)
    await sweep(database, own)
    assert not left.exists()
    assert not begun.exists()
    assert (await own.backups.get(await own.backups.address_of(key))).content == DATA
    rows = "SELECT count(*) FROM learnings.file WHERE org_id = $1"
    assert await sql.fetchval(rows, org) == 1


async def test_an_upload_that_was_swept_in_between_is_refused(
    own: Own, sql: Sql, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = await own.backups.announce()
    put = FileStore.put

    async def slow_put(store: FileStore, key: str, pieces: AsyncIterator[bytes]) -> None:
        await put(store, key, pieces)
        await sql.execute(AGED, own.backups.tenant.org)
        await sweep_files(database, store)

    monkeypatch.setattr(FileStore, "put", slow_put)
    answer = await own.backups.put(announced["url"], DATA)
    assert answer.status_code == 409
    assert await own.backups.objects() == []
    assert files_below(own.folder) == []


async def test_a_forgotten_organization_leaves_nothing(
    own: Own, sql: Sql, database: Database
) -> None:
    key = await own.backups.keep()
    url, waiting = await own.backups.address_of(key), await own.backups.announce()
    org = own.backups.tenant.org
    async with database.transaction() as connection:
        await forget_organization(connection, org)
    assert await sql.fetchval("SELECT count(*) FROM learnings.backup WHERE org_id = $1", org) == 0
    assert (await own.backups.get(url)).status_code == 404
    assert (await own.backups.put(waiting["url"], DATA)).status_code == 400
    await sql.execute(AGED, org)
    await sweep(database, own)
    assert files_below(own.folder) == []
    assert await sql.fetchval("SELECT count(*) FROM learnings.file WHERE org_id = $1", org) == 0


async def test_an_organization_that_was_just_forgotten_announces_nothing(
    own: Own, sql: Sql, database: Database
) -> None:
    org = own.backups.tenant.org
    asked = {"client_id": CLIENT, "sha256": "0" * 64, "size_bytes": 1}

    async def forget() -> None:
        async with database.transaction() as connection:
            await forget_organization(connection, org)

    answers = await asyncio.gather(*(own.backups.presign(**asked) for _ in range(9)), forget())
    assert {answer.status_code for answer in answers if answer is not None} <= {200, 404}
    assert (await own.backups.presign(**asked)).status_code == 404
    assert await sql.fetchval("SELECT count(*) FROM learnings.backup WHERE org_id = $1", org) == 0


async def test_small_backups_are_bounded_in_number(own: Own, sql: Sql) -> None:
    await sql.execute(
        """
        INSERT INTO learnings.backup
               (org_id, key, client_id, size_bytes, sha256, expires_at, uploaded_at, file,
                sealed_key)
        SELECT $1, 'k' || n, 'c' || n, 1, 'x', now(), now(), 'f', 's'
          FROM generate_series(1, 10000) AS n
        """,
        own.backups.tenant.org,
    )
    answer = await own.backups.presign(client_id=CLIENT, sha256="0" * 64, size_bytes=1)
    assert answer.status_code == 413
    assert "10000" in answer.json()["detail"]


async def test_the_same_in_s3(urls: DatabaseUrls, tmp_path: Path) -> None:
    data = os.urandom(7_000_000)
    with s3() as server, environment(server.variables):
        settings = learnings_settings(urls, tmp_path, GUILDHALL_ARTIFACTS_URL=server.url)
        async with client_of(SERVICE, settings) as client:
            backups = Backups(Tenant(client))
            key = await backups.keep(data)
            assert (await backups.get(await backups.address_of(key))).content == data
            wrong = await backups.announce(data)
            refused = await backups.put(wrong["url"], data[:-1] + b"x", says=data)
            assert refused.status_code == 400
    assert files_below(tmp_path) == []


async def test_a_store_that_is_gone_is_unavailable(urls: DatabaseUrls, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        with s3() as server:
            stack.enter_context(environment(server.variables))
            settings = learnings_settings(urls, tmp_path, GUILDHALL_ARTIFACTS_URL=server.url)
            client = await stack.enter_async_context(client_of(SERVICE, settings))
            backups = Backups(Tenant(client))
            address = await backups.address_of(await backups.keep())
            waiting = await backups.announce()
        for answer in (await backups.get(address), await backups.put(waiting["url"], DATA)):
            assert answer.status_code == 503
            assert answer.json() == {"detail": "The file store cannot be reached"}
            assert int(answer.headers["retry-after"]) > 0
        assert len(await backups.objects()) == 1


async def test_a_bucket_that_is_gone_is_unavailable(urls: DatabaseUrls, tmp_path: Path) -> None:
    with s3() as server, environment(server.variables):
        nowhere = f"s3://{server.bucket}-not"
        settings = learnings_settings(urls, tmp_path, GUILDHALL_ARTIFACTS_URL=nowhere)
        async with client_of(SERVICE, settings) as client:
            backups = Backups(Tenant(client))
            waiting = await backups.announce()
            assert (await backups.put(waiting["url"], DATA)).status_code == 503
