"""Crawling: from one page of a site to those that it links to, reading and changing nothing."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from playwright.async_api import Error
from pydantic import ValidationError

from services.runs.engine.actions import log_in
from services.runs.engine.actions.models import Impossible, Scene
from services.runs.engine.browser import engine
from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import (
    BrowserSettings,
    Gone,
    NotReached,
    PageStuck,
    UrlNotAllowed,
)
from services.runs.engine.browser.stage import Stage
from services.runs.engine.crawling import addresses, robots
from services.runs.engine.crawling.models import AGENT, Auth, CrawlOrder
from services.runs.engine.crawling.survey import survey
from services.runs.engine.errands.models import URL_NOT_ALLOWED, Exchange, Failed
from services.runs.engine.generating.models import SeenPage, SiteMap
from services.runs.engine.grammar import Variables
from services.runs.engine.grammar.models import Login
from shared.log import get_logger

WIDTH: Final = 1280
HEIGHT: Final = 900

OPENING: Final = 15.0
"""Seconds for one page to come."""

SETTLING: Final = 3.0
"""Seconds in which a page's scripts may build it."""

QUICK: Final = 3.0
LOGGING_IN: Final = 40.0

MARGIN: Final = 8.0
"""Seconds of an errand's time that are left for its end."""

MOST_WAITING: Final = 1000
"""Links that wait to be followed."""

PAGES_OF_TEXT: Final = ("text/html", "application/xhtml+xml")
ROBOTS_LONGEST: Final = 512 * 1024

_LOST: Final = (PageStuck, Gone, NotReached, Error)

log = get_logger()


async def crawl(
    order: Mapping[str, Any], settings: BrowserSettings, exchange: Exchange, seconds: float
) -> Mapping[str, Any]:
    """Look at a site; give a ``SiteMap``.

    Args:
        order: a ``CrawlOrder``.
        settings: the browser's.
        exchange: who may end it.
        seconds: for all of it.

    Raises:
        Failed: nothing was seen.
        BrowserGone: the browser died.
    """
    try:
        wanted = CrawlOrder.model_validate(order)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise Failed(f"The crawl cannot be made of this: {fields}") from None
    async with Browsers.opened(settings) as browsers:
        stage = await browsers.stage(
            width=WIDTH, height=HEIGHT, tested_origin=addresses.origin_of(wanted.url)
        )
        try:
            found = await look_around(stage, wanted, settings, exchange, seconds - MARGIN)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(QUICK):
                    await stage.close()
    return found.model_dump(mode="json")


async def look_around(
    stage: Stage,
    order: CrawlOrder,
    settings: BrowserSettings,
    exchange: Exchange,
    seconds: float,
) -> SiteMap:
    """Look at a site in a stage; see ``crawl``."""
    crawler = Crawler(stage, order, settings, exchange, seconds)
    return await crawler.run()


class Crawler:
    """One crawl.

    Args:
        stage: fresh.
        order: what is to be looked at.
        settings: the browser's.
        exchange: who may end it.
        seconds: for all of it.
    """

    def __init__(
        self,
        stage: Stage,
        order: CrawlOrder,
        settings: BrowserSettings,
        exchange: Exchange,
        seconds: float,
    ) -> None:
        self._stage = stage
        self._order = order
        self._settings = settings
        self._exchange = exchange
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + max(1.0, min(order.seconds, seconds))
        self._start = addresses.page_of(order.url)
        self._origin = addresses.origin_of(order.url)
        self._rules = robots.Robots()
        self._pages: dict[str, SeenPage] = {}
        self._waiting: deque[tuple[str, int]] = deque()
        self._known: set[str] = set()
        self._alike: Counter[str] = Counter()
        self._siblings: Counter[str] = Counter()
        self._is_truncated = False
        self._is_logged_in = False

    async def run(self) -> SiteMap:
        """Look at pages, nearest first, until there are no more or the budget is used up.

        Raises:
            Failed: the first page shows nothing, or the account was not taken.
        """
        if not self._start:
            raise Failed("This is no http or https address.")
        await self._read_rules()
        if not self._may(self._start):
            raise Failed("The site's robots.txt asks crawlers not to open this page.", "robots")
        first = await self._first()
        if self._order.auth is not None:
            await self._log_in(self._order.auth)
            self._known.discard(self._start)
            first = await self._first()
        elif first is None:
            raise Failed("The page could not be read.")
        while self._waiting and self._has_room():
            page, depth = self._waiting.popleft()
            if self._is_one_too_many(page):
                self._is_truncated = True
                continue
            await self._visit(page, depth)
        self._is_truncated = self._is_truncated or bool(self._waiting)
        if not self._pages:
            raise Failed("No page of the site could be read.")
        return SiteMap(
            base_url=self._origin, pages=tuple(self._pages.values()), truncated=self._is_truncated
        )

    def _has_room(self) -> bool:
        self._exchange.check()
        now = asyncio.get_running_loop().time()
        return len(self._pages) < self._order.pages and now < self._deadline

    def _remaining(self, most: float) -> float:
        return max(0.5, min(most, self._deadline - asyncio.get_running_loop().time()))

    def _may(self, page: str) -> bool:
        return self._rules.allows(addresses.path_of(page).partition("#")[0])

    def _is_one_too_many(self, page: str) -> bool:
        """Count a page among those like it; of many like each other a few are read."""
        template, parent = addresses.template_of(page), addresses.parent_of(page)
        self._alike[template] += 1
        self._siblings[parent] += 1
        is_deep = parent.strip("/#") != ""
        return self._alike[template] > addresses.MOST_ALIKE or (
            is_deep and self._siblings[parent] > addresses.MOST_SIBLINGS
        )

    # The site's rules.

    async def _read_rules(self) -> None:
        """Read robots.txt; where the server fails at that, nothing may be crawled (RFC 9309)."""
        try:
            status = await self._open(f"{self._origin}/robots.txt")
            page = self._stage.page
            async with asyncio.timeout(QUICK):
                told = await engine.ask(page.main_frame, "told", QUICK, refs=[])
                # A page of text has no scripts that could speak for it.
                if status == 200 and told["type"] == "text/plain":
                    text = await page.evaluate("document.documentElement.innerText")
                    self._rules = robots.read(str(text)[:ROBOTS_LONGEST], AGENT)
        except UrlNotAllowed as refused:
            raise Failed(str(refused), URL_NOT_ALLOWED) from None
        except (*_LOST, TimeoutError, ValueError):
            return  # whether the site answers at all, its first page shows
        if status >= 500:
            raise Failed(
                f"The site's robots.txt cannot be read (status {status}), so it is not crawled.",
                "robots",
            )

    # Pages.

    async def _open(self, url: str) -> int:
        """Open an address, wait for its scripts, and give the status of its document."""
        self._exchange.check()
        mark = await self._stage.mark()
        await self._stage.goto(url, seconds=self._remaining(OPENING))
        await self._stage.settle(mark, seconds=self._remaining(SETTLING))
        await self._tidy()
        documents = [
            each
            for each in self._stage.requests(mark)
            if each.kind == "document" and each.status is not None
        ]
        here = addresses.page_of(self._stage.page.url).partition("#")[0]
        same = [each for each in documents if addresses.page_of(each.url).partition("#")[0] == here]
        last = next(iter(reversed(same or documents)), None)
        return 200 if last is None or last.status is None else last.status

    async def _first(self) -> SeenPage | None:
        """Open the page where the crawl begins, and read it; None where that needs the account."""
        has_account = self._order.auth is not None and not self._is_logged_in
        try:
            status = await self._open(self._start)
        except UrlNotAllowed as refused:
            raise Failed(str(refused), URL_NOT_ALLOWED) from None
        except NotReached as error:
            raise Failed(f"The site cannot be reached: {error}", "unreachable") from None
        except (PageStuck, Gone):
            raise Failed("The page did not come in time.", "unreachable") from None
        except Error:
            raise Failed("The address gives a file and no page.", "not_html") from None
        self._adopt()
        if status >= 400 and not has_account:
            raise Failed(f"The site answers with status {status}.", "unreachable")
        if not await self._is_page():
            raise Failed("The address gives no HTML page.", "not_html")
        try:
            return await self._read(status, 0)
        except _LOST as error:
            if has_account:
                return None
            raise Failed("The page could not be read.") from error

    def _adopt(self) -> None:
        """Follow the first page to another address of the same site, and to no other site."""
        here = addresses.origin_of(self._stage.page.url)
        if here == self._origin:
            return
        if _host(here) != _host(self._origin) or not here:
            where = here or "nowhere"
            raise Failed(f"The address leads away, to {where}.", "leads_away")
        self._origin = here

    async def _is_page(self) -> bool:
        try:
            frame = self._stage.page.main_frame
            told = await engine.ask(frame, "told", QUICK, refs=[])
        except (*_LOST, ValueError):
            return True  # what it is, its reading shows
        return told.get("type") in PAGES_OF_TEXT

    async def _visit(self, page: str, depth: int) -> None:
        """Open and read one page; what cannot be read is left out."""
        try:
            status = await self._open(page)
            if addresses.origin_of(self._stage.page.url) != self._origin:
                return
            if status < 400 and await self._is_page():
                await self._read(status, depth)
        except UrlNotAllowed:
            log.info("page refused")
        except _LOST as error:
            log.info("page left out", error=type(error).__name__)
            with suppress(*_LOST):
                await self._stage.renew()

    async def _tidy(self) -> None:
        """Close what pages have opened beside."""
        with suppress(*_LOST):
            for other in self._stage.pages[1:]:
                await self._stage.close_tab(other)

    async def _read(self, status: int, depth: int) -> SeenPage:
        seen = await survey(self._stage, status)
        here = addresses.page_of(self._stage.page.url)
        self._known.add(here)
        seen = seen.model_copy(update={"behind_login": self._is_logged_in})
        key = addresses.path_of(here)
        before = self._pages.get(key)
        if before is not None and not before.behind_login:
            # Seen without the account before: what the account adds to it counts as found there.
            seen = seen.model_copy(update={"behind_login": before.title != seen.title})
        if addresses.is_risky("", here) or not self._may(here):
            return seen
        self._pages[key] = seen
        self._follow(seen, depth + 1)
        return seen

    def _follow(self, seen: SeenPage, depth: int) -> None:
        for link in seen.links:
            page = link.url
            if page in self._known or link.danger or addresses.is_file(page):
                continue
            if depth > self._order.depth or len(self._waiting) >= MOST_WAITING:
                self._is_truncated = True
                continue
            self._known.add(page)
            if self._may(page):
                self._waiting.append((page, depth))

    # The account.

    async def _log_in(self, auth: Auth) -> None:
        """Log the account in; the page where that happens is read before.

        Raises:
            Failed: it was not taken.
        """
        if auth.login_path is not None:
            await self._visit(addresses.page_of(auth.login_path, f"{self._origin}/"), 0)
        variables = {"username": auth.username, "password": auth.password}
        path = None
        if auth.login_path is not None:
            variables["login_path"] = auth.login_path
            path = "${login_path}"
        scene = Scene(
            variables=Variables({}, variables, {}, {}),
            base_url=self._origin,
            origins=frozenset({self._origin}),
            scratch=self._settings.scratch,
            policy=self._settings.targets,
            check=self._exchange.check,
        )
        login = Login("${username}", "${password}", path)
        try:
            async with asyncio.timeout(self._remaining(LOGGING_IN)):
                await log_in(self._stage, login, scene)
        except UrlNotAllowed as refused:
            raise Failed(str(refused), URL_NOT_ALLOWED) from None
        except Impossible as error:
            said = error.message.replace(auth.password, "••••") if auth.password else error.message
            raise Failed(f"The account was not logged in: {said}", "login_failed") from None
        except TimeoutError:
            raise Failed("The account was not logged in in time.", "login_failed") from None
        except _LOST:
            raise Failed(
                "The account was not logged in: the page went away.", "login_failed"
            ) from None
        self._is_logged_in = True
        # What was found without the account is looked at with it, from the first page on.
        self._known = {page for page in self._known if addresses.path_of(page) in self._pages}


def _host(origin: str) -> str:
    """Give what sites are told apart by: the host, whatever its scheme, with or without www."""
    name = origin.partition("://")[2]
    host = name if name.startswith("[") else name.partition(":")[0]
    port = name.rpartition(":")[2] if ":" in name.rpartition("]")[2] else ""
    return f"{host.removeprefix('www.')}:{port}"
