from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from jinja2 import UndefinedError

from services.auth.mail import rules
from services.auth.mail.models import DueLetter, Letter
from services.auth.mail.operations import MailSender, by_smtp, enqueue, into_folder, write
from services.auth.mail.rules import message_of, written
from shared.db import Database
from tests.services.auth.conftest import Auth, Sql, new_address, read_letter, running, text_of
from tests.support.postgres import DatabaseUrls

LETTER = Letter("ada@mail.example", "Grüße", "Zoë\n\nhttps://x.example/?t=" + "y" * 90 + "\n")


class Server:
    """A real SMTP server that keeps what it gets and refuses on demand."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refusals: dict[str, str] = {}
        self.data_answer = "250 OK"
        self.credentials: list[tuple[bytes, bytes]] = []
        self.port = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self.refusals.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.letters.append(read_letter(envelope.content))
        return self.data_answer

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        self.credentials.append((data.login, data.password))
        return AuthResult(success=True)

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: SMTP(
                self,
                enable_SMTPUTF8=True,
                hostname="mail.example",
                authenticator=self.authenticate,
                auth_require_tls=False,
                loop=loop,
            ),
            "127.0.0.1",
            port,
        )
        self.port = listener.sockets[0].getsockname()[1]
        async with listener:
            yield


@pytest.fixture
async def smtp() -> AsyncIterator[Server]:
    server = Server()
    async with server.listening():
        yield server


@pytest.fixture
async def sql(database_urls: DatabaseUrls) -> AsyncIterator[Sql]:
    connection = await asyncpg.connect(database_urls.url("auth"), timeout=10)
    yield connection
    await connection.close(timeout=5)


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(database_urls.url("auth"), size=2)
    yield database
    await database.close()


def sender_of(database: Database, smtp: Server) -> MailSender:
    """A sender that a test steps by hand."""
    transmit = by_smtp(f"smtp://127.0.0.1:{smtp.port}", "guildhall.example")
    return MailSender(database, transmit, "Guildhall <a@b.example>", "guildhall.example")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_a_registration_reaches_a_mail_server(
    database_urls: DatabaseUrls, tmp_path: Path, smtp: Server
) -> None:
    url = f"smtp://mail%40user:s%3Aecret@127.0.0.1:{smtp.port}"
    async with running(
        database_urls, tmp_path, GUILDHALL_SMTP_URL=url, GUILDHALL_MAIL_FROM="Us <us@b.example>"
    ) as auth:
        address = new_address()
        await auth.register(address)

        async def is_gone() -> bool:
            return not await auth.sql.fetchval("SELECT count(*) FROM auth.letter")

        await until(is_gone)
    (letter,) = smtp.letters
    assert letter["To"] == address
    assert letter["From"] == "Us <us@b.example>"
    assert smtp.credentials == [(b"mail@user", b"s:ecret")]
    assert not (tmp_path / "mail").exists()


async def test_a_letter_of_an_undone_transaction_is_never_sent(
    database: Database, smtp: Server
) -> None:
    async def write_and_fail() -> None:
        async with database.transaction() as connection:
            await enqueue(connection, LETTER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write_and_fail()
    assert await sender_of(database, smtp).send_due() == 0
    assert not smtp.letters


async def test_a_letter_waits_while_the_server_is_away(
    database: Database, sql: Sql, smtp: Server
) -> None:
    await enqueue(sql, LETTER)
    smtp.data_answer = "451 try later"
    sender = sender_of(database, smtp)
    pauses = []
    for attempt in range(1, 4):
        assert await sender.send_due() == 1
        assert await sender.send_due() == 0
        row = await sql.fetchrow("SELECT attempts, due_at - now() AS pause FROM auth.letter")
        assert row is not None
        assert row["attempts"] == attempt
        pauses.append(row["pause"])
        await sql.execute("UPDATE auth.letter SET due_at = now()")
    assert timedelta(seconds=50) < pauses[0] < pauses[1] < pauses[2] < timedelta(minutes=5)
    smtp.data_answer = "250 OK"
    assert await sender.send_due() == 1
    assert not await sql.fetchval("SELECT count(*) FROM auth.letter")
    (letter,) = smtp.letters
    assert letter.get_content().replace("\r\n", "\n") == LETTER.body
    assert letter["Subject"] == "Grüße"


async def test_a_server_that_is_down_loses_nothing(database: Database, sql: Sql) -> None:
    smtp = Server()
    async with smtp.listening():
        sender = sender_of(database, smtp)
    await enqueue(sql, LETTER)
    assert await sender.send_due() == 1
    await sql.execute("UPDATE auth.letter SET due_at = now()")
    async with smtp.listening(smtp.port):
        assert await sender.send_due() == 1
    assert len(smtp.letters) == 1


async def test_a_refused_letter_does_not_hold_up_the_others(
    database: Database, sql: Sql, smtp: Server
) -> None:
    smtp.refusals["ada@mail.example"] = "550 no such person"
    await enqueue(sql, LETTER)
    await enqueue(sql, Letter("no address\nBcc: x@y.example", "s", "b"))
    await enqueue(sql, Letter("grace@mail.example", "s", "b"))
    assert await sender_of(database, smtp).send_due() == 3
    assert [letter["To"] for letter in smtp.letters] == ["grace@mail.example"]
    assert not await sql.fetchval("SELECT count(*) FROM auth.letter")


async def test_a_letter_is_given_up_when_its_link_is_dead(
    database: Database, sql: Sql, smtp: Server
) -> None:
    smtp.refusals["ada@mail.example"] = "450 later"
    await enqueue(sql, LETTER)
    sender = sender_of(database, smtp)
    await sender.send_due()
    assert await sql.fetchval("SELECT count(*) FROM auth.letter") == 1
    await sql.execute(
        "UPDATE auth.letter SET due_at = now(), created_at = now() - interval '25 hours'"
    )
    await sender.send_due()
    assert not await sql.fetchval("SELECT count(*) FROM auth.letter")


async def test_two_senders_send_each_letter_once(
    database: Database, sql: Sql, smtp: Server
) -> None:
    for number in range(25):
        await enqueue(sql, Letter(f"p{number}@mail.example", "s", "b"))
    senders = [sender_of(database, smtp), sender_of(database, smtp)]

    async def drain(sender: MailSender) -> None:
        while await sender.send_due():
            pass

    await asyncio.gather(*map(drain, senders))
    assert len({letter["To"] for letter in smtp.letters}) == len(smtp.letters) == 25


async def test_files_are_private_whole_and_named_by_time(tmp_path: Path) -> None:
    transmit = into_folder(tmp_path / "data" / "mail")
    due = DueLetter(7, LETTER, 1, datetime.now(UTC))
    await transmit(message_of(due, "a@b.example", "h.example"))
    (path,) = (tmp_path / "data" / "mail").iterdir()
    assert path.suffix == ".eml"
    assert path.stem.endswith("-7")
    assert path.stem[:8] == datetime.now(UTC).strftime("%Y%m%d")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert LETTER.body.encode() in path.read_bytes()  # unfolded: a link can be copied from it


async def test_mail_outlives_the_process(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    connection = await asyncpg.connect(database_urls.url("auth"), timeout=10)
    await enqueue(connection, LETTER)
    await connection.close(timeout=5)
    async with running(database_urls, tmp_path) as auth:
        assert isinstance(auth, Auth)
        (letter,) = await auth.letters("ada@mail.example")
    assert letter["Subject"] == "Grüße"


async def test_a_name_can_write_no_markup_and_no_line(auth: Auth) -> None:
    name = "<script>alert(1)</script> & \"co\" <a href='https://evil.example'>x</a>"
    person = await auth.person(name)
    await auth.register(person.email)
    letter = (await auth.letters(person.email, 2))[-1]
    html = text_of(letter, "html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;co&#34;" in html
    assert "<script" not in html
    assert "<a href='https://evil" not in html
    assert f"Hello {name},\n" in text_of(letter)


def test_text_brings_every_value_onto_one_line() -> None:
    letter = written(
        "known_address", "a@b.example", name="Ada\r\n\u2028Visit\vme\x85now", public_url="https://x"
    )
    assert letter.body.startswith("Hello Ada Visit me now,\n")
    assert letter.subject == "You already have an account"
    assert letter.html is not None


def test_a_template_misses_no_value() -> None:
    with pytest.raises(UndefinedError):
        written("verification", "a@b.example", public_url="https://x")


def test_every_template_has_both_forms_and_a_subject() -> None:
    folder = Path(rules.__file__).parent
    texts = {path.stem for path in folder.glob("*.txt")}
    pages = {path.stem for path in folder.glob("*.html")} - {"layout", "macros"}
    assert texts == pages
    for name in texts:
        assert (folder / f"{name}.txt").read_text().startswith("Subject: "), name
        assert '{% extends "layout.html" %}' in (folder / f"{name}.html").read_text(), name


async def test_a_mail_server_gets_both_forms(smtp: Server, database: Database, sql: Sql) -> None:
    await write(sql, "verification", "ada@mail.example", public_url="https://x", token="t" * 60)
    await sender_of(database, smtp).send_due()
    (letter,) = smtp.letters
    assert [part.get_content_type() for part in letter.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert f"\n{'t' * 60}\n" in text_of(letter)
    assert f'href="https://x/auth/verify-email?token={"t" * 60}"' in text_of(letter, "html")
