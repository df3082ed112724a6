"""A team from its making to its end, as clients see it (teams contract, section 15)."""

from __future__ import annotations

from typing import Any

from tests.services.teams.conftest import FakeAuth, Machine

TEAM: dict[str, Any] = {
    "name": "Payments",
    "members": [{"name": "alice", "role": "dev"}],
    "skills": [{"id": "lint", "title": "Lint", "body": "Run the linter.", "alwaysApply": False}],
    "knowledge": "first line",
    "platforms": ["cursor"],
}


async def test_a_team_is_made_read_and_compared(machine: Machine) -> None:
    made = await machine.make(**TEAM)
    assert made["owner_claim_secret"].startswith("trc_ocs_")
    assert len(made["owner_claim_secret"]) == 32
    read = await machine.team()
    assert read == {key: value for key, value in made.items() if key != "owner_claim_secret"}
    assert (read["name"], read["members"], read["skills"]) == (
        TEAM["name"],
        TEAM["members"],
        TEAM["skills"],
    )
    assert (read["knowledge"], read["platforms"]) == (TEAM["knowledge"], TEAM["platforms"])
    head = await machine.send("GET", f"/api/teams/{machine.token}/head")
    assert head.json() == {
        key: read[key] for key in ("hash", "members_hash", "skills_hash", "knowledge_hash")
    }


async def test_a_push_with_the_right_base_changes_and_a_stale_one_does_not(
    machine: Machine,
) -> None:
    made = await machine.make()
    two = [{"name": "alice", "role": "dev"}, {"name": "bob", "role": "qa"}]
    body = {"token": machine.token, "team": {"members": two}, "base_hash": made["hash"]}
    changed = (await machine.post("/api/teams", body)).json()["team"]
    assert [member["name"] for member in changed["members"]] == ["alice", "bob"]
    assert changed["hash"] != made["hash"]
    stale = await machine.post("/api/teams", {**body, "team": {"members": two[:1]}})
    assert stale.status_code == 409
    assert stale.json() == {"error": "conflict", "server_hash": changed["hash"]}
    assert (await machine.team())["members"] == two


async def test_a_linked_maker_owns_at_once(machine: Machine, auth: FakeAuth) -> None:
    auth.link(machine.token, "usr_ada")
    assert "owner_claim_secret" not in await machine.make()


async def test_knowledge_is_appended(machine: Machine) -> None:
    made = await machine.make(knowledge="one")
    answer = await machine.post("/api/teams/knowledge", {"token": machine.token, "content": "two"})
    assert answer.status_code == 200
    read = await machine.team()
    assert read["knowledge"] == "one\ntwo\n"
    assert answer.json() == {"knowledge_hash": read["knowledge_hash"], "knowledge_size": 8}
    assert read["knowledge_hash"] != made["knowledge_hash"]
