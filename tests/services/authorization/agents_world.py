"""What stands in agents' tables while its doors are tried; put back before each try."""

from __future__ import annotations

import json
from typing import Any, Final

from services.agents.app import SERVICE
from shared.principal import Kind, Principal
from tests.services.agents.conftest import agents_settings
from tests.services.authorization.callers import CALLERS
from tests.services.authorization.doors import World

SECRET: Final = "only for one"
AGENT: Final = "00000000-0000-4000-8000-0000000000a1"
SESSION: Final = "00000000-0000-4000-8000-0000000000b1"
OTHERS_AGENT: Final = "00000000-0000-4000-8000-0000000000a2"


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-0000000000{number:02x}"


HOLDINGS: Final[dict[str, tuple[str, str | None] | None]] = {
    "owner": ("developer", "one"),
    "colleague": ("developer", "one"),
    "outsider": ("developer", "two"),
    "viewer": ("viewer", "one"),
    "operator": ("operator", "one"),
    "orgadmin": ("org-admin", "one"),
    "admin": ("admin", None),
    "bare": None,
}
"""Service accounts, with the role that each holds and where. ``owner`` owns the session."""

ACCOUNTS: Final = {name: _id(number) for number, name in enumerate(HOLDINGS, 1)}

AGENTS_CALLERS: Final[dict[str, Principal]] = {
    "anonymous": CALLERS["anonymous"],
    **{
        name: Principal(Kind.SERVICE_ACCOUNT, account, session=f"sas_{name}")
        for name, account in ACCOUNTS.items()
    },
    # Called like the owner, but somebody else.
    "subject": Principal(Kind.SUBJECT, "owner", session="sas_subject", groups=("owner",)),
    "member": CALLERS["member"],
    "other": CALLERS["other"],
    "platform": CALLERS["platform"],
    "key": CALLERS["key"],
    "narrow": Principal(
        Kind.API_KEY,
        "key_two",
        "org_one",
        "admin",
        ("learnings:read",),
        "key_two",
        "usr_admin",
    ),
    "service": CALLERS["service"],
}
"""``member`` belongs to the organization whose namespace it is, ``key`` is its admin's; ``other``
owns another organization."""


def _rule(resources: list[str], *verbs: str, group: str = "api") -> dict[str, Any]:
    return {"api_groups": [group], "resources": resources, "verbs": list(verbs)}


_DEVELOPER: Final = [_rule(["agents", "sessions"], "get", "list", "create", "update", "delete")]
_ORG_ADMIN: Final = [_rule(["agents", "sessions", "role-bindings"], "*")]
ROLES: Final[dict[str, list[dict[str, Any]]]] = {
    "admin": [_rule(["*"], "*", group="*")],
    "developer": _DEVELOPER,
    "operator": [_rule(["sessions"], "*"), _rule(["agents"], "get", "list")],
    "viewer": [_rule(["*"], "get", "list")],
    "org-admin": _ORG_ADMIN,
}
"""As auth seeds them (agents contract, section 3)."""

_STANDINGS: Final = {"owner": _ORG_ADMIN, "admin": _ORG_ADMIN, "member": _DEVELOPER}
_ROLE_IDS: Final = {name: _id(0xC0 + number) for number, name in enumerate(ROLES)}

PARAMETERS: Final[dict[str, str]] = {
    "/api/v0/agents/{id}:id": AGENT,
    "/api/v0/workspaces/{id}:id": "one",
    "/api/v0/workspaces/{id}/sessions:id": "one",
    "/api/v0/workspaces/{id}/sessions/{sid}:id": "one",
    "/api/v0/workspaces/{id}/sessions/{sid}/start:id": "one",
    "/api/v0/workspaces/{id}/sessions/{sid}/stop:id": "one",
    "sid": SESSION,
    "id": SESSION,
}
"""The path parameters of what is in the namespace ``one``."""

BODIES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("POST", "/api/v0/agents"): {"name": "new", "namespace": "one", "model": "builtin"},
    **{(method, "/api/v0/agents/{id}"): {"description": "changed"} for method in ("PUT", "PATCH")},
    ("POST", "/api/v0/sessions"): {"namespace": "one", "agent_ids": [AGENT]},
    **{(method, "/api/v0/sessions/{id}"): {"name": "changed"} for method in ("PUT", "PATCH")},
    **{(method, "/api/v0/sessions/{id}/state"): {"state": "IDLE"} for method in ("PUT", "PATCH")},
    ("POST", "/api/v0/sessions/{id}/messages"): {"role": "USER", "content": "something"},
    ("POST", "/api/v0/workspaces"): {"name": "one"},
    ("POST", "/api/v0/workspaces/{id}/sessions"): {"name": "new", "status": "stopped"},
}
"""Fields of bodies that cannot be guessed from the models, by method and path."""


def _json(value: object) -> str:
    return json.dumps(value).replace("'", "''")


def _values(rows: list[tuple[str, ...]]) -> str:
    return ", ".join("(" + ", ".join(row) + ")" for row in rows)


def _quoted(*words: str | None) -> tuple[str, ...]:
    return tuple("NULL" if word is None else f"'{word}'" for word in words)


_BINDINGS: Final = [
    _quoted(_id(0xD0 + n), _ROLE_IDS[held[0]], "ServiceAccount", name, ACCOUNTS[name], held[1], "1")
    for n, (name, held) in enumerate(HOLDINGS.items())
    if held is not None
]

RESET: Final = f"""
DELETE FROM agents.session;
DELETE FROM agents.agent;
DELETE FROM agents.workspace;
DELETE FROM agents.audit_event;
DELETE FROM agents.role;
DELETE FROM agents.role_binding;
DELETE FROM agents.service_account;
DELETE FROM agents.organization;
DELETE FROM agents.outbox;
UPDATE agents.access_copy SET version = 1, newest = 1, through = 1, taken_at = now(),
       standings = '{_json(_STANDINGS)}';
INSERT INTO agents.organization (id, slug)
VALUES ('org_one', 'one'), ('org_two', 'two'), ('org_zero', 'zero');
INSERT INTO agents.role (id, name, rules, version)
VALUES {_values([_quoted(_ROLE_IDS[name], name, _json(ROLES[name]), "1") for name in ROLES])};
INSERT INTO agents.service_account (id, name, active, version)
VALUES {_values([_quoted(account, name, "true", "1") for name, account in ACCOUNTS.items()])};
INSERT INTO agents.role_binding (id, role_id, principal_type, principal_name, principal_id,
       namespace, version)
VALUES {_values(_BINDINGS)};
INSERT INTO agents.agent (id, namespace, name, model, instructions)
VALUES ('{AGENT}', 'one', 'helper', 'builtin', '{SECRET}'),
       ('{OTHERS_AGENT}', 'two', 'helper', 'builtin', 'theirs');
INSERT INTO agents.session (id, namespace, name, state, owner_type, owner_id, created_by,
       starting_prompt, number, idle_at, last_activity_at)
VALUES ('{SESSION}', 'one', 'talk', 'READY', 'ServiceAccount', '{ACCOUNTS["owner"]}', 'owner',
        '{SECRET}', 1, now() + interval '1 hour', now());
INSERT INTO agents.session_agent (session_id, position, agent_id)
VALUES ('{SESSION}', 0, '{AGENT}');
INSERT INTO agents.work (session_id, namespace) VALUES ('{SESSION}', 'one');
INSERT INTO agents.message (session_id, number, id, role, content, author_type, author_id,
       created_at)
VALUES ('{SESSION}', 1, '{SESSION}', 'USER', '{SECRET}', 'ServiceAccount', '{ACCOUNTS["owner"]}',
        now() - interval '1 minute');
"""  # noqa: S608 - made of constants

STRANGERS: Final = ("anonymous", "outsider", "bare", "subject", "other", "narrow")
"""Those who hold nothing in the namespace."""

WORLD: Final = World(
    service=SERVICE,
    settings=lambda urls, folder: agents_settings(urls),
    reset=RESET,
    parameters=PARAMETERS,
    bodies=BODIES,
    secrets=(SECRET, ACCOUNTS["owner"]),
    callers=AGENTS_CALLERS,
    strangers=STRANGERS,
)
