"""Artifacts are kept for whom they are, within limits, and deleted when their time is over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.runs.artifacts import operations
from services.runs.artifacts import store as artifact_rows
from services.runs.artifacts.operations import Store, keeping, pieces_beneath, sweep
from services.runs.artifacts.operations.clearing import LATEST_WRITER
from shared.db import Database
from shared.errors import NotFound, TooLarge, Unavailable
from shared.object_store import FileStore
from tests.services.learnings.files_support import environment, files_below, s3
from tests.services.runs.artifacts_support import PNG, ask, folder_of, run_with, store_of
from tests.services.runs.conftest import Runs, new_org

DAYS = 30


async def bytes_of(runs: Runs, org: str, run_id: str) -> int:
    found: int = await runs.sql.fetchval(
        "SELECT bytes FROM runs.artifact_folder WHERE org_id = $1 AND run_id = $2", org, run_id
    )
    return found


async def age(runs: Runs, run_id: str, column: str, seconds: float) -> None:
    await runs.sql.execute(
        f"UPDATE runs.artifact_folder SET {column} = {column} - make_interval(secs => $2)"  # noqa: S608
        " WHERE run_id = $1",
        run_id,
        seconds,
    )


async def delete_row(runs: Runs, org: str, run_id: str) -> None:
    async with runs.database.transaction() as connection:
        await connection.execute("DELETE FROM runs.run WHERE org_id = $1 AND id = $2", org, run_id)
        await operations.drop(connection, org, run_id)


def names(runs: Runs, run_id: str) -> list[str]:
    root = folder_of(runs) / run_id
    return [str(path.relative_to(root)) for path in files_below(root)]


async def test_what_is_put_comes_back_and_is_counted(runs: Runs, org: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"two "
        yield b"pieces"

    run_id = await run_with(runs, org, "shots/1.png")
    store = store_of(runs)
    assert await store.put(org, run_id, "log.txt", pieces()) == 10
    assert await store.get(org, run_id, "log.txt") == b"two pieces"
    assert await bytes_of(runs, org, run_id) == len(PNG) + 10
    with pytest.raises(TooLarge):
        await store.get(org, run_id, "log.txt", limit=9)
    with pytest.raises(NotFound):
        await store.get(org, run_id, "other.txt")
    with pytest.raises(NotFound):
        await store.get(new_org(), run_id, "log.txt")


async def test_nothing_is_kept_for_a_run_that_is_not_there(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org)
    for whose, which in ((new_org(), run_id), (org, "run_none")):
        with pytest.raises(NotFound):
            await store_of(runs).put(whose, which, "a.txt", b"x")
    await delete_row(runs, org, run_id)
    with pytest.raises(NotFound):
        await store_of(runs).put(org, run_id, "a.txt", b"x")
    assert names(runs, run_id) == []


@pytest.mark.parametrize(
    "path", ["", "/", "../x", "a b.png", "a//b", "/a", ".a", "a/", "ä", "a\0b"]
)
async def test_a_path_that_could_lead_elsewhere_is_refused(runs: Runs, org: str, path: str) -> None:
    run_id = await run_with(runs, org)
    with pytest.raises((ValueError, NotFound)):
        await store_of(runs).put(org, run_id, path, b"x")
    assert names(runs, run_id) == []


async def test_a_run_has_its_limit(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org)
    store = Store(runs.database, store_of(runs).files, run_limit=1000)
    await store.put(org, run_id, "a.txt", b"a" * 600)
    with pytest.raises(TooLarge):
        await store.put(org, run_id, "b.txt", b"b" * 600)
    await store.put(org, run_id, "c.txt", b"c" * 400)
    assert names(runs, run_id) == ["a.txt", "c.txt"]


async def test_an_artifact_has_its_limit_before_it_has_ended(
    runs: Runs, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LARGEST", 1000)
    seen = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal seen
        while True:
            seen += 1
            yield b"x" * 300

    run_id = await run_with(runs, org)
    with pytest.raises(TooLarge):
        await store_of(runs).put(org, run_id, "a.txt", endless())
    assert seen <= 5
    assert names(runs, run_id) == []


async def test_objects_of_no_run_stay_within_their_prefix(runs: Runs, org: str) -> None:
    store = store_of(runs)
    await store.put_object(f"checks/{org}/a.png", PNG)
    assert await store.get_object(f"checks/{org}/a.png") == PNG
    await store.delete_object(f"checks/{org}/a.png")
    await store.delete_object(f"checks/{org}/a.png")
    with pytest.raises(NotFound):
        await store.get_object(f"checks/{org}/a.png")
    run_id = await run_with(runs, org, "a.png")
    for key in (f"{run_id}/a.png", "checks", "checks/../x", f"checks/../{run_id}/a.png"):
        with pytest.raises(ValueError, match="key"):
            await store.get_object(key)


async def test_a_deleted_run_leaves_nothing(runs: Runs, org: str) -> None:
    run_id = await run_with(runs, org, "shots/1.png", "report.html")
    other = await run_with(runs, org, "report.html")
    with pytest.raises(ValueError, match="still there"):
        await store_of(runs).delete_run(org, run_id)
    await delete_row(runs, org, run_id)
    await store_of(runs).delete_run(org, run_id)
    assert not (folder_of(runs) / run_id).exists()
    assert names(runs, other) == ["report.html"]
    assert (await ask(runs, f"{run_id}/report.html", runs.member(org))).status_code == 404


async def test_the_sweep_deletes_what_a_crash_left_and_a_late_writer_adds(
    runs: Runs, org: str
) -> None:
    run_id = await run_with(runs, org, "shots/1.png")
    await delete_row(runs, org, run_id)
    await sweep(runs.database, store_of(runs), DAYS)
    assert names(runs, run_id) == []
    # Somebody who had asked before the deletion writes after it.
    await store_of(runs).files.put(f"{run_id}/late.txt", _once(b"x"))
    assert await bytes_of(runs, org, run_id) is not None
    await age(runs, run_id, "dropped_at", LATEST_WRITER + 1)
    await sweep(runs.database, store_of(runs), DAYS)
    assert names(runs, run_id) == []
    assert await bytes_of(runs, org, run_id) is None


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def test_after_thirty_days_only_reports_are_left(runs: Runs, org: str) -> None:
    kept = ("report.json", "report.html", "junit.xml")
    gone = ("shots/1.png", "traces/a.zip", "downloads/report.json", "other.txt")
    old, young = await run_with(runs, org, *kept, *gone), await run_with(runs, org, *kept, *gone)
    await age(runs, old, "created_at", DAYS * 86_400 + 60)
    await age(runs, young, "created_at", DAYS * 86_400 - 60)
    await asyncio.gather(
        sweep(runs.database, store_of(runs), DAYS), sweep(runs.database, store_of(runs), DAYS)
    )
    assert names(runs, old) == sorted(kept)
    assert names(runs, young) == sorted((*kept, *gone))
    member = runs.member(org)
    assert (await ask(runs, f"{old}/shots/1.png", member)).status_code == 404
    assert (await ask(runs, f"{old}/report.html", member)).status_code == 200


async def test_a_sweep_takes_more_than_one_statement_gives(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_rows, "SWEEP_SIZE", 2)
    org = new_org()
    run_ids = [await run_with(runs, org, "a.txt") for _ in range(5)]
    for run_id in run_ids[:3]:
        await age(runs, run_id, "created_at", DAYS * 86_400 + 60)
    for run_id in run_ids[3:]:
        await delete_row(runs, org, run_id)
    await sweep(runs.database, store_of(runs), DAYS)
    assert [names(runs, run_id) for run_id in run_ids] == [[]] * 5


async def test_a_forgotten_organization_leaves_nothing(runs: Runs, org: str) -> None:
    other = new_org()
    mine, theirs = await run_with(runs, org, "a.txt"), await run_with(runs, other, "a.txt")
    async with runs.database.transaction() as connection:
        await operations.forget_organization(connection, org)
        await connection.execute("DELETE FROM runs.run WHERE org_id = $1", org)
    assert (await ask(runs, f"{mine}/a.txt", runs.member(org))).status_code == 404
    await sweep(runs.database, store_of(runs), DAYS)
    assert (names(runs, mine), names(runs, theirs)) == ([], ["a.txt"])


async def test_links_in_a_folder_are_deleted_and_not_followed(
    runs: Runs, org: str, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("x")
    run_id = await run_with(runs, org, "a.txt")
    (folder_of(runs) / run_id / "link").symlink_to(tmp_path)
    await delete_row(runs, org, run_id)
    await store_of(runs).delete_run(org, run_id)
    assert (tmp_path / "precious").read_text() == "x"
    assert not (folder_of(runs) / run_id).exists()


async def test_a_store_that_is_away_is_unavailable(runs: Runs, org: str, tmp_path: Path) -> None:
    run_id = await run_with(runs, org)
    async with FileStore.opened((tmp_path / "s").as_uri()) as files:
        store = Store(runs.database, files, 1000)
        await store.ping()
        (tmp_path / "s").rmdir()
        with pytest.raises(Unavailable):
            await store.ping()
        (tmp_path / "s").write_text("a file where the folder was")
        with pytest.raises(Unavailable):
            await store.put(org, run_id, "a.txt", b"x")


async def test_it_works_on_s3(runs: Runs, org: str) -> None:
    database: Database = runs.database
    with s3() as server, environment(server.variables):
        async with Store.opened(database, server.url, 10**9) as store:
            await store.ping()
            old, gone = await runs.add_run(org), await runs.add_run(org)
            for run_id in (old, gone):
                for path in ("report.json", "shots/1.png", "shots/2.png"):
                    await store.put(org, run_id, path, PNG)
            await age(runs, old, "created_at", DAYS * 86_400 + 60)
            await delete_row(runs, org, gone)
            await sweep(database, store, DAYS)
            assert await store.files.keys(old) == [f"{old}/report.json"]
            assert await store.files.keys(gone) == []
            found = await store.files.find(f"{old}/report.json")
            assert (found.size, found.etag[0], found.etag[-1]) == (len(PNG), '"', '"')
            await store.put_object(f"checks/{org}/a.png", PNG)
            assert await store.get_object(f"checks/{org}/a.png") == PNG


async def read(folder: Path, name: str) -> bytes:
    return b"".join([piece async for piece in pieces_beneath(folder, name)])


async def test_files_beneath_a_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    content = os.urandom(1_500_000)
    (tmp_path / "deep" / "a b.bin").write_bytes(content)
    assert await read(tmp_path, "deep/a b.bin") == content
    assert await read(tmp_path, "./deep//a b.bin") == content


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/etc/hostname", "../x", "deep/../../x", "link", "linked/hostname", "pipe",
     "deep", "nothing", "file/x", "a\0b", "deep/link", "x" * 5000],
)  # fmt: skip
async def test_nothing_else_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("/etc/hostname")
    (tmp_path / "linked").symlink_to("/etc")
    (tmp_path / "deep" / "link").symlink_to("../file")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFound):
        await read(tmp_path, name)
