"""Use cases of API keys."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from services.auth.api_keys import rules, store
from services.auth.api_keys.models import (
    ID_PREFIX,
    ApiKeyItem,
    CreatedApiKey,
    CreatedPersonalToken,
    KeyStanding,
    KeyVerdict,
    NewApiKey,
    NewKey,
    NewPersonalToken,
    PersonalTokenItem,
    RefusedKey,
)
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.live_sessions.operations import require_live
from services.auth.organizations.operations import require_visible
from shared.bus import outbox
from shared.contracts.auth import ApiKeyCreated, ApiKeyRevoked
from shared.db import Connection, Database
from shared.errors import NotFound
from shared.ids import new_id
from shared.pagination import TOTAL_CAP, OffsetQuery, Page, PageQuery, page_of
from shared.principal import Kind, Principal, Role

UNNAMED: Final = "API token"
"""What a personal token is called whose maker gave it no name."""

MOST_REFUSED: Final = 20
"""Refused keys on a page for people."""

ADMIN_ROLES: Final = frozenset({Role.ADMIN, Role.OWNER, Role.PLATFORM_ADMIN})


async def create(
    database: Database, principal: Principal, org_id: str, wanted: NewApiKey, origin: Origin
) -> CreatedApiKey:
    """Make a key that acts for the caller in an organization. Says api_key.created.

    Raises:
        NotFound: the organization is not one the caller administers.
        Invalid: the expiry is over.
        Forbidden: a scope is not the caller's to grant.
    """
    rules.check_expiry(wanted.expires_at, datetime.now(UTC))
    scopes = rules.granted(wanted.scopes, principal.is_platform_admin)
    new = NewKey(
        "organization",
        principal.account,
        org_id,
        wanted.name,
        scopes,
        expires_at=wanted.expires_at,
    )
    async with database.transaction() as connection:
        await require_live(connection, principal)
        await require_visible(connection, principal, org_id)
        return await _make(connection, new, origin, principal)


async def create_key(
    connection: Connection,
    *,
    account_id: str,
    org_id: str,
    name: str,
    scopes: Sequence[str],
    origin: Origin,
    actor: Principal,
) -> tuple[str, str]:
    """Make a key of an organization for somebody, in the caller's transaction.

    Gives the key, which is shown only now, and its id. Says api_key.created.
    """
    new = NewKey("organization", account_id, org_id, name, scopes)
    made = await _make(connection, new, origin, actor)
    return made.key, made.id


async def create_device_key(
    connection: Connection, account_id: str, org_id: str, name: str, origin: Origin
) -> tuple[str, str]:
    """Make the key of a device login that a person approved, in the caller's transaction.

    Gives the key, which is shown only now, and its id. Says api_key.created.
    """
    actor = Principal(Kind.USER, account_id, org_id, account=account_id)
    made = await _make(connection, NewKey("device", account_id, org_id, name, ["*"]), origin, actor)
    return made.key, made.id


async def list_keys(
    database: Database, principal: Principal, org_id: str, query: PageQuery
) -> Page[ApiKeyItem]:
    """List an organization's keys, newest first.

    A revoked one is among them for 30 days after it was last shown, so that whoever looks after the
    organization sees which clients keep failing.

    Raises:
        NotFound: the organization is not one the caller administers.
    """
    async with database.connection() as connection:
        await require_visible(connection, principal, org_id)
        items = await store.list_shown(connection, org_id, query.page_size, query.offset)
        total = await store.count_shown(connection, org_id, TOTAL_CAP)
    return page_of(items, total, query)


async def list_refused(database: Database, principal: Principal) -> list[RefusedKey]:
    """List keys of the active organization that clients go on showing in vain.

    Nothing for members without admin rights: keys are not theirs to see.
    """
    if not principal.org or principal.role not in ADMIN_ROLES:
        return []
    async with database.connection() as connection:
        return await store.list_refused(connection, principal.org, MOST_REFUSED)


async def revoke(
    database: Database, principal: Principal, org_id: str, key_id: str, origin: Origin
) -> None:
    """Revoke a key, and with it every token bought with it. Says api_key.revoked.

    Raises:
        NotFound: no such key, or not in an organization the caller administers.
    """
    async with database.transaction() as connection:
        await require_visible(connection, principal, org_id)
        if not await store.revoke(connection, org_id, key_id):
            raise NotFound
        await _tell_revoked(connection, org_id, key_id, origin, principal)


async def rotate(
    database: Database,
    principal: Principal,
    org_id: str,
    key_id: str,
    overlap: timedelta,
    origin: Origin,
) -> CreatedApiKey:
    """Make a key in place of another, with its name and scopes, and as long a life from now on.

    The new one acts for the caller, who sees its secret, and so never with more than the caller
    has; the old one holds for the overlap. Says api_key.created, and api_key.revoked if there is
    no overlap.

    Raises:
        NotFound: no such key, or not in an organization the caller administers.
        Conflict: it was replaced before, or is no key of an organization.
        Forbidden: a scope is not the caller's to grant.
    """
    async with database.transaction() as connection:
        await require_live(connection, principal)
        await require_visible(connection, principal, org_id)
        old = await store.lock_rotatable(connection, org_id, key_id)
        if old is None:
            raise NotFound
        rules.check_rotatable(old)
        scopes = rules.granted(old.scopes, principal.is_platform_admin)
        new = NewKey("organization", principal.account, org_id, old.name, scopes, life=old.life)
        made = await _make(connection, new, origin, principal)
        await store.replace(connection, org_id, key_id, made.id, overlap)
        detail = {"replaced_by": made.id, "overlap_seconds": int(overlap.total_seconds())}
        event = AuditEvent("api_key.rotated", origin, principal, org_id, key_id, detail=detail)
        await record(connection, event)
        if not overlap:
            await _tell_revoked(connection, org_id, key_id, origin, principal)
    return made


async def create_personal(
    database: Database, principal: Principal, wanted: NewPersonalToken, origin: Origin
) -> CreatedPersonalToken:
    """Make a token with which the caller's programs act for them. Says api_key.created.

    Raises:
        Forbidden: no person is calling, or a scope is not theirs to grant.
    """
    principal.require_person()
    days = wanted.expires_in_days
    new = NewKey(
        "personal",
        principal.account,
        principal.org,
        wanted.name or UNNAMED,
        rules.granted(wanted.scopes, principal.is_platform_admin),
        life=timedelta(days=days) if days is not None else None,
    )
    async with database.transaction() as connection:
        await require_live(connection, principal)
        made = await _make(connection, new, origin, principal)
    return CreatedPersonalToken(
        id=made.id,
        name=made.name,
        token=made.key,
        created_at=made.created_at,
        expires_at=made.expires_at,
        scopes=made.scopes,
    )


async def list_personal(
    database: Database, principal: Principal, query: OffsetQuery
) -> list[PersonalTokenItem]:
    """List the caller's personal tokens, newest first.

    Raises:
        Forbidden: no person is calling.
    """
    principal.require_person()
    async with database.connection() as connection:
        return await store.list_personal(connection, principal.account, query.limit, query.offset)


async def revoke_personal(
    database: Database, principal: Principal, key_id: str, origin: Origin
) -> None:
    """Revoke one of the caller's personal tokens. Says api_key.revoked.

    Raises:
        Forbidden: no person is calling.
        NotFound: no such token, or somebody else's.
    """
    principal.require_person()
    async with database.transaction() as connection:
        org_id = await store.revoke_personal(connection, principal.account, key_id)
        if org_id is None:
            raise NotFound
        await _tell_revoked(connection, org_id, key_id, origin, principal)


async def revoke_all(
    connection: Connection, account_id: str, origin: Origin, actor: Principal
) -> None:
    """Revoke every key of a person, in the caller's transaction. Says api_key.revoked for each."""
    for row in await store.revoke_all(connection, account_id):
        await _tell_revoked(connection, row["org_id"], row["id"], origin, actor)


async def check(database: Database, key: str) -> KeyVerdict:
    """Tell whether a key that somebody shows holds."""
    return await check_digest(database, rules.digest_of(key))


async def check_digest(database: Database, digest: bytes) -> KeyVerdict:
    """Tell whether the key of this SHA-256 holds, and note that it was used or refused."""
    async with database.connection() as connection:
        return await _decide(connection, await store.find_by_digest(connection, digest))


async def check_id(database: Database, org_id: str, key_id: str) -> KeyVerdict:
    """Tell whether a key by which a token was bought still holds, and note its use or refusal."""
    async with database.connection() as connection:
        return await _decide(connection, await store.find_by_id(connection, org_id, key_id))


async def _decide(connection: Connection, standing: KeyStanding | None) -> KeyVerdict:
    verdict = rules.verdict(standing)
    if standing is None:
        return verdict
    if verdict.active and not standing.is_use_noted:
        await store.note_use(connection, standing.org_id, standing.id)
    elif not verdict.active and not standing.is_refusal_noted:
        await store.note_refusal(connection, standing.org_id, standing.id)
    return verdict


async def _make(
    connection: Connection, new: NewKey, origin: Origin, actor: Principal
) -> CreatedApiKey:
    key, key_id = rules.key_of(new.kind, secrets.token_bytes(32)), new_id(ID_PREFIX)
    written = rules.written(new.kind, key)
    row = await store.insert(connection, key_id, new, written)
    created = ApiKeyCreated(key_id=key_id, org_id=new.org_id, account_id=new.account_id)
    await outbox.add(connection, created)
    detail = {"kind": new.kind, "name": new.name, "scopes": list(new.scopes)}
    event = AuditEvent("api_key.created", origin, actor, new.org_id, key_id, detail=detail)
    await record(connection, event)
    return CreatedApiKey(
        id=key_id,
        name=new.name,
        key=key,
        prefix=written.prefix,
        scopes=list(new.scopes),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


async def _tell_revoked(
    connection: Connection, org_id: str, key_id: str, origin: Origin, actor: Principal
) -> None:
    await outbox.add(connection, ApiKeyRevoked(key_id=key_id, org_id=org_id))
    await record(connection, AuditEvent("api_key.revoked", origin, actor, org_id, key_id))
