"""Nobody makes our letters and answers lead elsewhere by what they call us in a request."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.services.auth.attack_support import Tourist, tour
from tests.services.auth.conftest import PUBLIC_URL, Auth, read_letter, text_of
from tests.services.auth.external_support import World, trusting_world, verified
from tests.support.postgres import DatabaseServer

EVIL = "evil.example"
WEB_URL = "https://web.example"
TEMPLATES = Path("services/auth/mail")
_LINK = re.compile(r"https?://[^\s\"'<>)]+")

LIES = {
    "host": EVIL,
    "x-forwarded-host": EVIL,
    "x-forwarded-proto": "http",
    "x-forwarded-server": EVIL,
    "x-forwarded-port": "8443",
    "x-forwarded-prefix": f"//{EVIL}",
    "x-original-host": EVIL,
    "x-host": EVIL,
    "x-http-host-override": EVIL,
    "x-original-url": f"https://{EVIL}/",
    "x-rewrite-url": f"https://{EVIL}/",
    "forwarded": f"for=192.0.2.1;host={EVIL};proto=http",
    "via": f"1.1 {EVIL}",
    "origin": f"https://{EVIL}",
    "referer": f"https://{EVIL}/users/log-in",
}
"""Whichever of them is believed shows itself."""


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("data")
    more = {"GUILDHALL_WEB_URL": WEB_URL}
    async with trusting_world(database_server, folder, **more) as made:
        yield made


def letters_in(auth: Auth) -> dict[Path, str]:
    """Give the whole of every letter: headers and both texts, decoded."""
    found = {}
    for path in sorted(auth._mail.glob("*.eml")):
        letter = read_letter(path.read_bytes())
        headers = "\n".join(f"{name}: {value}" for name, value in letter.items())
        found[path] = "\n".join([headers, text_of(letter), text_of(letter, "html")])
    return found


def subjects() -> dict[str, re.Pattern[str]]:
    """Give what the subject of each template looks like."""
    found = {}
    for path in TEMPLATES.glob("*.txt"):
        first = path.read_text().partition("\n")[0].removeprefix("Subject: ")
        parts = re.split(r"{[{%].*?[%}]}", first)
        found[path.stem] = re.compile(
            "^Subject: " + ".*".join(map(re.escape, parts)) + "$", re.MULTILINE
        )
    return found


@pytest.mark.parametrize("base", ["", f"http://guildhall.example@{EVIL}:8443"])
async def test_what_a_request_calls_us_comes_back_nowhere(world: World, base: str) -> None:
    auth = world.auth
    root = await auth.make_platform_admin(await auth.person("Root"))
    before = letters_in(auth).keys()
    # In the absolute form (RFC 9112, section 3.2.2) the address itself names the host.
    tourist = Tourist(auth, {} if base else LIES, base)
    await tour(tourist, root)
    await link_identity(world, tourist)
    for asked, answer in tourist.answers:
        shown = answer.text + "".join(f"\n{k}: {v}" for k, v in answer.headers.multi_items())
        assert EVIL not in shown, asked
    written = [text for path, text in letters_in(auth).items() if path not in before]
    for text in written:
        assert EVIL not in text, text
        for link in _LINK.findall(text):
            assert _origin_of(link.rstrip(".,;:")) in (PUBLIC_URL, WEB_URL), link
        if "/accept-invite?" in text:
            assert f"{WEB_URL}/accept-invite?token=" in text
    for name, pattern in subjects().items():
        assert any(pattern.search(text) for text in written), f"the tour wrote no {name}"


def _origin_of(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.scheme}://{parts.netloc}"


async def link_identity(world: World, tourist: Tourist) -> None:
    """Let an issuer bring somebody whom we know."""
    person = await world.auth.person()
    browser = world.browser()
    browser.auth = tourist
    answer = await browser.sign_in(world.fake, "known", **verified(person.email))
    assert answer.status_code == 303, answer.text
    await world.auth.letters(person.email, 2)
