"""Crawls of the shop and of sites that set traps, in one browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import BrowserSettings
from services.runs.engine.crawling import addresses, robots
from services.runs.engine.crawling.crawler import look_around
from services.runs.engine.crawling.models import CrawlOrder
from services.runs.engine.errands.models import Failed
from services.runs.engine.generating.models import SeenPage, SiteMap
from tests.services.runs.engine.browser_support import (
    Pages,
    Trap,
    moved,
    only,
    page,
    pages_served,
    trap,
)
from tests.support.shop import serving
from tests.support.shop.state import EMAIL, PASSWORD


class Alone:
    """Nobody at the other side."""

    def check(self) -> None:
        return

    async def cancelled(self) -> None:
        await asyncio.Event().wait()

    async def wish(self) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def tell(self, content: Mapping[str, Any], slot: str = "") -> None:
        raise AssertionError("nothing is told")


class Site:
    """What the tests of this module share: pages, a port that is closed, and one browser."""

    def __init__(self, pages: Pages, closed: Trap, scratch: Path) -> None:
        self.pages = pages
        self.closed = closed
        policy = only(f"127.0.0.1:{pages.port}")
        self.settings = BrowserSettings(targets=policy, scratch=scratch)
        self.browsers: Browsers

    async def crawl(self, url: str, **order: Any) -> SiteMap:
        stage = await self.browsers.stage(width=1280, height=900, tested_origin=url)
        try:
            wanted = CrawlOrder(url=url, **{"seconds": 40, **order})
            return await look_around(stage, wanted, self.settings, Alone(), 60)
        finally:
            await stage.close()

    async def fails(self, url: str, **order: Any) -> Failed:
        with pytest.raises(Failed) as failed:
            await self.crawl(url, **order)
        return failed.value


@pytest.fixture(scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with pages_served() as pages, trap() as closed:
        site = Site(pages, closed, tmp_path_factory.mktemp("crawl"))
        async with Browsers.opened(site.settings) as browsers:
            site.browsers = browsers
            yield site


@pytest.fixture
def site(opened: Site) -> Site:
    opened.pages.content.clear()
    opened.pages.asked.clear()
    return opened


def by_path(found: SiteMap) -> dict[str, SeenPage]:
    return {each.path: each for each in found.pages}


TRAPS = """
<title>Traps</title><h1>Traps</h1><h2>Below</h2>
<a href="/one#top">One</a> <a href="/orders/1">a</a> <a href="/orders/2">b</a>
<a href="/orders/3">c</a> <a href="/orders/4">d</a> <a href="/logout">Bye</a>
<a href="/session/signOut">x</a> <a href="/items/7?do=delete">x</a> <a href="/gone">Cancel</a>
<a href="/private/secret">Private</a> <a href="/manual.pdf">Manual</a> <a href="/loop">Loop</a>
<a href="/metadata">m</a> <a href="/closed">c</a> <a href="/download">d</a> <a href="/spin">s</a>
<a href="javascript:alert(1)">j</a> <a href="mailto:a@b.example">m</a>
<a href="http://localhost:1/else">Elsewhere</a> <a href="/popup">p</a> <a href="#/route">Route</a>
<form aria-label="Delete account" method="post" action="/delete"><input name="why" aria-label="Why">
<button>Delete my account</button></form>
<iframe src="/inner"></iframe>
<section><h2>Newsletter</h2><label>Mail <input type="email" required maxlength="40"></label>
<button type="button">Subscribe</button></section>
<script>addEventListener('hashchange', route); route();
function route() { if (location.hash === '#/route') document.body.innerHTML = '<h1>Routed</h1>'; }
</script>
"""


async def test_traps_are_seen_and_not_stepped_into(site: Site) -> None:
    content, closed = site.pages.content, site.closed
    content["/start"] = TRAPS
    content["/robots.txt"] = page(
        "User-agent: *\nDisallow: /private\nUser-agent: other\nDisallow: /"
    ).replace(b"text/html", b"text/plain")
    content["/one"] = "<h1>One</h1><a href='/endless/a'>Next</a>"
    content["/orders/1"] = content["/orders/2"] = content["/orders/3"] = "<h1>Order</h1>"
    content["/inner"] = "<form aria-label='Inner'><input name=q aria-label=Q><button>Go</button>"
    content["/loop"] = moved("/loop")
    content["/metadata"] = moved("http://169.254.169.254/latest/meta-data")
    content["/closed"] = moved(f"http://127.0.0.1:{closed.port}/")
    content["/download"] = page("bytes", fields="Content-Disposition: attachment\r\n")
    content["/spin"] = "<h1>Spin</h1><script>setTimeout(() => { alert(1); confirm('x'); })</script>"
    content["/popup"] = "<h1>Popup</h1><script>window.open('/one'); window.open('/two')</script>"
    found = await site.crawl(f"{site.pages.url}/start", depth=1)
    pages = by_path(found)
    assert {"/start", "/one", "/orders/1", "/orders/2", "/spin", "/popup", "/start#/route"} == set(
        pages
    )
    assert pages["/start#/route"].headings == ("Routed",)
    asked = {each.path for each in site.pages.asked}
    for never in ("/logout", "/session/signOut", "/items/7?do=delete", "/gone", "/private/secret"):
        assert never not in asked, never
    assert "/manual.pdf" not in asked
    assert "/orders/3" not in asked
    assert {each.method for each in site.pages.asked} == {"GET"}
    assert closed.touched == 0
    assert found.truncated
    start = pages["/start"]
    assert start.headings[:2] == ("Traps", "Below")
    assert {link.url.removeprefix(site.pages.url) for link in start.links if link.danger} == {
        "/logout",
        "/session/signOut",
        "/items/7?do=delete",
        "/gone",
    }
    forms = {form.submit: form for form in start.forms}
    assert forms["Delete my account"].danger
    assert forms["Go"].fields[0].label == "Q"
    mail = forms["Subscribe"].fields[0]
    assert (mail.type, mail.required, mail.maxlength) == ("email", True, 40)


async def test_a_site_without_end_is_left_when_the_budget_is_used_up(site: Site) -> None:
    for letter, following in zip("abcdefgh", "bcdefghi", strict=True):
        site.pages.content[f"/{letter}"] = f"<h1>{letter}</h1><a href='/{following}'>Next</a>"
    found = await site.crawl(f"{site.pages.url}/a", pages=3, depth=9)
    assert [each.path for each in found.pages] == ["/a", "/b", "/c"]
    assert found.truncated
    shallow = await site.crawl(f"{site.pages.url}/a", depth=1)
    assert [each.path for each in shallow.pages] == ["/a", "/b"]


async def test_what_cannot_be_crawled_says_why(site: Site) -> None:
    content, url = site.pages.content, site.pages.url
    content["/picture"] = page("{}").replace(b"text/html; charset=utf-8", b"application/json")
    content["/away"] = moved("http://169.254.169.254/")
    content["/broken"] = page("no", "500 Internal Server Error")
    refused = await site.fails(f"http://127.0.0.1:{site.closed.port}/")
    assert refused.code == "url_not_allowed"
    assert "GUILDHALL_URL_ALLOW" in refused.reason
    assert (await site.fails(f"{url}/away")).code == "url_not_allowed"
    assert (await site.fails("http://169.254.169.254/")).code == "url_not_allowed"
    assert (await site.fails(f"{url}/picture")).code == "not_html"
    assert "500" in (await site.fails(f"{url}/broken")).reason
    assert "http" in (await site.fails("file:///etc/passwd")).reason
    content["/robots.txt"] = page("User-agent: guildhall\nDisallow: /").replace(
        b"text/html", b"text/plain"
    )
    content["/"] = "<h1>Home</h1>"
    assert (await site.fails(f"{url}/")).code == "robots"
    assert site.closed.touched == 0


async def test_the_shop_is_seen_with_its_forms_and_behind_its_login(site: Site) -> None:
    async with serving() as shop:
        port = shop.url.rpartition(":")[2]
        policy = only(f"127.0.0.1:{site.pages.port}", f"127.0.0.1:{port}")
        own = Site(site.pages, site.closed, site.settings.scratch)
        own.settings = BrowserSettings(targets=policy, scratch=site.settings.scratch)
        async with Browsers.opened(own.settings) as own.browsers:
            auth = {"username": EMAIL, "password": PASSWORD}
            found = await own.crawl(shop.url, auth=auth, pages=9)
            wrong = await own.fails(
                f"{shop.url}/about", auth={**auth, "password": "Wrong-987", "login_path": "/login"}
            )
    pages = by_path(found)
    assert pages["/settings"].behind_login
    forms = [form for each in found.pages for form in each.forms]
    assert {"login", "search"} <= {form.kind for form in forms}
    login = next(form for form in pages["/login"].forms if form.kind == "login")
    assert [(field.label, field.secret) for field in login.fields] == [
        ("Email", False),
        ("Password", True),
    ]
    assert login.submit == "Log in"
    assert PASSWORD not in found.model_dump_json()
    assert wrong.code == "login_failed"
    assert "Wrong-987" not in wrong.reason


def test_robots_of_ours_win_and_the_longest_rule_counts() -> None:
    text = (
        "\ufeffUser-agent: *\nDisallow: /\n\nUser-Agent: Guildhall # us\nUser-agent: b\n"
        "Disallow: /a\nAllow: /a/b\nDisallow: /*.php$\nDisallow:\nnonsense\n"
    )
    ours = robots.read(text, "guildhall")
    allowed = {
        path: ours.allows(path) for path in ("/", "/a", "/a/b/c", "/x.php", "/x.php?q", "/%61")
    }
    assert allowed == {
        "/": True,
        "/a": False,
        "/a/b/c": True,
        "/x.php": False,
        "/x.php?q": True,
        "/%61": False,
    }
    assert not robots.read(text, "else").allows("/x")
    assert robots.read("", "guildhall").allows("/")


def test_addresses_are_told_apart() -> None:
    alike = addresses.template_of
    assert alike("http://a/orders/1") == alike("http://a/orders/2")
    assert alike("http://a/p?a=1") == alike("http://a/p?a=2") != alike("http://a/p")
    assert alike("http://a/about") != alike("http://a/contact")
    assert addresses.page_of("HTTP://u:p@A.example:80/x?q#top") == "http://a.example/x?q"
    assert addresses.page_of("#/x", "http://a/y") == "http://a/y#/x"
    assert addresses.page_of("javascript:x", "http://a/") == ""
    assert addresses.origin_of("http://[::1]:99999/") == ""
    for name, url in (
        ("Log out", "/x"),
        ("", "/users/sign_out"),
        ("", "/deleteItem?id=1"),
        ("Pay now", "/x"),
        ("", "/cart?action=empty"),
    ):
        assert addresses.is_risky(name, f"http://a{url}"), (name, url)
    assert not addresses.is_risky("Payload reference", "http://a/docs/deleted-scenes")
