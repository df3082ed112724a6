"""What people write into teams never runs in a browser and loads nothing: a real one looks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.pages_support import Visitor, owned, person, text_of
from tests.services.teams.sharing_support import invited
from tests.support import chromium
from tests.support.serving import serving

pytestmark = pytest.mark.slow

RAN = "document.documentElement.setAttribute('data-ran','1')"
"""What every script here would do."""


def tricks(trap: str) -> tuple[str, ...]:
    """Markup that would run something or load something from ``trap``."""
    return (
        f"<script>{RAN}</script>",
        f"<script src={trap}/s.js></script>",
        f"<img src={trap}/i.png onerror={RAN}>",
        f"<svg onload={RAN}><image href='{trap}/v.svg'/></svg>",
        f"</style><script>{RAN}</script><style>@import url({trap}/c.css);",
        f"</textarea></title></pre><script>{RAN}</script>",
        f'"autofocus onfocus="{RAN}" x="\'>',
        f'<iframe src="javascript:parent.{RAN}"></iframe>',
        f"<a href='javascript:{RAN}'>x</a><base href='{trap}/'>",
        f"&lt;script&gt;{RAN}&lt;/script&gt;&#60;img src={trap}/e.png&#62;",
        f"<meta http-equiv=refresh content='0;url={trap}/m'>",
        f"<link rel=stylesheet href={trap}/l.css><link rel=prefetch href={trap}/p>",
        f"\u202e<b style='background:url({trap}/b)'>\u2066tpircs\u2069 \U000e0041\u200b",
        f"{{{{ 7 * 191 }}}}{{% raw %}}<video src={trap}/v.mp4 onerror={RAN}>",
    )


def knowledge(trap: str) -> str:
    """The same, and what Markdown adds."""
    return "\n\n".join(
        (
            *tricks(trap),
            f"![pixel]({trap}/md.png)",
            f"[![pixel]({trap}/md.png)](javascript:{RAN})",
            f"[one](javascript:{RAN}) [two](JaVaScRiPt&colon;{RAN}) [three](data:text/html,x)",
            "[four](vbscript:x) [five](//evil.example/x) [six](/users/log-out) [seven](https:x)",
            f'[eight](https://safe.example/ "x\\" onmouseover=\\"{RAN}")',
            f"<javascript:{RAN}> <{trap}/auto>",
            "[hidden]: javascript:x 'a definition that would not be seen'",
            f'```html" onclick="{RAN}\n<script>{RAN}</script>\n```',
            f"| <img src={trap}/t.png> | `<script>` |\n|:-:|-:|\n| {tricks(trap)[0]} | y |",
            f"# <script>{RAN}</script>",
            f"<!-- {tricks(trap)[0]} -->",
            "&#x202E;reversed &#8238;again",
        )
    )


@dataclass
class Front:
    """What stands between browser and service, as the gateway would.

    Attributes:
        url: where the browser goes.
        visitor: whose cookie it has.
        trap: another origin, which nothing may ask.
        asked: what was asked of the trap.
        paths: what was asked here.
        origins: of forms that were sent here.
        change: what happens to a page on its way.
    """

    url: str = ""
    trap: str = ""
    visitor: Visitor | None = None
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    origins: list[str | None] = field(default_factory=list)
    change: Callable[[httpx.Response], Response] | None = None

    async def answer(self, request: Request) -> Response:
        self.paths.append(request.url.path)
        if request.method == "POST":
            self.origins.append(request.headers.get("origin"))
            return Response("taken", media_type="text/plain")
        assert self.visitor is not None
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        found = await self.visitor.get(path)
        return as_it_is(found) if self.change is None else self.change(found)

    async def catch(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return Response(RAN, media_type="text/javascript")


def as_it_is(found: httpx.Response) -> Response:
    headers = {name: value for name, value in found.headers.items() if name != "content-length"}
    return Response(found.content, found.status_code, headers)


@asynccontextmanager
async def front(visitor: Visitor) -> AsyncIterator[Front]:
    if chromium.program() is None:
        pytest.skip("Chromium is not installed: make test installs it where it may")
    made = Front(visitor=visitor)
    trap = Starlette(routes=[Route("/{path:path}", made.catch)])
    here = Starlette(routes=[Route("/{path:path}", made.answer, methods=["GET", "POST"])])
    async with serving(trap) as trap_url, serving(here) as url:
        made.url, made.trap = url, trap_url
        yield made


def hostile(trap: str) -> dict[str, Any]:
    """A team with markup wherever its contract lets text stand."""
    texts = tricks(trap)
    return {
        "name": "Hostile",
        "members": [
            {
                "name": f"{number} {text}".encode()[:64].decode(errors="ignore"),
                "role": text,
                "description": text,
                "soul": text,
                "skills": [text],
            }
            for number, text in enumerate(texts)
        ],
        "skills": [
            {
                "id": f"skill-{number}",
                "title": text,
                "description": text,
                "body": text,
                "globs": [text],
                "argumentHint": text,
            }
            for number, text in enumerate(texts)
        ],
        "knowledge": knowledge(trap),
    }


def tags(dom: str) -> list[str]:
    """The tags of a page, attributes too."""
    return re.findall(r"<[a-z][^>]*>", dom)


def has_run(page: chromium.Loaded) -> bool:
    return any(tag.startswith("<html") and "data-ran" in tag for tag in tags(page.dom))


def stands(text: str) -> str:
    """What a page says where this text is written."""
    for letter in "\u202e\u2066\u2069\U000e0041\u200b":
        text = text.replace(letter, f"⟨U+{ord(letter):04X}⟩")
    return text


async def test_nothing_that_a_team_says_runs_or_is_loaded(
    machine: Machine, auth: FakeAuth, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    account, browser = person(client, auth)
    async with front(browser) as home:
        texts = tricks(home.trap)
        made = await owned(machine, auth, account, **hostile(home.trap))
        base = f"/teams/{made['id']}"
        await browser.send(f"{base}/sharing", visibility="public", show_souls="1", edit="members")
        clone = (await browser.show(f"{base}/settings")).split("/t/")[1][:31]
        links = (await browser.show(base)).split('href="')[1:]
        member = next(link.split('"')[0] for link in links if link.startswith(f"{base}/members/"))
        paths = (
            base,
            f"{base}/settings",
            f"{base}/skills/skill-5",
            member,
            f"/t/{clone}",
            f"/invite/{await invited(machine)}",
        )
        pages = await asyncio.gather(
            *(
                chromium.loaded(home.url + path, tmp_path / str(number))
                for number, path in enumerate(paths)
            )
        )
        seen = dict(zip(paths, pages, strict=True))
    assert home.asked == []
    assert set(home.paths) == set(paths), "no address but those of the pages"
    for path, page in seen.items():
        assert page.said == [], path
        assert not has_run(page), path
        for word in ("<script", "<img", "<svg", "<iframe", "<base", "<link", "<video", "<b "):
            assert word not in page.dom, (path, word)
    for path in (base, f"/t/{clone}"):
        said = text_of(seen[path].dom)
        for text in texts:
            assert stands(text) in said, (path, text)
        assert "1337" not in said, "nothing is a template"
    assert stands(texts[5]) in text_of(seen[f"{base}/skills/skill-5"].dom)


async def test_knowledge_links_to_sites_alone_and_hides_nothing(
    machine: Machine, auth: FakeAuth, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    account, browser = person(client, auth)
    async with front(browser) as home:
        made = await owned(machine, auth, account, knowledge=knowledge(home.trap))
        page = await chromium.loaded(f"{home.url}/teams/{made['id']}", tmp_path)
    prose = page.dom.partition('<div class="prose">')[2].partition("<h2>Versions</h2>")[0]
    links = [part.partition(">")[0] for part in prose.split("<a ")[1:]]
    rel = 'rel="noopener noreferrer nofollow"'
    allowed = {f'href="{home.trap}{path}" {rel}' for path in ("/md.png", "/auto")}
    assert set(links) == allowed | {f'href="https://safe.example/" {rel}'}
    attributes = {part.partition("=")[0] for tag in tags(prose) for part in tag.split(" ")[1:]}
    assert attributes <= {"href", "rel", "noopener", "noreferrer", 'nofollow">'}
    said = text_of(prose)
    for shown in ("a definition that would not be seen", "<!--", "&#x202E;reversed", "[four]("):
        assert shown in said


async def test_the_policy_stops_what_would_get_through(
    machine: Machine, auth: FakeAuth, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    account, browser = person(client, auth)
    made = await owned(machine, auth, account)
    path = f"/teams/{made['id']}"
    async with front(browser) as home:
        markup = "".join(tricks(home.trap)).replace("<meta http-equiv", "<meta name")

        def pierced(found: httpx.Response) -> Response:
            assert "</h1>" in found.text
            page = as_it_is(found)
            headers = {name: value for name, value in page.headers.items() if "length" not in name}
            return Response(found.text.replace("</h1>", f"</h1>{markup}"), 200, headers)

        def unguarded(found: httpx.Response) -> Response:
            page = pierced(found)
            del page.headers["content-security-policy"]
            return page

        home.change = pierced
        kept = await chromium.loaded(home.url + path, tmp_path / "kept")
        asked = list(home.asked)
        home.change = unguarded
        lost = await chromium.loaded(home.url + path, tmp_path / "lost")
    assert asked == []
    assert not has_run(kept)
    assert any("Content Security Policy" in line for line in kept.said)
    assert has_run(lost), "without it these tests would see it"
    assert "/s.js" in home.asked


async def test_a_browser_says_where_our_forms_come_from(
    auth: FakeAuth, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """``no-referrer`` would make the Origin of a form ``null``, and the form be refused."""
    _, browser = person(client, auth)
    script = (
        "<script>for (const one of document.querySelectorAll('input')) one.value = 'x';"
        "document.forms[0].submit()</script></body>"
    )

    def pressed(found: httpx.Response) -> Response:
        page = as_it_is(found)
        headers = {name: value for name, value in page.headers.items() if "length" not in name}
        del headers["content-security-policy"]
        return Response(found.text.replace("</body>", script), 200, headers)

    async with front(browser) as home:
        home.change = pressed
        async with chromium.opened(f"{home.url}/new", tmp_path), asyncio.timeout(60):
            while not home.origins:
                await asyncio.sleep(0.02)
    assert home.origins[0] == home.url
