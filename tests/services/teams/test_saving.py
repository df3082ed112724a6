"""``POST /api/teams`` beyond its first use (teams contract, sections 4.1, 5 and 14)."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from tests.services.teams.conftest import FakeAuth, Machine

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MANY = {"error": "team_id required: token belongs to multiple teams"}


def members(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "role": "dev"} for name in names]


async def push(machine: Machine, team: Any, **more: Any) -> Any:
    return await machine.post("/api/teams", {"token": machine.token, "team": team, **more})


async def test_a_second_init_makes_a_second_team(machine: Machine) -> None:
    first = await machine.make("One", knowledge="of one")
    second = await machine.make("Two")
    assert second["id"] != first["id"]
    assert (await machine.team(first["id"]))["knowledge"] == "of one"
    both = (await machine.send("GET", f"/api/teams/all/{machine.token}")).json()["teams"]
    assert {team["id"] for team in both} == {first["id"], second["id"]}


async def test_the_same_name_or_a_known_state_is_an_update(machine: Machine) -> None:
    made = await machine.make("One")
    same = await push(machine, {"name": "ONE", "members": members("bob")})
    assert same.json()["team"]["id"] == made["id"]
    assert same.json()["team"]["name"] == "ONE"
    renamed = await push(machine, {"name": "Other"}, base_hash=same.json()["team"]["hash"])
    assert (renamed.json()["team"]["id"], renamed.json()["team"]["name"]) == (made["id"], "Other")


async def test_of_several_teams_one_must_be_named(machine: Machine) -> None:
    one, two = await machine.make("One"), await machine.make("Two")
    vague = await push(machine, {"members": members("bob")}, base_hash="0" * 64)
    assert (vague.status_code, vague.json()) == (409, MANY)
    for path in ("", "/head"):
        read = await machine.send("GET", f"/api/teams/{machine.token}{path}")
        assert (read.status_code, read.json()) == (409, MANY)
    named = await push(machine, {"members": members("bob")}, team_id=two["id"])
    assert named.json()["team"]["id"] == two["id"]
    assert (await machine.team(one["id"]))["hash"] == one["hash"]


@pytest.mark.parametrize(
    "team_id",
    [
        "6f1c1c52-5e0e-4a41-9c9b-4f4d4f3f8a10",
        "no-uuid",
        "",
        7,
        True,
        ["x"],
        {"a": 1},
        "é" * 36,
        "1" * 10_000,
    ],
)
async def test_an_unknown_team_id_makes_nothing(machine: Machine, team_id: Any) -> None:
    await machine.make()
    answer = await push(machine, {"name": "New", "members": []}, team_id=team_id)
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})
    teams = (await machine.send("GET", f"/api/teams/all/{machine.token}")).json()["teams"]
    assert [team["name"] for team in teams] == ["Payments"]


async def test_anothers_team_is_unknown(machine: Machine, stranger: Machine) -> None:
    theirs = await stranger.make("Theirs")
    answer = await push(machine, {"members": []}, team_id=theirs["id"])
    assert answer.status_code == 404
    for path in ("", "/head"):
        read = await machine.send(
            "GET", f"/api/teams/{machine.token}{path}", params={"team_id": theirs["id"]}
        )
        assert (read.status_code, read.json()) == (404, {"error": "not_found"})
    assert (await stranger.team())["hash"] == theirs["hash"]


async def test_what_is_left_out_stays_and_what_is_empty_goes(machine: Machine) -> None:
    await machine.make(
        members=[{"name": "a", "role": "dev", "description": "D", "soul": "S", "skills": ["x"]}],
        skills=[{"id": "x", "body": "B"}],
        platforms=["cursor"],
        knowledge="K",
    )
    kept = (await push(machine, {"members": members("a")})).json()["team"]
    assert (kept["skills"], kept["platforms"]) == ([{"id": "x", "body": "B"}], ["cursor"])
    assert kept["members"] == [{"name": "a", "role": "dev", "description": "D"}]
    emptied = {"members": [{"name": "a", "role": "dev", "description": None}], "skills": []}
    gone = (await push(machine, {**emptied, "platforms": None, "knowledge": None})).json()["team"]
    assert gone["members"] == members("a")
    assert "skills" not in gone
    assert "platforms" not in gone
    assert gone["knowledge"] == "K"


async def test_a_skill_whose_text_follows_later_has_none_yet(machine: Machine) -> None:
    made = await machine.make(skills=[{"id": "lint", "body": {"source": "skills/lint.md"}}])
    assert made["skills"] == [{"id": "lint"}]


async def test_without_a_base_the_last_writer_wins(machine: Machine) -> None:
    await machine.make(members=members("a", "b"))
    assert (await push(machine, {"members": members("c")})).status_code == 201
    assert (await machine.team())["members"] == members("c")


@pytest.mark.parametrize("junk", ["", "abc", "G" * 64, 7, None, ["0" * 64], "A" * 64])
async def test_a_base_that_is_no_hash_counts_as_absent(machine: Machine, junk: Any) -> None:
    await machine.make()
    assert (await push(machine, {"members": []}, base_hash=junk)).status_code == 201


async def test_knowledge_alone_never_conflicts(machine: Machine) -> None:
    made = await machine.make(skills=[{"id": "x", "body": "B"}], knowledge="one")
    same = {"members": made["members"], "knowledge": "two"}
    merged = await push(machine, same, base_hash="0" * 64)
    assert merged.status_code == 201
    assert merged.json()["team"]["knowledge"] == "one\ntwo\n"
    other = {"members": members("bob"), "knowledge": "three"}
    clash = await push(machine, other, base_hash="0" * 64)
    assert (clash.status_code, clash.json()["error"]) == (409, "conflict")
    assert (await machine.team())["knowledge"] == "one\ntwo\n"


async def test_what_is_merged_above_the_cap_is_pruned(machine: Machine) -> None:
    old = "intro\n" + "".join(f"## old {n}\n{'x' * 4_000}{n}\n" for n in range(24))
    await machine.make(knowledge=old)
    new = "".join(f"## new {n}\n{'y' * 4_000}{n}\n" for n in range(10))
    answer = await push(machine, {"knowledge": new})
    assert answer.status_code == 201
    knowledge = (await machine.team())["knowledge"]
    assert len(knowledge) <= 80_000
    assert knowledge.startswith("intro\n")
    assert "## new 9" in knowledge
    assert "## old 0\n" not in knowledge


async def test_of_two_writers_with_one_base_one_succeeds(machine: Machine) -> None:
    made = await machine.make()
    for _ in range(5):
        base = (await machine.team())["hash"]
        answers = await asyncio.gather(
            *(
                push(machine, {"members": members(uuid4().hex)}, base_hash=base, team_id=made["id"])
                for _ in range(6)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]


async def test_lines_of_many_writers_all_stay(machine: Machine) -> None:
    made = await machine.make(knowledge="start")
    lines = [f"line {n}" for n in range(30)]
    answers = await asyncio.gather(
        *(
            machine.post("/api/teams/knowledge", {"content": line, "team_id": made["id"]})
            for line in lines
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    knowledge = (await machine.team())["knowledge"]
    assert sorted(knowledge.split("\n")) == sorted(["start", *lines, ""])


async def test_inits_that_come_together_make_one_team(machine: Machine) -> None:
    body = {"name": "Together", "members": members("a")}
    answers = await asyncio.gather(*(push(machine, body) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["team"]["id"] for answer in answers}) == 1


async def test_nothing_is_written_for_what_changes_nothing(machine: Machine, sql: Sql) -> None:
    made = await machine.make()
    same = await push(machine, {"name": made["name"], "members": made["members"]})
    assert same.status_code == 201
    told = await sql.fetchrow(
        "SELECT version, revision, news_number FROM teams.team WHERE id = $1", made["id"]
    )
    assert told is not None
    assert tuple(told) == (1, 1, 0)


async def test_a_change_is_a_version_an_event_and_news(machine: Machine, sql: Sql) -> None:
    made = await machine.make()
    await push(machine, {"members": members("bob"), "knowledge": "K"})
    version = await sql.fetchrow(
        "SELECT number, actor, summary FROM teams.version WHERE team_id = $1 ORDER BY 1 DESC",
        made["id"],
    )
    assert version is not None
    assert tuple(version)[:2] == (2, machine.token[:12])
    news = await sql.fetch("SELECT * FROM teams.news WHERE team_id = $1", made["id"])
    assert [(row["number"], row["event"]) for row in news] == [(1, "knowledge:updated")]
    assert news[0]["source"] == f"token:{machine.token}"
    assert json.loads(news[0]["payload"])["knowledge_size"] == 1
    assert news[0]["part"] == hashlib.sha256(b"K").digest()
    events = await sql.fetch(
        "SELECT kind FROM teams.outbox WHERE payload::json->>'team_id' = $1 ORDER BY id",
        made["id"],
    )
    assert sorted(row["kind"] for row in events) == [
        "knowledge.changed.v1",
        "team.changed.v1",
        "team.created.v1",
        "team.joined.v1",
    ]


async def test_with_edit_owner_others_add_knowledge_only(
    machine: Machine, stranger: Machine, auth: FakeAuth, sql: Sql
) -> None:
    account = f"usr_{uuid4().hex}"
    auth.link(machine.token, account)
    made = await machine.make()
    await sql.execute("UPDATE teams.team SET edit = 'owner' WHERE id = $1", made["id"])
    await sql.execute(
        "INSERT INTO teams.membership (token, team_id) VALUES ($1, $2)",
        stranger.token,
        made["id"],
    )
    refused = await push(stranger, {"members": members("mallory")})
    assert refused.status_code == 403
    assert refused.json() == {"error": "only the team owner can change the team"}
    same = await push(stranger, {"members": made["members"], "knowledge": "known"})
    assert same.status_code == 201
    allowed = await push(machine, {"members": members("bob")})
    assert allowed.json()["team"]["members"] == members("bob")


async def test_while_auth_is_away_nothing_is_made(machine: Machine, auth: FakeAuth) -> None:
    auth.is_away = True
    try:
        answer = await push(machine, {"name": "New", "members": []})
    finally:
        auth.is_away = False
    assert answer.status_code == 503
    assert answer.json() == {"error": "service temporarily unavailable"}
    assert int(answer.headers["retry-after"]) > 0
    read = await machine.send("GET", f"/api/teams/{machine.token}")
    assert (read.status_code, read.json()) == (404, {"error": "not_found"})


BAD_BODIES: list[tuple[bytes, str]] = [
    (b"{}", "team is required"),
    (b"[]", "the body must be a JSON object"),
    (b"7", "the body must be a JSON object"),
    (b'"x"', "the body must be a JSON object"),
    (b'{"team":null}', "team must be an object"),
    (b'{"team":[]}', "team must be an object"),
    (b'{"team":{}}', "team name must not be empty"),
    (b'{"team":{"name":"a\\u0000b"}}', "name must not contain a NUL character"),
    (b'{"team":{"name":7}}', "team name must be a string"),
    (b'{"team":{"name":"' + b"n" * 65 + b'"}}', "team name must be 64 characters or fewer"),
    (b'{"team":{"name":"x","members":7}}', "members must be a list"),
    (b'{"team":{"name":"x","members":[7]}}', "members must be objects"),
    (b'{"team":{"name":"x","platforms":["vi"]}}', "unknown platform: 'vi'"),
]


@pytest.mark.parametrize(("body", "text"), BAD_BODIES, ids=lambda value: str(value)[:30])
async def test_bad_bodies_are_named(machine: Machine, body: bytes, text: str) -> None:
    answer = await machine.send("POST", "/api/teams", content=body)
    assert (answer.status_code, answer.json()) == (400, {"error": text})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"nul",
        b'{"team":{"name":"\\ud800"}}',
        b'{"team":NaN}',
        b'{"team":1e999}',
        b'{"team":' + b"9" * 5_000 + b"}",
        b"[" * 50_000,
        b'{"a":' * 5_000,
        b'{"team":{"name":"x","members":[{"name":"a","role":"b","skills":[1,2]}]}}',
        b'{"team":{"name":"x","skills":[{"id":"a","globs":"*"}]}}',
        b'{"team":{"name":"x","skills":[{"id":"a","body":[]}]}}',
    ],
    ids=range(13),
)
async def test_hostile_bodies_are_refused(machine: Machine, body: bytes) -> None:
    answer = await machine.send("POST", "/api/teams", content=body)
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


async def test_a_body_over_the_limit_is_refused(machine: Machine) -> None:
    answer = await machine.send("POST", "/api/teams", content=b'{"a":"' + b"x" * 256_000 + b'"}')
    assert answer.status_code == 413


async def test_an_unchanged_team_is_not_sent_again(machine: Machine) -> None:
    await machine.make()
    for path in ("", "/head"):
        url = f"/api/teams/{machine.token}{path}"
        tag = (await machine.send("GET", url)).headers["etag"]
        # Of several that a cache holds, and as a proxy that compresses weakens it.
        for known in (tag, f"W/{tag}", f'"other", W/{tag}', "*"):
            fresh = await machine.send("GET", url, headers={"if-none-match": known})
            assert (fresh.status_code, fresh.content) == (304, b"")
        other = await machine.send("GET", url, headers={"if-none-match": '"other", "*"'})
        assert other.status_code == 200
    await push(machine, {"platforms": ["cursor"]})
    changed = await machine.send("GET", url, headers={"if-none-match": tag})
    assert changed.status_code == 200


async def test_teams_come_in_pages_for_those_who_ask(machine: Machine, sql: Sql) -> None:
    made = {(await Machine(machine.client).make(f"T{n}"))["id"] for n in range(5)}
    await sql.executemany(
        "INSERT INTO teams.membership (token, team_id) VALUES ($1, $2)",
        [(machine.token, team_id) for team_id in made],
    )
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = await machine.send("GET", f"/api/teams/all/{machine.token}", params=query)
        found += [team["id"] for team in page.json()["teams"]]
        if "x-next-after" not in page.headers:
            break
        query["after"] = page.headers["x-next-after"]
    assert (len(found), set(found)) == (5, made)
    bad = await machine.send("GET", f"/api/teams/all/{machine.token}", params={"limit": 501})
    assert bad.status_code == 400


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "content is required"),
        ({"content": 7}, "content must be a string"),
        ({"content": None}, "content must be a string"),
        ({"content": "x" * 100_001}, "knowledge exceeds maximum size of 100,000 bytes"),
        ({"content": "é" * 50_001}, "knowledge exceeds maximum size of 100,000 bytes"),
        ({"content": "a\x00"}, "content must not contain a NUL character"),
    ],
    ids=range(6),
)
async def test_bad_knowledge_is_named(machine: Machine, body: Any, text: str) -> None:
    await machine.make()
    answer = await machine.post("/api/teams/knowledge", body)
    assert (answer.status_code, answer.json()) == (400, {"error": text})


async def test_knowledge_needs_a_team(machine: Machine, stranger: Machine) -> None:
    body = {"content": "x"}
    assert (await machine.post("/api/teams/knowledge", body)).status_code == 404
    theirs = await stranger.make()
    named = await machine.post("/api/teams/knowledge", {**body, "team_id": theirs["id"]})
    assert (named.status_code, named.json()) == (404, {"error": "not_found"})
    await machine.make("One")
    await machine.make("Two")
    vague = await machine.post("/api/teams/knowledge", body)
    assert (vague.status_code, vague.json()) == (409, MANY)


async def test_knowledge_at_the_very_limit_is_kept(machine: Machine) -> None:
    await machine.make(knowledge="é" * 50_000)
    assert len((await machine.team())["knowledge"].encode()) == 100_000
