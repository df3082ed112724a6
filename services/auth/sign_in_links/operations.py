"""Use cases of sign-in links: asked for by address, used once (teams contract, section 8)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from services.auth.accounts.operations import email_key
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record_alone
from services.auth.mail.models import NOBODY
from services.auth.mail.operations import MailSender, write
from services.auth.sign_in_links import store
from shared.db import Database
from shared.errors import BadRequest
from shared.secret import encode_base64url

LIFE: Final = timedelta(minutes=15)
PAUSE: Final = timedelta(minutes=1)
"""Between two letters to a person, so that nobody's mailbox is filled."""

WRONG_LINK: Final = "Invalid or expired link"


async def request(database: Database, mail: MailSender, public_url: str, email: str) -> None:
    """Write to the owner of an address; for any other address do the same work and write nobody."""
    token = encode_base64url(secrets.token_bytes(32))
    async with database.transaction() as connection:
        recipient = await store.replace(connection, email_key(email), _digest(token), LIFE, PAUSE)
        await write(
            connection, "magic_link", recipient or NOBODY, public_url=public_url, token=token
        )
    mail.ring()


async def redeem(database: Database, token: str, origin: Origin) -> str:
    """Use a link up and give the account whose it is; a second factor is still to be asked for.

    Raises:
        BadRequest: unknown, used, replaced or expired.
    """
    async with database.transaction() as connection:
        account_id = await store.take(connection, _digest(token))
    if account_id is None:
        await record_alone(database, AuditEvent("sign_in_link.used", origin, refused=True))
        raise BadRequest(WRONG_LINK)
    await record_alone(database, AuditEvent("sign_in_link.used", origin, target=account_id))
    return account_id


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
