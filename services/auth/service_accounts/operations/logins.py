"""Use cases of logins on the agents surface (agents contract, section 3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record, record_alone
from services.auth.roles import operations as roles
from services.auth.roles.models import Holder
from services.auth.roles.operations import Access
from services.auth.service_accounts import store
from services.auth.service_accounts.models import (
    Login,
    LoginRequest,
    LoginUser,
    Me,
    NewPrincipalSession,
    Proof,
)
from services.auth.sessions import operations as sessions
from services.auth.sessions.models import Opened, PasswordCredential, SessionVerdict
from services.auth.sessions.operations import DAY, Desk
from services.auth.throttles.models import Counted
from services.auth.throttles.operations import (
    SERVICE_LOGIN_BY_ACCOUNT,
    SERVICE_LOGIN_BY_ADDRESS,
    fail,
    forgive,
    require,
)
from shared.bus import outbox
from shared.contracts.auth import SessionRevoked
from shared.db import Connection, Database
from shared.errors import Forbidden, Unauthenticated
from shared.ids import new_id
from shared.principal import Kind, Principal

SESSION_PREFIX: Final = "sas_"
"""Of the sessions of service accounts and external subjects."""

SWEEP_BATCH: Final = 10_000


async def log_in(desk: Desk, access: Access, request: LoginRequest, origin: Origin) -> Login:
    """Sign in a service account, or a person by their address.

    Raises:
        Unauthenticated: with one answer for every reason, or because a second factor is needed.
        RateLimited: too many tries failed.
        Forbidden: a person's address is not verified.
    """
    if "@" in request.user:
        return await _log_in_person(desk, request, origin)
    proof = await _prove(desk, request, origin)
    session = NewPrincipalSession(
        new_id(SESSION_PREFIX),
        proof.account_id,
        str(proof.account_id),
        proof.token_version,
        (),
        origin,
    )
    principal = Principal(Kind.SERVICE_ACCOUNT, session.subject, session=session.id)
    async with desk.database.transaction() as connection:
        await require(connection, *_counters(request.user, origin))
        await forgive(connection, _counters(request.user, origin)[0])
        if not await store.note_login(connection, proof.account_id, proof.token_version):
            raise Unauthenticated
        opened = await _open(connection, desk, session, principal)
    return login_answer(opened, request.user, await access.holder(principal))


async def _log_in_person(desk: Desk, request: LoginRequest, origin: Origin) -> Login:
    credential = PasswordCredential(request.user, request.password, request.code)
    opened = await sessions.sign_in(desk, credential, origin, DAY)
    async with desk.database.connection() as connection:
        person = await store.find_person(connection, opened.account_id)
    if person is None:
        raise Unauthenticated
    role = "admin" if person["platform_admin"] else "user"
    return _written(opened, LoginUser(username=person["email"], role=role))


async def _prove(desk: Desk, request: LoginRequest, origin: Origin) -> Proof:
    """Check name and password: the same statements and one check whatever the name."""
    counters = _counters(request.user, origin)
    async with desk.database.connection() as connection:
        await require(connection, *counters)
        proof = await store.find_proof(connection, request.user)
    stored = None if proof is None else proof.password_hash
    right = await desk.passwords.matches(stored, request.password)
    if proof is None or not right or not proof.active:
        target = "" if proof is None else str(proof.account_id)
        refusal = AuditEvent("session.opened", origin, target=target, refused=True)
        await record_alone(desk.database, refusal)
        await fail(desk.database, *counters)
        raise Unauthenticated
    return proof


def _counters(name: str, origin: Origin) -> tuple[Counted, Counted]:
    return (
        Counted(SERVICE_LOGIN_BY_ACCOUNT, name),
        Counted(SERVICE_LOGIN_BY_ADDRESS, origin.client),
    )


async def login_subject(
    desk: Desk, access: Access, principal: Principal, subject: str, origin: Origin
) -> Login:
    """Sign in an external subject on the word of a caller who holds everything everywhere.

    Raises:
        Unauthenticated: nobody is calling.
        Forbidden: the caller does not hold everything, or is a key.
    """
    if principal.is_anonymous:
        raise Unauthenticated
    roles.deny_keys(principal)
    if not _holds_everything(await access.holder(principal)):
        raise Forbidden
    session = _of_subject(subject, (), origin)
    async with desk.database.transaction() as connection:
        opened = await _open(connection, desk, session, principal)
    signed_in = Principal(Kind.SUBJECT, subject, session=session.id)
    return login_answer(opened, subject, await access.holder(signed_in))


async def open_subject_session(
    connection: Connection, desk: Desk, subject: str, groups: tuple[str, ...], origin: Origin
) -> Opened:
    """Open a session for a subject whom a trusted issuer vouches for, in the caller's transaction.

    Args:
        connection: in the transaction.
        desk: signs the token.
        subject: with the provider before it, ``oidc:…``; never a bare name.
        groups: as the issuer claims.
        origin: where the request came from.
    """
    session = _of_subject(subject, groups, origin)
    principal = Principal(Kind.SUBJECT, subject, session=session.id, groups=groups)
    return await _open(connection, desk, session, principal)


def _of_subject(subject: str, groups: tuple[str, ...], origin: Origin) -> NewPrincipalSession:
    return NewPrincipalSession(new_id(SESSION_PREFIX), None, subject, 0, groups, origin)


async def _open(
    connection: Connection, desk: Desk, session: NewPrincipalSession, actor: Principal
) -> Opened:
    await store.insert_session(connection, session, DAY.session)
    kind = "subject" if session.service_account_id is None else "service_account"
    detail = {"kind": kind, "subject": session.subject}
    done = AuditEvent("session.opened", session.origin, actor, target=session.id, detail=detail)
    await record(connection, done)
    return Opened(
        session_id=session.id,
        account_id="",
        org_id="",
        access_token=sessions.sign_for(desk, session.subject, session.id, DAY.access),
        expires_in=int(DAY.access.total_seconds()),
    )


def login_answer(opened: Opened, username: str, holder: Holder) -> Login:
    """Write the answer of a login (agents contract, section 3)."""
    role = "admin" if _holds_everything(holder) else "user"
    return _written(opened, LoginUser(username=username, role=role))


def _written(opened: Opened, user: LoginUser) -> Login:
    expires_at = datetime.now(UTC) + timedelta(seconds=opened.expires_in)
    return Login(token=opened.access_token, expires_at=expires_at, expires=expires_at, user=user)


def _holds_everything(holder: Holder) -> bool:
    return any(
        grant.namespace is None and roles.gives_everything(grant.rules) for grant in holder.grants
    )


async def check_session(database: Database, session_id: str, subject: str) -> SessionVerdict:
    """Tell whether a session of a service account or a subject still holds.

    It has no scopes: no door of another surface opens to it, and on its own roles decide.
    """
    async with database.connection() as connection:
        standing = await store.find_standing(connection, session_id, subject)
    if standing is None:
        return SessionVerdict(active=False)
    return SessionVerdict(active=True, kind=standing["kind"], groups=standing["groups"])


async def log_out(database: Database, principal: Principal, origin: Origin) -> None:
    """End the caller's session, a person's on every surface. Says session.revoked.

    Raises:
        Forbidden: the caller has no session, because a key is calling.
    """
    if not principal.session.startswith(SESSION_PREFIX):
        await sessions.sign_out(database, principal, origin)
        return
    account = principal.subject if principal.kind is Kind.SERVICE_ACCOUNT else ""
    async with database.transaction() as connection:
        if await store.end_session(connection, principal.session, principal.subject):
            event = SessionRevoked(session_id=principal.session, account_id=account)
            await outbox.add(connection, event)
            ended = AuditEvent("session.ended", origin, principal, target=principal.session)
            await record(connection, ended)


async def read_me(access: Access, principal: Principal) -> Me:
    """Tell a caller who they are, and the names of their roles.

    Raises:
        Forbidden: neither a person, nor a service account, nor a subject is calling.
        Unauthenticated: the account has gone.
    """
    holder = await access.holder(principal)
    names = sorted({grant.role for grant in holder.grants})
    subject = principal.subject
    if principal.kind is Kind.SUBJECT:
        return _me("Subject", subject, subject, subject, None, names)
    async with access.database.connection() as connection:
        if principal.kind is Kind.SERVICE_ACCOUNT:
            account = await store.find_by_id(connection, UUID(subject))
            if account is None:
                raise Unauthenticated
            me = _me("ServiceAccount", subject, account.name, account.name, None, names)
            return me.model_copy(update={"must_change_password": account.must_change_password})
        if not principal.account:
            raise Forbidden("This credential belongs to nobody on this surface")
        person = await store.find_person(connection, principal.account)
    if person is None:
        raise Unauthenticated
    email = person["email"]
    return _me("Subject", principal.account, email, person["name"], email, names)


def _me(
    kind: Literal["ServiceAccount", "Subject"],
    principal_id: str,
    user: str,
    name: str,
    email: str | None,
    roles: list[str],
) -> Me:
    return Me(
        user=user,
        type=kind,
        id=principal_id,
        name=name,
        username=user,
        email=email,
        roles=roles,
    )


async def sweep(database: Database) -> None:
    """Drop sessions that expired long ago."""
    async with database.connection() as connection:
        while await store.delete_expired_sessions(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass
