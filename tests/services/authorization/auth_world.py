"""What stands in auth's tables while its doors are tried; put back before each try."""

from __future__ import annotations

from typing import Any, Final

from services.auth.app import SERVICE
from tests.services.auth.conftest import auth_settings
from tests.services.authorization.callers import MACHINE_TOKEN, SERVICE_ACCOUNT
from tests.services.authorization.doors import World

ROLE: Final = "00000000-0000-4000-8000-000000000002"
BINDING: Final = "00000000-0000-4000-8000-000000000003"

PARAMETERS: Final[dict[str, str]] = {
    "/api/account/machines/{token}:token": MACHINE_TOKEN,
    "org_id": "org_one",
    "/v1/admin/organizations/{org_id}/api-keys/{id}:id": "key_one",
    "/v1/admin/organizations/{org_id}/api-keys/{id}/rotate:id": "key_one",
    "/v1/auth/sessions/{id}:id": "ses_member",
    "account_id": "usr_member",
    "/api/v1/auth/users/{id}:id": "usr_member",
    "/v1/admin/users/{id}:id": "usr_member",
    "/api/v1/auth/invites/{id}:id": "inv_one",
    "/v1/admin/waitlist/{id}/convert:id": "wait_one",
    "/api/v0/service-accounts/{id}:id": SERVICE_ACCOUNT,
    "/api/v0/service-accounts/{id}/password:id": SERVICE_ACCOUNT,
    "/api/v0/roles/{id}:id": ROLE,
    "/api/v0/role-bindings/{id}:id": BINDING,
}
"""The path parameters of ``org_one``'s things."""

BODIES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    # Refused before any credential is looked at: the question is who may ask.
    ("POST", "/api/v1/auth/login"): {"code": 0},
    ("POST", "/api/v0/auth/internal"): {"user": 0},
    ("POST", "/api/v0/auth/login"): {"user": 0},
    ("POST", "/api/v0/auth/external"): {"subject": "oidc:somebody"},
    # In the namespace of org_one, a role that gives nothing.
    ("POST", "/api/v0/role-bindings"): {"namespace": "one"},
}
"""Fields of bodies that cannot be guessed from the models, by method and path."""

SECRETS_OF_ONE: Final = ("org_one", "usr_member", "usr_admin", "usr_owner", "key_one", "inv_one")
"""What nobody outside of ``org_one`` may ever read, but for platform administrators."""

RESET: Final = f"""
TRUNCATE auth.account, auth.organization, auth.service_account, auth.throttle,
         auth.waiting_person, auth.erasure, auth.outbox, auth.letter CASCADE;
DELETE FROM auth.role WHERE id = '{ROLE}';
INSERT INTO auth.organization (id, name, slug)
VALUES ('org_zero', 'Zero', 'zero'), ('org_one', 'One', 'one'), ('org_two', 'Two', 'two');
INSERT INTO auth.account (id, email, email_key, name, platform_admin, active_org_id, verified_at)
SELECT 'usr_' || who, who || '@mail.example', who || '@mail.example', who, who = 'platform', org,
       now()
  FROM (VALUES ('member', 'org_one'), ('admin', 'org_one'), ('owner', 'org_one'),
               ('platform', 'org_zero'), ('other', 'org_two')) AS people (who, org);
INSERT INTO auth.membership (org_id, account_id, role)
VALUES ('org_one', 'usr_member', 'member'), ('org_one', 'usr_admin', 'admin'),
       ('org_one', 'usr_owner', 'owner'), ('org_zero', 'usr_platform', 'owner'),
       ('org_two', 'usr_other', 'owner');
INSERT INTO auth.session (org_id, id, account_id, expires_at)
SELECT active_org_id, 'ses_' || substr(id, 5), id, now() + interval '1 day' FROM auth.account;
INSERT INTO auth.api_key (org_id, id, account_id, name, prefix, digest, scopes)
VALUES ('org_one', 'key_one', 'usr_admin', 'One', 'trw_live_', sha256('one'), '{{*}}');
INSERT INTO auth.invitation (org_id, id, email, email_key, role, digest, expires_at)
VALUES ('org_one', 'inv_one', 'late@mail.example', 'late@mail.example', 'member', sha256('one'),
        now() + interval '1 day');
INSERT INTO auth.waiting_person (id, email, email_key)
VALUES ('wait_one', 'waiting@mail.example', 'waiting@mail.example');
INSERT INTO auth.machine (token, id, account_id, machine_name)
VALUES ('{MACHINE_TOKEN}', 'mach_one', 'usr_member', 'one');
INSERT INTO auth.service_account (id, name, password_hash)
VALUES ('{SERVICE_ACCOUNT}', 'robot', 'none');
INSERT INTO auth.role (id, name, rules) VALUES ('{ROLE}', 'something', '[]');
INSERT INTO auth.role_binding (id, role_id, principal_type, principal_name, namespace)
VALUES ('{BINDING}', '{ROLE}', 'Subject', 'somebody', 'one');
"""  # noqa: S608 - made of constants

WORLD: Final = World(
    service=SERVICE,
    settings=auth_settings,
    reset=RESET,
    parameters=PARAMETERS,
    bodies=BODIES,
    secrets=SECRETS_OF_ONE,
)
