"""Use cases of second factors: switching one on and off, and asking for it at a login.

Wrong codes are counted by account alone, apart from wrong passwords: a right password forgives
wrong passwords and no wrong code, so whoever knows the password has five tries at the code, and
whoever does not is never told whether a code is needed.
"""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Final

from services.auth.accounts.operations import prove_password
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record, record_alone
from services.auth.live_sessions.operations import require_live
from services.auth.mail.operations import write
from services.auth.passwords.operations import Passwords
from services.auth.throttles.models import Counted
from services.auth.throttles.operations import SECOND_FACTOR, fail, forgive, require
from services.auth.two_factor import rules, store
from services.auth.two_factor.models import Enrolment, Factor, TwoFactorState
from shared.db import Connection, Database
from shared.errors import BadRequest, Conflict, Unauthenticated
from shared.principal import Principal
from shared.secret import encode_base64url
from shared.vault import Vault

CHALLENGE_LIFE: Final = timedelta(minutes=5)
MOST_CHALLENGES: Final = 5
"""Of an account at a time; a newer one takes the place of the oldest."""

RECOVERY_CODES: Final = 10
FEW_CODES: Final = 3
"""When the letter about a used one says how to get more."""

SECRET_LENGTH: Final = 20
"""Bytes (RFC 4226, section 4)."""

SWEEP_BATCH: Final = 10_000

WRONG_CODE: Final = "Invalid code"
IS_ON: Final = "Two-factor authentication is on already"
IS_OFF: Final = "Two-factor authentication is off"


async def read_state(database: Database, principal: Principal) -> TwoFactorState:
    """Tell whether the caller's second factor is on.

    Raises:
        Forbidden: no person is calling.
    """
    principal.require_person()
    async with database.connection() as connection:
        factor = await store.find(connection, principal.account)
        left = await store.count_codes(connection, principal.account)
    return TwoFactorState(
        enabled=factor is not None and factor.is_confirmed, recovery_codes_left=left
    )


async def enrol(
    database: Database, vault: Vault, principal: Principal, origin: Origin
) -> Enrolment:
    """Give the caller a secret; it holds once a code of it was verified.

    Another call before that replaces the secret.

    Raises:
        Forbidden: no person is calling.
        Conflict: a second factor is on already.
    """
    principal.require_person()
    secret = secrets.token_bytes(SECRET_LENGTH)
    async with database.transaction() as connection:
        await require_live(connection, principal)
        email = await store.find_email(connection, principal.account)
        if email is None:
            raise Unauthenticated
        if not await store.put_pending(connection, principal.account, vault.seal(secret)):
            raise Conflict(IS_ON)
        await record(connection, AuditEvent("two_factor.begun", origin, principal))
    uri = rules.otpauth_uri(secret, email)
    return Enrolment(secret=rules.secret_text(secret), otpauth_uri=uri, qr_svg=rules.qr_svg(uri))


async def confirm(
    database: Database, vault: Vault, principal: Principal, code: str, origin: Origin
) -> list[str]:
    """Switch the caller's second factor on by its first code, and give the recovery codes.

    The code is used up by that. Ring ``MailSender`` afterwards.

    Raises:
        Forbidden: no person is calling.
        Conflict: it is on already.
        BadRequest: the code is wrong, or there is nothing to confirm.
        RateLimited: too many codes were wrong.
    """
    principal.require_person()
    counted = Counted(SECOND_FACTOR, principal.account)
    async with database.transaction() as connection:
        factor = await store.find(connection, principal.account)
        if factor is None:
            raise BadRequest("Begin with /v1/auth/2fa/enable")
        if factor.is_confirmed:
            raise Conflict(IS_ON)
        await require(connection, counted)
        secret = vault.open(factor.sealed_secret)
        step = rules.matching_step(secret, rules.normal(code), time.time(), factor.last_step)
        if step is not None:
            await require_live(connection, principal)
            if not await store.confirm(connection, factor, step):
                raise Conflict(IS_ON)
            await forgive(connection, counted)
            await record(connection, AuditEvent("two_factor.enabled", origin, principal))
            await write(connection, "two_factor_on", factor.email)
            return await _new_codes(connection, vault, principal.account)
    await fail(database, counted)
    raise BadRequest(WRONG_CODE)


async def disable(
    database: Database,
    passwords: Passwords,
    vault: Vault,
    principal: Principal,
    password: str,
    code: str | None,
    origin: Origin,
) -> None:
    """Switch the caller's second factor off. Ring ``MailSender`` afterwards.

    Raises:
        Forbidden: no person is calling.
        Unauthenticated: the password is wrong, or the code if there is one.
        RateLimited: too many tries failed.
        Conflict: it is off already.
    """
    factor = await _confirmed(database, principal)
    await prove_password(database, passwords, principal, password, origin)
    if code:
        await _check(database, vault, factor, code, origin, attempted="two_factor.disabled")
    async with database.transaction() as connection:
        if not await store.delete(connection, factor.account_id):
            raise Conflict(IS_OFF)
        await record(connection, AuditEvent("two_factor.disabled", origin, principal))
        await write(connection, "two_factor_off", factor.email)


async def remove(
    connection: Connection, account_id: str, email: str, origin: Origin, actor: Principal
) -> None:
    """Take away a second factor that may be somebody else's, in the caller's transaction."""
    if await store.delete_any(connection, account_id):
        await record(connection, AuditEvent("two_factor.disabled", origin, actor))
        await write(connection, "two_factor_off", email)


async def renew_codes(
    database: Database,
    passwords: Passwords,
    vault: Vault,
    principal: Principal,
    password: str,
    origin: Origin,
) -> list[str]:
    """Give the caller new recovery codes; the older ones are void.

    Raises:
        Forbidden: no person is calling.
        Unauthenticated: the password is wrong.
        RateLimited: too many tries failed.
        Conflict: the second factor is off.
    """
    factor = await _confirmed(database, principal)
    await prove_password(database, passwords, principal, password, origin)
    async with database.transaction() as connection:
        if not await store.lock_confirmed(connection, factor.account_id):
            raise Conflict(IS_OFF)
        await record(connection, AuditEvent("two_factor.recovery_codes_made", origin, principal))
        return await _new_codes(connection, vault, factor.account_id)


async def require_code(
    database: Database, vault: Vault, account_id: str, code: str | None, origin: Origin
) -> None:
    """Check the second factor of somebody whose password was right.

    Does nothing for an account without one.

    Raises:
        Unauthenticated: a code is needed (with a ``challenge_token`` beside the message), or wrong.
        RateLimited: too many codes were wrong.
    """
    async with database.connection() as connection:
        factor = await store.find(connection, account_id)
    if factor is None or not factor.is_confirmed:
        return
    if code:
        await _check(database, vault, factor, code, origin)
        return
    token = encode_base64url(secrets.token_bytes(32))
    async with database.transaction() as connection:
        await store.insert_challenge(
            connection, rules.digest(token), account_id, CHALLENGE_LIFE, MOST_CHALLENGES
        )
    raise Unauthenticated("2FA required", extra={"challenge_token": token})


async def redeem(database: Database, vault: Vault, token: str, code: str, origin: Origin) -> str:
    """Give the account that a challenge and its code sign in; the challenge is used up by that.

    Raises:
        Unauthenticated: the challenge is unknown, used or over, or the code is wrong.
        RateLimited: too many codes were wrong.
    """
    digest = rules.digest(token)
    async with database.connection() as connection:
        factor = await store.find_challenged(connection, digest)
    if factor is None:
        raise Unauthenticated
    await _check(database, vault, factor, code, origin, challenge=digest)
    return factor.account_id


async def void_challenges(connection: Connection, account_id: str) -> None:
    """Void the logins of an account that wait for a code, in the caller's transaction."""
    await store.delete_challenges(connection, account_id)


async def sweep(database: Database) -> None:
    """Drop challenges that are over."""
    async with database.connection() as connection:
        while await store.delete_expired_challenges(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass


async def _confirmed(database: Database, principal: Principal) -> Factor:
    principal.require_person()
    async with database.connection() as connection:
        factor = await store.find(connection, principal.account)
    if factor is None or not factor.is_confirmed:
        raise Conflict(IS_OFF)
    return factor


class _Wrong(Exception):
    """The code is wrong: whatever was used up with it is not."""


async def _check(
    database: Database,
    vault: Vault,
    factor: Factor,
    code: str,
    origin: Origin,
    *,
    challenge: bytes | None = None,
    attempted: str = "session.opened",
) -> None:
    """Use a code up, and a challenge with it; ``attempted`` is what a wrong one is audited as.

    Raises:
        Unauthenticated: the code is wrong or was used, or the challenge has gone.
        RateLimited: too many codes were wrong.
    """
    counted = Counted(SECOND_FACTOR, factor.account_id)
    try:
        async with database.transaction() as connection:
            await require(connection, counted)
            if challenge is not None and not await store.use_challenge(connection, challenge):
                raise Unauthenticated
            if not await _use(connection, vault, factor, rules.normal(code), origin):
                raise _Wrong
            await forgive(connection, counted)
    except _Wrong:
        refusal = AuditEvent(
            attempted,
            origin,
            target=factor.account_id,
            refused=True,
            detail={"reason": "code"},
        )
        await record_alone(database, refusal)
        await fail(database, counted)
        raise Unauthenticated(WRONG_CODE) from None


async def _use(
    connection: Connection, vault: Vault, factor: Factor, code: str, origin: Origin
) -> bool:
    if rules.is_time_code(code):
        secret = vault.open(factor.sealed_secret)
        step = rules.matching_step(secret, code, time.time(), factor.last_step)
        return step is not None and await store.use_step(connection, factor, step)
    account_id = factor.account_id
    fingerprint = vault.fingerprint(rules.recovery_text(account_id, code))
    if not await store.use_code(connection, account_id, fingerprint):
        return False
    left = await store.count_codes(connection, account_id)
    event = AuditEvent(
        "two_factor.recovery_code_used", origin, target=account_id, detail={"left": left}
    )
    await record(connection, event)
    await write(
        connection,
        "recovery_code_used",
        factor.email,
        left=left,
        few="yes" if left <= FEW_CODES else "",
        client=origin.client,
    )
    return True


async def _new_codes(connection: Connection, vault: Vault, account_id: str) -> list[str]:
    codes = [rules.recovery_code(secrets.token_bytes(10)) for _ in range(RECOVERY_CODES)]
    digests = [vault.fingerprint(rules.recovery_text(account_id, code)) for code in codes]
    await store.replace_codes(connection, account_id, digests)
    return codes
