"""What opens a team is written nowhere (teams contract, section 13)."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from shared.log import configure
from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.sharing_support import Sql, invited, join, owned
from tests.support.service import asserting


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that the process can be made to log, as it would write it."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    root = logging.getLogger()
    before = root.handlers[:], root.level, structlog.get_config()
    configure("teams", "debug", "json")
    yield written
    structlog.configure(**before[2])
    structlog.contextvars.clear_contextvars()
    root.handlers, root.level = before[:2]


async def test_no_code_and_no_token_is_logged(
    machine: Machine,
    stranger: Machine,
    auth: FakeAuth,
    sql: Sql,
    loud: io.StringIO,
) -> None:
    first = await stranger.make()
    await stranger.post("/api/teams/claim", {"claim_secret": first["owner_claim_secret"]})
    made = await owned(machine, auth)
    code = await invited(machine)
    view = (await machine.post("/api/teams/view-token", {})).json()["view_token"]
    clone = (await machine.post("/api/teams/visibility", {"visibility": "public"})).json()[
        "clone_token"
    ]
    guest = Machine(machine.client)
    await guest.post("/api/teams/preview", {"invite_code": code})
    await guest.post("/api/teams/preview", {"invite_code": code + "x"})
    await join(guest, code)
    await machine.client.get(f"/api/teams/clone/{clone}", headers=asserting("teams"))
    await machine.client.get(f"/api/teams/clone/{clone}?x={code}", headers=asserting("teams"))
    auth.is_away = True
    await join(guest, code)
    await guest.send("DELETE", f"/api/token/{guest.token}/erase")
    auth.is_away = False
    # A fault of the database's, whose message would quote the row.
    await sql.execute(
        "ALTER TABLE teams.invite ADD CONSTRAINT no_more CHECK (hint = 'none') NOT VALID"
    )
    try:
        failed = await machine.post("/api/teams/invite", {})
    finally:
        await sql.execute("ALTER TABLE teams.invite DROP CONSTRAINT no_more")
    assert failed.status_code == 500
    assert failed.json() == {"error": "internal_error"}
    await guest.send("DELETE", f"/api/token/{guest.token}/erase")
    written = loud.getvalue()
    assert "/api/teams/invite" in written
    secrets = [code, view, clone, first["owner_claim_secret"]]
    secrets += [each.token[12:] for each in (machine, stranger, guest)]
    assert not [secret for secret in secrets if secret in written or secret[8:] in written]
    assert made["id"]


async def test_no_code_stands_in_the_tables_that_stay(machine: Machine, sql: Sql) -> None:
    """Digests do; the answers that are repeated for a minute are all that holds one."""
    await machine.make()
    code = await invited(machine)
    await join(Machine(machine.client), code)
    for table in ("invite", "invite_use", "membership", "team", "outbox", "machine"):
        rows = await sql.fetch(f"SELECT t::text AS row FROM teams.{table} t")  # noqa: S608
        assert not [row for row in rows if code in row["row"]], table
