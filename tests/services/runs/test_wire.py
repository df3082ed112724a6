"""What every answer of the surface has in common (runs contract, section 2), door by door."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx
import pytest

from shared.principal import ANONYMOUS
from tests.services.authorization.doors import Doors, opened
from tests.services.authorization.runs_world import RUNS_CALLERS, SUITE_FILE, WORLD
from tests.services.runs.conftest import API, Runs
from tests.support.postgres import DatabaseServer
from tests.support.service import asserting

OWNER: Final = RUNS_CALLERS["owner"]
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,6})?Z")
LIKE_A_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ].*")
PAGES: Final = {
    "/suites",
    "/suites/{name}/versions",
    "/runs",
    "/issues",
    "/plans",
    "/heals",
    "/checks/screenshot",
}

JSON: Final = {
    (row.method, row.path.removeprefix(API)): row
    for row in WORLD.operations.values()
    # Live pages of recordings ask for a ticket, whoever comes; their own tests bring one.
    if not row.media_type and "/live/" not in row.path
}


@pytest.fixture(scope="module")
async def doors(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, opened(WORLD, urls, folder) as doors:
        yield doors


def assert_error(answer: httpx.Response, status: int, word: str) -> None:
    """See that an error has both shapes at once (section 2.1)."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    told = answer.json()
    assert {"type", "detail", "error"} <= told.keys()
    assert told["type"] == told["error"]["type"] == word
    assert isinstance(told["detail"], str)
    assert told["detail"] == told["error"]["message"] != ""


def texts(value: Any) -> Iterator[str]:
    """Give every string of a JSON value."""
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("door", JSON, ids=" ".join)
async def test_every_success_is_200_in_json_with_times_in_utc(
    doors: Doors, door: tuple[str, str]
) -> None:
    answer = await doors.knock(JSON[door], OWNER)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    if door[0] == "DELETE":
        assert told == {"ok": True}
    times = [text for text in texts(told) if LIKE_A_TIME.fullmatch(text)]
    assert [text for text in times if not TIME.fullmatch(text)] == []
    if door in {("GET", f"{page}") for page in PAGES}:
        assert {"items", "total", "limit", "offset"} == told.keys()
        assert (told["limit"], told["offset"], told["total"]) == (50, 0, len(told["items"]))
        assert told["items"]
        assert times


@pytest.mark.parametrize("path", sorted(PAGES))
@pytest.mark.parametrize(
    "query", [{name: value} for name in ("limit", "offset") for value in ("-1", "x", "1.5", "")]
)
async def test_a_page_that_cannot_be_is_422(doors: Doors, path: str, query: dict[str, str]) -> None:
    await doors.sql.execute(WORLD.reset)
    target = API + path.format(name=SUITE_FILE)
    answer = await ask(doors, "GET", target, params=query)
    assert_error(answer, 422, "validation_error")
    assert next(iter(query)) in answer.json()["error"]["details"][0]["path"]


async def ask(doors: Doors, method: str, target: str, **options: Any) -> httpx.Response:
    """Send a request as the owner."""
    headers = asserting("runs", OWNER) | options.pop("headers", {})
    return await doors.client.request(method, target, headers=headers, **options)


async def test_who_shows_nothing_is_told_to_in_both_shapes(doors: Doors) -> None:
    for row in WORLD.operations.values():
        if row.public:
            continue
        answer = await doors.knock(row, ANONYMOUS)
        assert_error(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_what_is_not_there_is_404_in_both_shapes(doors: Doors) -> None:
    for door, row in WORLD.operations.items():
        if "/live" in row.path:
            continue  # a page that holds no data, and what asks for its ticket
        if "{" in row.path and door != ("PUT", f"{API}/suites/{{name}}"):  # makes one
            assert_error(await doors.knock(row, RUNS_CALLERS["other"]), 404, "not_found")


async def test_another_method_is_told_which_there_are(doors: Doors) -> None:
    for path in {row.path for row in WORLD.operations.values() if "{" not in row.path}:
        answer = await ask(doors, "PROPFIND", path)
        assert_error(answer, 405, "method_not_allowed")
        there = {row.method for row in WORLD.operations.values() if row.path == path}
        assert there <= set(answer.headers["allow"].split(", "))


WITH_BODY: Final = [door for door, row in JSON.items() if row.body is not None]


@pytest.mark.parametrize("door", WITH_BODY, ids=" ".join)
async def test_a_body_that_is_none_is_422(doors: Doors, door: tuple[str, str]) -> None:
    method, path = door
    target = API + path.format(name=SUITE_FILE, id="run_one")
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"a": NaN}', b"[" * 20_000):
        answer = await ask(
            doors, method, target, content=body, headers={"content-type": "application/json"}
        )
        if body == b"" and answer.status_code == 200:
            continue  # every field of it may be left out
        if answer.status_code == 404:
            continue  # looked for before it was read: no issue is called so
        assert answer.status_code in (400, 422), (body, answer.text)
        assert_error(answer, answer.status_code, answer.json()["type"])


async def test_bodies_over_their_limit_are_413(doors: Doors) -> None:
    for door, row in JSON.items():
        if row.body is None:
            continue
        target = API + door[1].format(name=SUITE_FILE, id="run_one")
        answer = await ask(
            doors,
            door[0],
            target,
            content=b'{"x": "' + b"x" * (row.body_limit or 0) + b'"}',
            headers={"content-type": "application/json"},
        )
        assert_error(answer, 413, "too_large")


@pytest.mark.parametrize("since", [0, 2**31, 10**18])
async def test_any_number_may_be_a_cursor(runs: Runs, org: str, since: int) -> None:
    member = runs.member(org)
    run_id = await runs.add_run(org)
    cancelled = await runs.post(f"runs/{run_id}/cancel", member)
    assert cancelled.status_code == 200
    polled = await runs.get(f"runs/{run_id}", member, params={"since": since})
    streamed = await runs.get(f"runs/{run_id}/events", member, params={"since": since})
    assert (polled.status_code, streamed.status_code) == (200, 200)
    assert len(polled.json()["events"]) == streamed.text.count("event: done") == (since == 0)
