"""What stands in teams' tables while its doors are tried; put back before each try."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import Route

from services.teams.app import SERVICE
from services.teams.memberships.models import MemberMachine
from shared.api import Operation
from shared.principal import Kind, Principal
from shared.secret import encode_base64url
from tests.services.authorization.callers import CALLERS, MACHINE_TOKEN
from tests.services.authorization.doors import World
from tests.services.teams.conftest import FakeAuth, teams_settings
from tests.support.serving import serving

STRANGER_TOKEN: Final = "trc_ak_" + "B" * 43
TEAM: Final = "00000000-0000-4000-8000-000000000001"
STRANGERS_TEAM: Final = "00000000-0000-4000-8000-000000000002"
SECRET: Final = "only for one"
_MARK: Final = MemberMachine(MACHINE_TOKEN, datetime.now(UTC), is_removed=False).mark

TEAMS_CALLERS: Final[dict[str, Principal]] = {
    "anonymous": CALLERS["anonymous"],
    "member": Principal(Kind.MACHINE, MACHINE_TOKEN),
    "stranger": Principal(Kind.MACHINE, STRANGER_TOKEN),
    "owner": CALLERS["owner"],
    "other": CALLERS["other"],
    "platform": CALLERS["platform"],
    "key": CALLERS["key"],
    "account": CALLERS["account"],
    "service": CALLERS["service"],
}
"""``member`` is a machine of the team and linked to its ``owner``; ``stranger`` is a machine that
has another team."""

PARAMETERS: Final[dict[str, str]] = {
    "token": MACHINE_TOKEN,
    "token_or_number": "1",
    "version": "1",
    "clone_token": "trc_cl_" + "A" * 24,
    "id": TEAM,
    "team_id": TEAM,
    "member_id": "alice",
    "member_name": "alice",
    "name": "alice",
    "skill_id": "lint",
    "code": "trc_inv_" + "A" * 24,
}
"""The path parameters of the team's things."""

BODIES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("POST", "/api/teams"): {"team": {"name": "Changed"}, "team_id": TEAM},
    ("POST", "/api/teams/rollback"): {"version": 1, "team_id": TEAM},
    ("POST", "/api/teams/knowledge"): {"content": "more", "team_id": TEAM},
    ("POST", "/api/teams/tasks"): {"description": "d", "assignee": "alice", "team_id": TEAM},
    ("PATCH", "/api/teams/tasks/{token_or_number}"): {"status": "in_progress", "team_id": TEAM},
    ("POST", "/api/teams/invite"): {"team_id": TEAM},
    ("POST", "/api/teams/view-token"): {"team_id": TEAM},
    ("POST", "/api/teams/visibility"): {"visibility": "public", "team_id": TEAM},
    # Codes that nobody was given: what opens by a code alone is the matter of other tests.
    ("POST", "/api/teams/preview"): {"invite_code": "trc_inv_" + "A" * 24},
    ("POST", "/api/join"): {"invite_code": "trc_inv_" + "A" * 24},
    ("POST", "/api/teams/claim"): {"claim_secret": "trc_ocs_" + "A" * 24},
    ("POST", "/api/account/reassociate"): {"new_token": STRANGER_TOKEN},
    ("POST", "/new"): {"name": "New", "member": "alice", "role": "dev"},
    ("POST", "/teams/{team_id}/versions"): {"version": "1"},
    ("POST", "/teams/{team_id}/name"): {"name": "Changed"},
    ("POST", "/teams/{team_id}/sharing"): {"visibility": "public"},
    ("POST", "/teams/{team_id}/invites"): {"hours": "24"},
    ("POST", "/teams/{team_id}/invites/revoke"): {"invite_id": TEAM},
    ("POST", "/teams/{team_id}/machines/remove"): {"machine": _MARK},
    ("POST", "/teams/{team_id}/machines/readmit"): {"machine": _MARK},
    ("POST", "/teams/{team_id}/delete"): {"name": "One"},
    ("POST", "/teams/{team_id}/members"): {"name": "bob", "role": "qa"},
    ("POST", "/teams/{team_id}/members/{name}"): {"name": "alice", "role": "qa"},
    ("POST", "/teams/{team_id}/skills"): {"id": "new", "body": "b"},
    ("POST", "/teams/{team_id}/skills/{skill_id}"): {"id": "lint", "body": "b"},
}
"""Bodies of signed requests and forms, by method and path."""


def _team(team_id: str, owner: str, secret: str) -> str:
    members, skills = (
        f'[{{"name":"alice","role":"{secret}"}}]',
        f'[{{"id":"lint","body":"{secret}"}}]',
    )
    return f"""
INSERT INTO teams.team (id, name, members, skills, knowledge, hash, members_hash, skills_hash,
       knowledge_hash, members_part, skills_part, knowledge_part, version, owner, task_number)
VALUES ('{team_id}', 'One', '{members}', '{skills}', '{secret}', 'h', 'm', 's', 'k',
        sha256('{members}'), sha256('{skills}'), sha256('{secret}'), 2, '{owner}', 1);
INSERT INTO teams.part (team_id, digest, body)
SELECT '{team_id}', sha256(body::bytea), body
  FROM unnest(ARRAY['{members}', '{skills}', '{secret}']) AS parts (body);
INSERT INTO teams.version (team_id, number, name, platforms, members_part, skills_part,
       knowledge_part, hash, actor, summary)
SELECT id, number, name, platforms, members_part, skills_part, knowledge_part, hash, 'a', '{secret}'
  FROM teams.team, generate_series(1, 2) AS number WHERE id = '{team_id}';
INSERT INTO teams.task (team_id, number, description, assignee, created_by)
VALUES ('{team_id}', 1, '{secret}', 'alice', 'somebody');
INSERT INTO teams.invite (id, team_id, digest, hint, made_by, expires_at)
VALUES ('{team_id}', '{team_id}', sha256('{team_id}'), '{secret}', 'web',
        now() + interval '1 day');
"""  # noqa: S608 - made of constants


RESET: Final = f"""
TRUNCATE teams.team, teams.machine, teams.replay, teams.outbox CASCADE;
{_team(TEAM, "usr_owner", SECRET)}
{_team(STRANGERS_TEAM, "usr_other", "theirs")}
INSERT INTO teams.membership (token, team_id)
VALUES ('{MACHINE_TOKEN}', '{TEAM}'), ('{STRANGER_TOKEN}', '{STRANGERS_TEAM}');
"""  # noqa: S608 - made of constants


def _headers(operation: Operation, caller: Principal) -> Mapping[str, str]:
    """Give a signature that no other request has; to pages, people show the cookie they have."""
    if operation.page and caller.kind is Kind.USER:
        return {"cookie": _cookie(caller.account), "origin": "http://127.0.0.1:8000"}
    return {"x-trc-signature": encode_base64url(secrets.token_bytes(64))}


def _cookie(account: str) -> str:
    return f"guildhall_session=of-{account}"


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """Give the world, auth running beside it."""
    auth = FakeAuth()
    auth.link(MACHINE_TOKEN, "usr_owner")
    for caller in TEAMS_CALLERS.values():
        if caller.kind is Kind.USER:
            auth.sign_in(_cookie(caller.account), caller.account)
    app = Starlette(routes=[Route("/{path:path}", auth.answer, methods=["POST"])])
    async with serving(app) as url:
        yield World(
            service=SERVICE,
            settings=lambda urls, folder: teams_settings(urls, url),
            reset=RESET,
            parameters=PARAMETERS,
            bodies=BODIES,
            secrets=(SECRET, "usr_owner"),
            callers=TEAMS_CALLERS,
            strangers=("anonymous", "stranger", "other", "key", "account"),
            query={"team_id": TEAM, "format": "claude-code"},
            headers=_headers,
        )
