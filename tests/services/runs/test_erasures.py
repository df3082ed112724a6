"""Forgetting people and organizations."""

from __future__ import annotations

import json

from shared.contracts.auth import AccountDeleted, OrganizationDeleted
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.runs_support import queue, read, someone

TABLES = """
    SELECT table_name FROM information_schema.columns
     WHERE table_schema = 'runs' AND column_name = 'org_id'
"""


async def held_of(runs: Runs, org: str) -> dict[str, int]:
    """Count the rows of an organization in every table that has some."""
    found = {}
    for row in await runs.sql.fetch(TABLES):
        table = row["table_name"]
        count = await runs.sql.fetchval(
            f"SELECT count(*) FROM runs.{table} WHERE org_id = $1",  # noqa: S608 - of the catalogue
            org,
        )
        if count:
            found[table] = count
    return found


async def test_a_person_is_forgotten_and_their_runs_stay(runs: Runs) -> None:
    member = await someone(runs)
    run_id = await queue(runs, member)
    headers = {"idempotency-key": "k"}
    await runs.post("runs", member, {"suite": "sign-up.tripwire.yaml"}, headers=headers)
    await runs.put("suites/mine", member, {"yaml": "suite: x"})
    await runs.sql.execute("DELETE FROM runs.outbox")
    for _ in range(2):
        await runs.tell(AccountDeleted(account_id=member.account))
    assert (await read(runs, runs.member(member.org), run_id))["status"] == "queued"
    everything = json.dumps(
        [
            [str(value) for value in row.values()]
            for table in ("run", "suite", "suite_version", "idempotency_key")
            for row in await runs.sql.fetch(f"SELECT * FROM runs.{table}")  # noqa: S608
        ]
    )
    assert member.account not in everything
    said = await runs.sql.fetch("SELECT kind, payload FROM runs.outbox")
    assert [row["kind"] for row in said] == ["erasure.completed.v1"] * 2
    assert json.loads(said[0]["payload"])["account_id"] == member.account


async def test_an_organization_is_forgotten_with_all_it_had(runs: Runs) -> None:
    member, other = await someone(runs), await someone(runs)
    for each in (member, other):
        await queue(runs, each)
        headers = {"idempotency-key": "k"}
        await runs.post("runs", each, {"suite": "sign-up.tripwire.yaml"}, headers=headers)
    before = await held_of(runs, other.org)
    await runs.tell(OrganizationDeleted(org_id=member.org))
    assert await held_of(runs, member.org) == {}
    assert await held_of(runs, other.org) == before
    keys = await runs.sql.fetch("SELECT principal FROM runs.idempotency_key")
    assert not any(member.org in row["principal"] for row in keys)
    assert any(other.org in row["principal"] for row in keys)


async def test_organizations_go_with_the_last_who_belonged_to_them(runs: Runs) -> None:
    member = await someone(runs)
    await queue(runs, member)
    await runs.tell(AccountDeleted(account_id=member.account, org_ids=(member.org, new_org())))
    assert await held_of(runs, member.org) == {}
