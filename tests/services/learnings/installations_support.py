"""Keys and clients to be seen with."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import httpx

from shared.principal import Kind, Principal, Role
from tests.services.learnings.conftest import Tenant

HASH = "0123456789abcdef"


def key_of(tenant: Tenant, *scopes: str) -> Tenant:
    """A program of the tenant that shows an API key."""
    key_id = f"key_{uuid4().hex}"
    principal = Principal(
        Kind.API_KEY,
        key_id,
        tenant.org,
        Role.ADMIN,
        scopes or ("*",),
        key_id,
        tenant.principal.account,
    )
    return Tenant(tenant.client, principal)


def platform_admin(client: httpx.AsyncClient) -> Tenant:
    """Somebody who runs the whole installation."""
    made = Tenant(client)
    made.principal = replace(made.principal, role=Role.PLATFORM_ADMIN)
    return made


def member_of(tenant: Tenant) -> Tenant:
    """A person of the same organization without admin rights."""
    return Tenant(tenant.client, replace(tenant.principal, role=Role.MEMBER))
