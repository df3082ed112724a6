"""Signing in with an issuer's account: leaving for it, coming back, and whose account it is.

An identity that is known opens its account. One that is not opens an account by its address only
where both sides have proved that address: the issuer, whose word the settings must trust, and the
account's owner, by a letter. Otherwise a stranger could wait in either place for the other.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NoReturn

from services.auth.accounts.operations import admit, find_proved
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record, record_alone
from services.auth.external_logins import store
from services.auth.external_logins.models import (
    Begun,
    CallbackQuery,
    IdClaims,
    Identity,
    PendingLogin,
    TrustedIssuer,
)
from services.auth.external_logins.operations.issuers import Issuer, Issuers
from services.auth.external_logins.rules import steps
from services.auth.external_logins.rules.id_tokens import BadIdToken
from services.auth.mail.operations import MailSender, write
from services.auth.sessions.operations import Desk
from services.auth.two_factor.operations import require_code
from services.auth.web_sessions.models import NewCookie, WebSession
from services.auth.web_sessions.operations import local_path, open_for
from shared.db import Connection, Database
from shared.errors import BadRequest, Conflict, Forbidden, Unauthenticated
from shared.log import get_logger
from shared.principal import ANONYMOUS, Principal
from shared.secret import encode_base64url

SWEEP_BATCH: Final = 10_000
LONGEST_STATE: Final = 128
LONGEST_CODE: Final = 4096

ENDED: Final = "This sign-in was not begun in this browser, has ended, or is older than 10 minutes"
REFUSED: Final = "The issuer did not let you in, or you cancelled"
NOT_TAKEN: Final = "The issuer's answer was not what it must be"
BARRED: Final = "This account cannot be signed in to"
UNLINKED: Final = "No account here is linked with this identity yet"

log = get_logger()


@dataclass(frozen=True, slots=True, repr=False)
class Arrived:
    """A browser that came back.

    Attributes:
        return_to: where it goes next, a path of ours.
        cookie: signs it in; None if it was already, or a code is still to come.
        challenge: for which the second factor's code is asked, or None.
    """

    return_to: str
    cookie: NewCookie | None = None
    challenge: str | None = None


async def begin(
    desk: Desk,
    issuers: Issuers,
    provider: str,
    return_to: str,
    browser: str | None,
    account_id: str | None = None,
) -> Begun:
    """Prepare a browser to leave for an issuer.

    Args:
        desk: its vault keeps the PKCE verifier.
        issuers: the trusted ones.
        provider: the issuer's name in the settings.
        return_to: where to come back to; anything but a path of ours means the home page.
        browser: the value that binds sign-ins to this browser, if it has one already.
        account_id: to link the identity with, instead of signing in.

    Raises:
        NotFound: no such issuer is set up.
        Unavailable: it is away.
    """
    issuer = issuers.for_sign_in(provider)
    discovery = await issuer.discovery()
    cookie, state, nonce, verifier = browser or _random(), _random(), _random(), _random()
    pending = PendingLogin(
        nonce, desk.vault.seal(verifier.encode()), local_path(return_to), account_id
    )
    async with desk.database.transaction() as connection:
        await store.insert_login(
            connection,
            steps.digest(state),
            steps.digest(cookie),
            provider,
            pending,
            timedelta(seconds=steps.LIFE),
        )
    redirect_uri = steps.callback_address(desk.issuer, provider)
    address = steps.authorization_address(
        discovery, issuer.trusted, redirect_uri, state, nonce, verifier
    )
    return Begun(address, cookie)


def _random() -> str:
    return encode_base64url(secrets.token_bytes(32))


async def finish(
    desk: Desk,
    issuers: Issuers,
    mail: MailSender,
    provider: str,
    query: CallbackQuery,
    browser: str | None,
    visitor: WebSession | None,
    origin: Origin,
) -> Arrived:
    """Take an issuer's answer: sign the browser in, or link the identity with its account.

    Args:
        desk: opens sessions.
        issuers: the trusted ones.
        mail: rung when a letter was written.
        provider: the issuer's name in the settings.
        query: what came back.
        browser: the value that binds sign-ins to this browser.
        visitor: who is signed in at this browser.
        origin: where the request came from.

    Raises:
        NotFound: no such issuer is set up.
        BadRequest: the answer is not one to a question of this browser, or a refusal.
        Unauthenticated: the issuer's tokens do not hold.
        Forbidden: the identity opens no account.
        Conflict: the identity is linked with another account.
        Unavailable: the issuer is away.
    """
    issuer = issuers.for_sign_in(provider)
    pending = await _take(desk.database, provider, query.state, browser)
    try:
        claims = await _ask(desk, issuer, pending, query)
    except (BadIdToken, Unauthenticated) as error:
        reason = error.reason if isinstance(error, BadIdToken) else "code not taken"
        log.warning("external login refused", issuer=provider, reason=reason)
        await _refuse(desk.database, provider, reason, origin, Unauthenticated(NOT_TAKEN))
    if pending.account_id is not None:
        await _link_visitor(desk, issuer, claims, pending.account_id, visitor, origin)
        mail.ring()
        return Arrived(pending.return_to)
    account_id = await _enter(desk, issuer, claims, origin)
    mail.ring()
    try:
        await require_code(desk.database, desk.vault, account_id, None, origin)
    except Unauthenticated as error:
        challenge = error.extra.get("challenge_token")
        if not isinstance(challenge, str):
            raise
        return Arrived(pending.return_to, challenge=challenge)
    return Arrived(pending.return_to, cookie=await _open(desk, account_id, origin))


async def _open(desk: Desk, account_id: str, origin: Origin) -> NewCookie:
    async with desk.database.transaction() as connection:
        return await open_for(connection, desk, account_id, origin, remember=False)


async def _take(database: Database, provider: str, state: str, browser: str | None) -> PendingLogin:
    if browser is None or not state or len(state) > LONGEST_STATE:
        raise BadRequest(ENDED)
    async with database.transaction() as connection:
        pending = await store.take_login(
            connection, steps.digest(state), steps.digest(browser), provider
        )
    if pending is None:
        raise BadRequest(ENDED)
    return pending


async def _ask(desk: Desk, issuer: Issuer, pending: PendingLogin, query: CallbackQuery) -> IdClaims:
    """Exchange the code, but only with the issuer that gave it (RFC 9207), and read the token."""
    discovery = await issuer.discovery()
    if query.iss != issuer.trusted.issuer and (query.iss is not None or discovery.names_itself):
        raise BadIdToken("answer of another issuer")
    if query.error or not 1 <= len(query.code) <= LONGEST_CODE:
        raise BadRequest(REFUSED)
    verifier = desk.vault.open(pending.sealed_verifier).decode()
    redirect_uri = steps.callback_address(desk.issuer, issuer.trusted.name)
    answer = await issuer.exchange(query.code, verifier, redirect_uri)
    return await issuer.identify(answer, pending.nonce)


async def _enter(desk: Desk, issuer: Issuer, claims: IdClaims, origin: Origin) -> str:
    """Find the account that an identity opens, linking or making it where that is allowed."""
    database, name = desk.database, issuer.trusted.name
    if not steps.has_allowed_domain(issuer.trusted, claims):
        await _refuse(database, name, "domain", origin, Forbidden(UNLINKED))
    async with database.transaction() as connection:
        linked = await store.find_linked(connection, claims.issuer, claims.subject)
        if linked is not None:
            await store.touch_identity(connection, claims.issuer, claims.subject)
        elif await _meet(connection, desk.issuer, issuer, claims, origin):
            linked = await store.find_linked(connection, claims.issuer, claims.subject)
    if linked is None:
        await _refuse(database, name, "unknown identity", origin, Forbidden(UNLINKED))
    if linked.is_barred:
        await _refuse(database, name, "barred", origin, Forbidden(BARRED))
    return linked.account_id


async def _meet(
    connection: Connection, public_url: str, issuer: Issuer, claims: IdClaims, origin: Origin
) -> bool:
    """Link an identity that is new here with the account of its address, or with a new one."""
    trusted = issuer.trusted
    address = steps.proved_address(trusted, claims)
    if address is None:
        return False
    owner = await find_proved(connection, address)
    admitted = None
    if owner is None and trusted.auto_register:
        admitted = await admit(connection, address, steps.name_of(claims))
        # Taken meanwhile, perhaps by the same person in another window.
        owner = await find_proved(connection, address) if admitted is None else None
    account_id = admitted or (owner.id if owner is not None else None)
    if account_id is None:
        return False
    if await _link(connection, issuer, claims, account_id, origin) and owner is not None:
        await _tell(connection, public_url, owner.email, trusted)
    return True


async def _link_visitor(
    desk: Desk,
    issuer: Issuer,
    claims: IdClaims,
    account_id: str,
    visitor: WebSession | None,
    origin: Origin,
) -> None:
    if visitor is None or visitor.principal.account != account_id:
        raise Forbidden("Sign in again, then link the identity from your settings")
    async with desk.database.transaction() as connection:
        if await _link(connection, issuer, claims, account_id, origin, visitor.principal):
            await _tell(connection, desk.issuer, visitor.email, issuer.trusted)
        linked = await store.find_linked(connection, claims.issuer, claims.subject)
        if linked is None or linked.account_id != account_id:
            raise Conflict("This identity is linked with another account")


async def _link(
    connection: Connection,
    issuer: Issuer,
    claims: IdClaims,
    account_id: str,
    origin: Origin,
    actor: Principal = ANONYMOUS,
) -> bool:
    """Link an identity with an account; False if it is linked already, to whomever."""
    linked = await store.insert_identity(connection, claims.issuer, claims.subject, account_id)
    if linked:
        await record(
            connection,
            AuditEvent(
                "external_identity.linked",
                origin,
                actor,
                target=account_id,
                detail={"issuer": issuer.trusted.name},
            ),
        )
    return linked


async def _tell(
    connection: Connection, public_url: str, address: str, issuer: TrustedIssuer
) -> None:
    await write(connection, "identity_linked", address, public_url=public_url, issuer=issuer.title)


async def unlink(
    database: Database, issuers: Issuers, provider: str, actor: Principal, origin: Origin
) -> None:
    """Unlink an issuer from the caller's account.

    Raises:
        NotFound: no such issuer is set up.
        Conflict: the person could not sign in any more.
    """
    issuer = issuers.for_sign_in(provider).trusted
    async with database.transaction() as connection:
        if not await store.has_other_way(connection, actor.account, issuer.issuer):
            raise Conflict("Set a password first: you could not sign in any more")
        for _ in await store.delete_identities(connection, actor.account, issuer.issuer):
            event = AuditEvent(
                "external_identity.unlinked",
                origin,
                actor,
                target=actor.account,
                detail={"issuer": issuer.name},
            )
            await record(connection, event)


async def unlink_all(
    connection: Connection, account_id: str, actor: Principal, origin: Origin
) -> None:
    """Unlink every issuer from an account, in the caller's transaction."""
    for issuer in await store.delete_all_identities(connection, account_id):
        detail = {"issuer": issuer}
        event = AuditEvent(
            "external_identity.unlinked", origin, actor, target=account_id, detail=detail
        )
        await record(connection, event)


async def list_for(connection: Connection, account_id: str) -> list[Identity]:
    """Give the external identities of an account."""
    return await store.list_identities(connection, account_id)


async def sweep(database: Database) -> None:
    """Drop sign-ins that never came back."""
    async with database.connection() as connection:
        while await store.delete_expired(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass


async def _refuse(
    database: Database, provider: str, reason: str, origin: Origin, error: Exception
) -> NoReturn:
    detail = {"issuer": provider, "reason": reason}
    await record_alone(
        database, AuditEvent("external_login.opened", origin, refused=True, detail=detail)
    )
    raise error
