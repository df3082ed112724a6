from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from shared.migrate import MigrationError, load, migrate, pending
from tests.schema_files import HEADER, SCHEMAS, draw, file_of
from tests.support.postgres import DatabaseServer, DatabaseUrls


def write(folder: Path, **files: str) -> Path:
    for name, sql in files.items():
        (folder / f"{name}.sql").write_text(sql)
    return folder


async def test_files_are_applied_once_by_many_starters(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    folder = write(
        tmp_path,
        **{
            "0001_one": "CREATE TABLE fresh.one (id int);",
            "0002_two": "CREATE TABLE fresh.two ();",
        },
    )
    url = database_urls.admin
    results = await asyncio.gather(*(migrate(url, "fresh", folder) for _ in range(8)))
    assert sorted(map(len, results)) == [0] * 7 + [2]
    connection = await asyncpg.connect(url)
    try:
        assert await pending(connection, "fresh", folder) == []
        write(folder, **{"0003_three": "SELECT 1;"})
        assert await pending(connection, "fresh", folder) == ["0003_three"]
        assert await pending(connection, "unheard_of", folder) == [
            "0001_one",
            "0002_two",
            "0003_three",
        ]
    finally:
        await connection.close()
    assert await migrate(url, "fresh", folder) == ["0003_three"]


async def test_a_bad_file_undoes_everything(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    folder = write(tmp_path, **{"0001_one": "CREATE TABLE fresh.one ();", "0002_bad": "SELEKT;"})
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await migrate(database_urls.admin, "fresh", folder)
    connection = await asyncpg.connect(database_urls.admin)
    try:
        assert await connection.fetchval("SELECT to_regnamespace('fresh')") is None
    finally:
        await connection.close()


async def test_edited_and_missing_files_are_named(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    folder = write(tmp_path, **{"0001_one": "SELECT 1;", "0002_two": "SELECT 2;"})
    await migrate(database_urls.admin, "fresh", folder)
    write(folder, **{"0001_one": "SELECT 3;"})
    with pytest.raises(MigrationError, match="0001_one was applied and then edited"):
        await migrate(database_urls.admin, "fresh", folder)
    write(folder, **{"0001_one": "SELECT 1;"})
    (folder / "0002_two.sql").unlink()
    with pytest.raises(MigrationError, match="0002_two was applied but its file is missing"):
        await migrate(database_urls.admin, "fresh", folder)


def test_names_and_numbers_are_checked(tmp_path: Path) -> None:
    write(tmp_path, **{"0001_one": "", "0003_three": ""})
    with pytest.raises(MigrationError, match="without a gap"):
        load(tmp_path, "fresh")
    write(tmp_path, first="")
    with pytest.raises(MigrationError, match=r"first\.sql: a migration is named"):
        load(tmp_path, "fresh")


async def test_schema_files_show_what_the_migrations_make(
    database_server: DatabaseServer,
) -> None:
    async with database_server.clone("template0") as urls:
        pictures = await draw(urls.admin)
    for schema in SCHEMAS:
        assert pictures[schema].startswith(HEADER)
        assert file_of(schema).read_text() == pictures[schema], f"{schema}: run make schema"
