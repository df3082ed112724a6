"""Fields that no operation knows change nobody's rights: every operation that reads JSON is tried.

Each is asked twice in the same world, without and with fields that would raise somebody; what then
stands in the database must be the same.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from argon2 import PasswordHasher

from shared.api import Operation
from tests.services.authorization import auth_world, samples
from tests.services.authorization.auth_world import WORLD
from tests.services.authorization.callers import CALLERS
from tests.services.authorization.doors import Doors
from tests.services.authorization.test_auth import doors as doors
from tests.support.service import asserting

PASSWORD: Final = "correct horse battery"
TOKEN: Final = "one"
"""Of everything in this world that a token opens."""

WISHES: Final[dict[str, Any]] = {
    "platform_admin": True,
    "role": "owner",
    "roles": ["owner", "admin"],
    "is_admin": True,
    "admin": True,
    "id": "usr_platform",
    "account_id": "usr_platform",
    "user_id": "usr_platform",
    "org_id": "org_two",
    "organization_id": "org_two",
    "active_org_id": "org_two",
    "namespace": "two",
    "verified": True,
    "verified_at": "2020-01-01T00:00:00Z",
    "email_key": "platform@mail.example",
    "plan": "enterprise",
    "scopes": ["releases:write"],
    "password_hash": "$argon2id$v=19$m=32,t=1,p=1$c29tZXNhbHQ$AAAA",
    "disabled": False,
    "disabled_at": None,
    "active": True,
    "vouched_by": None,
    "token_version": 0,
    "version": 0,
    "kind": "organization",
    "created_at": "2020-01-01T00:00:00Z",
    "expires_at": "2099-01-01T00:00:00Z",
    "principal": {"kind": "service"},
    "membership": {"role": "owner"},
}

BODIES: Final[dict[str, dict[str, Any]]] = {
    "/v1/auth/token": {"email": "member@mail.example", "password": PASSWORD},
    "/v1/auth/login": {"email": "member@mail.example", "password": PASSWORD},
    "/api/v1/auth/login": {"email": "member@mail.example", "password": PASSWORD, "code": None},
    "/v1/auth/verify-email": {"token": TOKEN},
    "/v1/auth/reset-password": {"token": TOKEN},
    "/v1/auth/email": {"password": PASSWORD},
    "/v1/auth/email/confirm": {"token": TOKEN},
    "/v1/auth/password": {"current_password": PASSWORD},
    "/api/v1/auth/password": {"current": PASSWORD, "new": "a new password of mine 1"},
    "/api/v1/auth/accept-invite": {"token": TOKEN, "password": "a new password of mine 1"},
    "/v1/auth/me": {"name": "Another"},
    "/api/v1/auth/users/{id}": {"name": "Another"},
    "/v1/auth/device/approve": {"user_code": "AAAA-BBBB"},
    "/v1/auth/device/code": {"client_id": "trw-cli"},
}
"""With which an operation comes to its end."""

_MORE: Final = f"""
UPDATE auth.account SET password_hash = $hash$, created_at = '2024-01-01';
INSERT INTO auth.account (id, email, email_key, name, password_hash)
VALUES ('usr_new', 'new@mail.example', 'new@mail.example', 'New', $hash$);
INSERT INTO auth.email_verification (account_id, digest, expires_at)
VALUES ('usr_new', sha256('{TOKEN}'), now() + interval '1 day');
INSERT INTO auth.password_reset (account_id, digest, expires_at)
VALUES ('usr_member', sha256('{TOKEN}'), now() + interval '1 day');
INSERT INTO auth.email_change (account_id, email, email_key, digest, expires_at)
VALUES ('$caller$', 'moved@mail.example', 'moved@mail.example', sha256('{TOKEN}'),
        now() + interval '1 day');
INSERT INTO auth.device_login (digest, kind, user_code, client_name, client, user_agent, expires_at)
VALUES (sha256('{TOKEN}'), 'api_key', 'AAAA-BBBB', 'trw-cli', '', '', now() + interval '1 day');
"""  # noqa: S608 - made of constants

_PRIVILEGES: Final = {
    "accounts": """
        SELECT a.email, a.name, a.platform_admin, a.verified_at IS NOT NULL AS verified,
               a.disabled_at IS NOT NULL AS disabled, a.password_hash IS NOT NULL AS has_password,
               a.password_hash = $1 AS same_password, a.vouched_by IS NULL AS proved,
               v.slug AS vouched_by, o.slug AS acts_in, a.id LIKE 'usr\\_%' AS is_named,
               a.created_at < '2023-01-01' AS is_old
          FROM auth.account a LEFT JOIN auth.organization o ON o.id = a.active_org_id
          LEFT JOIN auth.organization v ON v.id = a.vouched_by""",
    "memberships": """
        SELECT o.slug, a.email, m.role FROM auth.membership m
          JOIN auth.organization o ON o.id = m.org_id JOIN auth.account a ON a.id = m.account_id""",
    "organizations": "SELECT slug, name, plan FROM auth.organization",
    "keys": """
        SELECT a.email, o.slug, k.kind, k.name, k.scopes, k.revoked_at IS NULL AS holds,
               k.expires_at IS NULL AS for_ever
          FROM auth.api_key k JOIN auth.account a ON a.id = k.account_id
          JOIN auth.organization o ON o.id = k.org_id""",
    "sessions": """
        SELECT a.email, o.slug, s.kind, s.ended_at IS NULL AS holds,
               round(extract(epoch FROM s.expires_at - s.created_at) / 60) AS minutes
          FROM auth.session s JOIN auth.account a ON a.id = s.account_id
          JOIN auth.organization o ON o.id = s.org_id""",
    "invitations": """
        SELECT o.slug, i.email, i.role, i.accepted_at IS NULL AS waits, i.invited_by
          FROM auth.invitation i JOIN auth.organization o ON o.id = i.org_id""",
    "devices": """
        SELECT d.kind, d.client_name, d.status, d.account_id, o.slug FROM auth.device_login d
          LEFT JOIN auth.organization o ON o.id = d.org_id""",
    "machines": "SELECT token, account_id, revoked_at IS NULL AS holds FROM auth.machine",
    "waiting": "SELECT email, converted_at IS NULL AS waits FROM auth.waiting_person",
    "service accounts": "SELECT name, active FROM auth.service_account",
    "roles": "SELECT name, rules::text FROM auth.role",
    "bindings": """
        SELECT r.name, b.principal_type, b.principal_name, b.principal_id IS NULL AS waits,
               b.namespace
          FROM auth.role_binding b JOIN auth.role r ON r.id = b.role_id""",
    "second factors": "SELECT account_id, confirmed_at IS NULL AS pending FROM auth.two_factor",
}
"""Everything that says what somebody may do, without the ids that are made anew each time."""

READERS = {
    door: row
    for door, row in WORLD.operations.items()
    if row.body is not None and not row.page and not row.internal
}

REACHES_ITS_END = {
    ("POST", path) for path in BODIES if path not in ("/v1/auth/me", "/api/v1/auth/users/{id}")
} | {
    ("POST", "/v1/auth/register"),
    ("POST", "/api/v1/auth/users"),
    ("POST", "/api/v1/auth/invites"),
    ("POST", "/api/v1/auth/tokens"),
    ("POST", "/v1/admin/organizations/{org_id}/api-keys"),
    ("POST", "/api/v0/role-bindings"),
    ("PATCH", "/v1/auth/me"),
    ("PATCH", "/api/v1/auth/users/{id}"),
}


async def privileges(doors: Doors, stored: str) -> dict[str, list[str]]:
    """Give who may do what."""
    found = {}
    for name, query in _PRIVILEGES.items():
        rows = await doors.sql.fetch(query, *([stored] if "$1" in query else []))
        found[name] = sorted(str(tuple(row.items())) for row in rows)
    return found


async def knock(
    doors: Doors, operation: Operation, caller: str, stored: str, more: dict[str, Any]
) -> tuple[int, dict[str, list[str]]]:
    """Ask in a world that was put back; give the status and who may do what then."""
    assert operation.body is not None
    mover = "member" if caller == "anonymous" else caller
    fill = _MORE.replace("$hash$", f"'{stored}'").replace("$caller$", f"usr_{mover}")
    await doors.sql.execute(auth_world.RESET + fill)
    given = auth_world.BODIES.get((operation.method, operation.path), {})
    body = samples.body_of(operation.body, given | BODIES.get(operation.path, {}))
    answer = await doors.client.request(
        operation.method,
        samples.path_of(operation, auth_world.PARAMETERS),
        headers=asserting("auth", CALLERS[caller]),
        json=body | more,
    )
    return answer.status_code, await privileges(doors, stored)


def wishes_for(operation: Operation) -> dict[str, Any]:
    """Give the fields that an operation does not know; those it knows are tested elsewhere."""
    assert operation.body is not None
    fields = operation.body.model_fields
    known = set(fields) | {field.alias for field in fields.values() if field.alias}
    return {name: value for name, value in WISHES.items() if name not in known}


@pytest.fixture(scope="module")
def stored() -> str:
    """The hash of everybody's password."""
    return PasswordHasher(time_cost=1, memory_cost=32).hash(PASSWORD)


@pytest.mark.parametrize("door", READERS, ids=" ".join)
async def test_fields_that_are_not_asked_for_change_nothing(
    doors: Doors, stored: str, door: tuple[str, str]
) -> None:
    operation = READERS[door]
    wishes = wishes_for(operation)
    assert {"platform_admin", "is_admin", "password_hash", "plan"} & wishes.keys()
    reached = set()
    for caller in ("anonymous", "member", "admin"):
        plain = await knock(doors, operation, caller, stored, {})
        wishful = await knock(doors, operation, caller, stored, wishes)
        assert plain[0] < 500, "a body of samples.py is no valid one any more"
        assert wishful == plain, caller
        reached.add(plain[0] < 300)
    if door in REACHES_ITS_END:
        assert True in reached, "this proves nothing: the operation never came to its end"


def test_what_reaches_its_end_is_tried() -> None:
    assert READERS.keys() >= REACHES_ITS_END
