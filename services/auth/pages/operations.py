"""Use cases of pages: letting a browser in, once its person has proved who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.auth.accounts.models import Account
from services.auth.accounts.operations import require_unchanged
from services.auth.audit_events.models import Origin
from services.auth.device_logins import operations as device_logins
from services.auth.device_logins.models import Decision, Login
from services.auth.machines import operations as machines
from services.auth.machines.models import Machine
from services.auth.pages.rules.targets import Target
from services.auth.sessions.models import PasswordCredential
from services.auth.sessions.operations import Desk, end_one, prove
from services.auth.sign_in_links import operations as links
from services.auth.two_factor.operations import redeem, require_code
from services.auth.web_sessions.models import NewCookie, WebSession
from services.auth.web_sessions.operations import find, find_by_value, open_for
from shared.db import Database
from shared.errors import BadRequest, RateLimited, ServiceError, Unauthenticated
from shared.principal import ANONYMOUS, Principal

ALLOWED = "/device/allowed"
"""Where a person comes to whose login approved a device."""


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """How far a login got: a cookie and where to go, or a challenge for a second factor."""

    location: str = ""
    cookie: NewCookie | None = None
    challenge: str | None = None


async def log_in(
    desk: Desk,
    credential: PasswordCredential,
    headers: Mapping[str, str],
    origin: Origin,
    target: Target,
    *,
    remember: bool,
) -> Step:
    """Let a browser in by address and password, or ask for the second factor.

    Raises:
        RateLimited: too many tries failed.
        Unauthenticated: with one text for every reason.
        Forbidden: the address is not verified, or the person belongs nowhere.
        Unavailable: too many sign in at once.
    """
    try:
        account = await prove(desk, credential, origin)
    except Unauthenticated as error:
        return _second_step(error)
    return await _let_in(
        desk, account.id, headers, origin, target, remember=remember, proved=account
    )


async def complete(
    desk: Desk,
    challenge: str,
    code: str,
    headers: Mapping[str, str],
    origin: Origin,
    target: Target,
    *,
    remember: bool,
) -> Step:
    """Let a browser in by the code of the second factor.

    Raises:
        RateLimited: too many codes were wrong.
        Unauthenticated: the code is wrong, or the first step too long ago.
    """
    account_id = await redeem(desk.database, desk.vault, challenge, code, origin)
    return await _let_in(desk, account_id, headers, origin, target, remember=remember)


async def log_in_by_link(
    desk: Desk, token: str, headers: Mapping[str, str], origin: Origin, *, remember: bool
) -> Step:
    """Let a browser in by the token of a letter, or ask for the second factor.

    Raises:
        BadRequest: the link is unknown, used or over.
    """
    account_id = await links.redeem(desk.database, token, origin)
    try:
        await require_code(desk.database, desk.vault, account_id, None, origin)
    except Unauthenticated as error:
        return _second_step(error)
    return await _let_in(desk, account_id, headers, origin, Target.read(""), remember=remember)


def _second_step(error: Unauthenticated) -> Step:
    challenge = error.extra.get("challenge_token")
    if not isinstance(challenge, str):
        raise error
    return Step(challenge=challenge)


async def waiting_device(database: Database, target: Target, origin: Origin) -> Login | None:
    """Find the device that a login would approve on its way; None if there is none to show.

    Wrong codes count by address, since nobody is signed in yet.
    """
    if not target.auto:
        return None
    try:
        login = await device_logins.look(database, target.code, ANONYMOUS, origin)
    except (BadRequest, RateLimited):
        return None
    return login if login.status == "pending" else None


async def own_machines(database: Database, principal: Principal) -> list[Machine]:
    """List a person's machines, revoked ones too, the newest first."""
    async with database.connection() as connection:
        return await machines.list_for(connection, principal.account)


async def _let_in(
    desk: Desk,
    account_id: str,
    headers: Mapping[str, str],
    origin: Origin,
    target: Target,
    *,
    remember: bool,
    proved: Account | None = None,
) -> Step:
    """Open a session in place of the one that the browser had, and approve what was agreed to.

    Approving on the way (``auto=1``) happens here and nowhere else: in answer to a form of ours,
    whose Origin was checked, and whose page showed the device beside the button. The address with
    ``auto=1`` in it approves nothing by itself, so no other site can make a browser do it for
    somebody who is signed in. Whoever has a choice of organizations makes it on the consent page.
    """
    before = await find(desk.database, headers, desk.issuer)
    async with desk.database.transaction() as connection:
        if before is not None:
            person = before.principal
            await end_one(
                connection,
                person.account,
                person.session,
                origin=origin,
                actor=person,
                reason="replaced",
            )
        if proved is not None:
            await require_unchanged(connection, proved)
        cookie = await open_for(connection, desk, account_id, origin, remember=remember)
    session = await find_by_value(desk.database, cookie.value)
    if (
        session is not None
        and target.auto
        and await _approve(desk.database, session, target, origin)
    ):
        return Step(ALLOWED, cookie)
    return Step(target.location, cookie)


async def _approve(database: Database, session: WebSession, target: Target, origin: Origin) -> bool:
    if len(await device_logins.choices(database, session.principal)) != 1:
        return False
    try:
        await device_logins.decide(
            database, Decision(user_code=target.code), session.principal, origin
        )
    except ServiceError:
        # The consent page says what is wrong; the login itself is good.
        return False
    return True
