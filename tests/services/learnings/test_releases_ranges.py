"""Downloads in parts and on conditions (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import random
from collections.abc import Mapping

import httpx
import pytest

from services.learnings.files import rules
from services.learnings.files.models import Described
from shared.errors import RangeNotSatisfiable
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.files_support import builder, pieces_of, sha256

DATA = random.Random(7).randbytes(1_000_000)
ETAG = f'"{sha256(DATA)}"'
PATH = "/v1/releases/7.0.0/artifact.tar.gz"


@pytest.fixture(scope="module")
async def reader(client: httpx.AsyncClient) -> Tenant:
    bot = builder(client)
    body = {
        "version": "7.0.0",
        "artifact_checksum": sha256(DATA),
        "artifact_size_bytes": len(DATA),
    }
    assert (await bot.send("POST", "/v1/releases", json=body)).status_code == 201
    path = "/v1/releases/7.0.0/artifact"
    assert (await bot.send("PUT", path, content=pieces_of(DATA))).status_code == 200
    return Tenant(client)


async def get(reader: Tenant, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await reader.send("GET", PATH, headers=sent)


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=500000-", 500_000, 1_000_000),
        ("bytes=999999-", 999_999, 1_000_000),
        ("bytes=-1", 999_999, 1_000_000),
        ("bytes=-400000", 600_000, 1_000_000),
        ("bytes=-99999999", 0, 1_000_000),
        ("bytes=999990-99999999", 999_990, 1_000_000),
    ],
)
async def test_a_part_is_sent_alone(reader: Tenant, wanted: str, start: int, end: int) -> None:
    answer = await get(reader, range=wanted)
    assert answer.status_code == 206
    assert answer.content == DATA[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["etag"] == ETAG


@pytest.mark.parametrize("wanted", ["bytes=1000000-", "bytes=1000001-1000009", "bytes=-0"])
async def test_a_part_behind_the_end_is_refused_with_the_size(reader: Tenant, wanted: str) -> None:
    answer = await get(reader, range=wanted)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"
    assert answer.json() == {"detail": "Range not satisfiable"}


@pytest.mark.parametrize(
    "wanted",
    ["", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "items=0-1", "bytes=0-1,3-4",
     "bytes=0-" + "9" * 6000, "bytes= 0-1", "bytes=0x1-2"],
)  # fmt: skip
async def test_what_is_no_range_means_all(reader: Tenant, wanted: str) -> None:
    answer = await get(reader, range=wanted)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("tags", [ETAG, f'"other", {ETAG}', f"W/{ETAG}", "*"])
async def test_who_has_it_gets_no_bytes(reader: Tenant, tags: str) -> None:
    answer = await get(reader, if_none_match=tags, range="bytes=0-1")
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == ETAG
    assert (await get(reader, if_none_match='"other"')).status_code == 200


async def test_a_part_of_another_version_is_not_appended(reader: Tenant) -> None:
    same = await get(reader, range="bytes=0-1", if_range=ETAG)
    assert same.status_code == 206
    for tag in ('"other"', f"W/{ETAG}", "Sun, 22 Nov 2026 08:00:00 GMT"):
        assert (await get(reader, range="bytes=0-1", if_range=tag)).status_code == 200


async def test_a_version_that_is_asked_for_must_be_there(reader: Tenant) -> None:
    assert (await get(reader, if_match=ETAG)).status_code == 200
    assert (await get(reader, if_match="*")).status_code == 200
    for tag in ('"other"', f"W/{ETAG}"):
        answer = await get(reader, if_match=tag)
        assert answer.status_code == 412


async def test_head_tells_the_same_and_sends_nothing(reader: Tenant) -> None:
    head = await reader.send("HEAD", PATH)
    whole = await reader.send("GET", PATH)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "digest", "content-type", "content-disposition"):
        assert head.headers[name] == whole.headers[name]


def test_an_empty_file_has_no_parts() -> None:
    file = Described(0, sha256(b""), "empty")
    headers: Mapping[str, str] = {"range": "bytes=0-"}
    with pytest.raises(RangeNotSatisfiable):
        rules.select(file, headers)
    assert rules.select(file, {}).status == 200
