"""Use cases of the first run: whether anybody administers the installation, and who does first."""

from __future__ import annotations

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.organizations.operations import lock_platform_admins
from services.auth.sessions import operations as sessions
from services.auth.sessions.models import PasswordCredential
from services.auth.sessions.operations import DAY, Desk
from services.auth.setup import store
from services.auth.setup.models import Setup
from services.auth.users import operations as users
from services.auth.users.models import NewAccount, SignedIn
from shared.db import Connection, Database
from shared.errors import Conflict, Forbidden
from shared.log import get_logger
from shared.principal import Kind, Principal, Role

log = get_logger()


async def needs_setup(database: Database) -> bool:
    """Tell whether nobody administers the installation yet."""
    async with database.connection() as connection:
        return not await store.has_administrator(connection)


async def set_up(desk: Desk, setup: Setup, *, is_open: bool, origin: Origin) -> SignedIn:
    """Make the first platform administrator, and sign them in.

    An address that was never verified is taken over. One that is somebody's is only promoted, and
    only by who knows its password: nobody gets an account by being the first here.

    Raises:
        Conflict: there is an administrator.
        Forbidden: setup is closed.
        Unauthenticated: the address is somebody's, and this is not its password.
        BadRequest: the new password will not do.
    """
    async with desk.database.connection() as connection:
        await _require_none(connection)
        if not is_open:
            raise Forbidden("Setup is closed here; set GUILDHALL_SETUP_OPEN=1 to open it")
        claim = await users.find_claim(connection, setup.email)
    account_id = password_hash = None
    if claim.is_somebodys:
        credential = PasswordCredential(setup.email, setup.password, setup.code)
        account_id = (await sessions.prove(desk, credential, origin)).id
    else:
        password_hash = await users.hash_new(desk.passwords, setup.password, setup.email)
    async with desk.database.transaction() as connection:
        await lock_platform_admins(connection)
        await _require_none(connection)
        if account_id is None:
            name = users.name_in(setup.email)
            new = NewAccount(setup.email, name, password_hash)
            account_id, _ = await users.found(connection, new, name, origin)
        await store.promote(connection, account_id)
        opened = await sessions.open_session(connection, desk, account_id, origin, DAY)
        actor = Principal(
            Kind.USER, account_id, opened.org_id, Role.PLATFORM_ADMIN, account=account_id
        )
        await record(connection, AuditEvent("setup.done", origin, actor, target=account_id))
    log.info("platform administrator was set up", account_id=account_id)
    return await users.signed_in(desk, opened)


async def _require_none(connection: Connection) -> None:
    if await store.has_administrator(connection):
        raise Conflict("Setup is done: there is an administrator", code="setup_done")
