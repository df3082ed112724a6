"""Writing letters in a transaction, and sending them afterwards.

A letter is queued beside the change it tells of and sent by a task of its own, so that no
transaction waits for a mail server and no letter is lost with one. At least once: a crash between
sending and forgetting sends it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.auth.mail import rules, store
from services.auth.mail.models import NOBODY, DueLetter, Letter
from shared.db import Connection, Database
from shared.errors import Unavailable
from shared.log import get_logger

BATCH: Final = 10
POLL: Final = 10.0
"""Seconds after which due letters are looked for without a bell."""

SEND_TIMEOUT: Final = 20.0
PAUSE: Final = timedelta(seconds=60)
"""Before the second attempt, then doubling; longer than an attempt can take."""

LONGEST_PAUSE: Final = timedelta(hours=1)
GIVE_UP: Final = timedelta(hours=24)
"""When what a letter links to has expired too."""

Transmit = Callable[[EmailMessage], Awaitable[None]]

log = get_logger()


class Undeliverable(Exception):
    """The mail server refused this letter for good."""


async def enqueue(connection: Connection, letter: Letter) -> None:
    """Queue a letter: it is sent if, and only if, the caller's transaction commits.

    Ring ``MailSender`` after the commit, so that it goes at once.
    """
    await store.insert(connection, letter)


async def write(connection: Connection, template: str, recipient: str, **values: Any) -> None:
    """Queue the letter of a template (``mail/<template>.txt`` and ``.html``); see ``enqueue``.

    One to ``NOBODY`` costs the caller as much and is dropped.
    """
    await enqueue(connection, rules.written(template, recipient, **values))


class MailSender:
    """The task that sends queued letters. Open it with ``opened``.

    Args:
        database: where the queue is.
        transmit: hands one message to a mail server or a folder.
        sender: the ``From`` of every message.
        host: the name in message ids.
    """

    def __init__(self, database: Database, transmit: Transmit, sender: str, host: str) -> None:
        self._database = database
        self._transmit = transmit
        self._sender = sender
        self._host = host
        self._bell = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, database: Database, transmit: Transmit, sender: str, host: str
    ) -> AsyncIterator[MailSender]:
        """Run the task until the context is left."""
        mail = cls(database, transmit, sender, host)
        task = asyncio.create_task(mail._run(), name="mail")
        try:
            yield mail
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def ring(self) -> None:
        """Say that a letter was queued; it is found by polling too, only later."""
        self._bell.set()

    async def _run(self) -> None:
        while True:
            self._bell.clear()
            try:
                if await self.send_due():
                    continue
            except Unavailable:
                log.info("mail postponed", reason="database unavailable")
            except Exception:
                # One bad letter or statement must not end the sending of all others.
                log.exception("mail task failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._bell.wait()

    async def send_due(self) -> int:
        """Try each due letter once, a batch at most, and tell how many there were."""
        async with self._database.connection() as connection:
            due = await store.claim_due(connection, BATCH, PAUSE, LONGEST_PAUSE)
        # Each to its end: a letter that was handed over must also be forgotten.
        results = await asyncio.gather(*map(self._send, due), return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                log.error("mail failed", exc_info=result)
        return len(due)

    async def _send(self, due: DueLetter) -> None:
        try:
            message = rules.message_of(due, self._sender, self._host)
            if due.letter.recipient == NOBODY:
                # As much work as a letter to somebody, or the requests after it would tell.
                message.as_bytes()
            else:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self._transmit(message)
        except (Undeliverable, ValueError) as error:
            log.warning("mail refused", letter=due.id, reason=type(error).__name__)
        except (aiosmtplib.SMTPException, OSError) as error:
            if datetime.now(UTC) - due.created_at < GIVE_UP:
                log.warning(
                    "mail not sent yet",
                    letter=due.id,
                    attempts=due.attempts,
                    reason=type(error).__name__,
                )
                return
            log.error("mail given up", letter=due.id, attempts=due.attempts)
        async with self._database.connection() as connection:
            await store.delete(connection, due.id)


def by_smtp(url: str, host_name: str) -> Transmit:
    """Hand messages to a mail server.

    Args:
        url: ``smtp://user:password@host:port`` (STARTTLS where offered) or ``smtps://``.
        host_name: how we name ourselves to it.
    """
    parts = urlsplit(url)

    async def transmit(message: EmailMessage) -> None:
        try:
            await aiosmtplib.send(
                message,
                hostname=parts.hostname,
                port=parts.port,
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                use_tls=parts.scheme == "smtps",
                local_hostname=host_name,
                timeout=SEND_TIMEOUT,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(refusal.code >= 500 for refusal in error.recipients):
                raise Undeliverable from error
            raise
        except aiosmtplib.SMTPDataError as error:
            if error.code >= 500:
                raise Undeliverable from error
            raise

    return transmit


def into_folder(folder: Path) -> Transmit:
    """Keep messages as ``<timestamp>-<id>.eml``, readable by this user only."""

    def write(message: EmailMessage) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        letter = str(message["Message-ID"]).removeprefix("<letter-").partition("-")[0]
        final = folder / f"{moment}-{letter}.eml"
        partial = final.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_bytes(message.as_bytes(policy=message.policy.clone(linesep="\n")))
        partial.rename(final)

    async def transmit(message: EmailMessage) -> None:
        await asyncio.to_thread(write, message)

    return transmit
