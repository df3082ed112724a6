"""Cases of a site, out of what a crawl saw of it.

What is claimed holds for any healthy application that shows what was seen: a form that was not
taken is still there, one that was taken has sent its request and shows no error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from services.runs.engine.generating.forms import PASSWORD, FormCases, edges
from services.runs.engine.generating.models import (
    Account,
    Case,
    NothingUsable,
    SeenForm,
    SeenPage,
    SiteMap,
)
from services.runs.engine.generating.words import (
    claim,
    clean,
    is_dangerous,
    is_openable,
    is_plain,
    path_of,
    quoted,
    slug,
)

ACCOUNT: Final = "Account"
"""The area of log-in and sign-up."""

MOST_PAGES: Final = 60
MOST_LINKS: Final = 60


def cases_of_site(
    site: SiteMap, *, exhaustive: bool = True, account: Account | None = None
) -> list[Case]:
    """Make the cases of a site: pages, links, forms.

    Args:
        site: what was seen; only pages that answered well count.
        exhaustive: with what must be refused, and with edges.
        account: to log in with; pages behind the log-in are left out without one.

    Raises:
        NothingUsable: nothing that was seen can be claimed.
    """
    seen = [
        page
        for page in site.pages
        if page.status < 400 and is_openable(page.path) and (account or not _needs_log_in(page))
    ][:MOST_PAGES]
    if not seen:
        raise NothingUsable("no page of the site could be opened")
    made = _Site(seen, exhaustive, account)
    cases = _distinct(made.cases())
    if not cases:
        raise NothingUsable("the pages of the site show nothing that could be checked")
    return cases


def area_of(page: SeenPage) -> str:
    """Name the part of the application: the first part of the path."""
    if any(form.kind == "signup" for form in page.forms) or _is_log_in(page):
        return ACCOUNT
    first = urlsplit(page.path).path.strip("/").partition("/")[0]
    return clean(first.replace("-", " ").replace("_", " ")).capitalize()[:60] or "Home"


def _is_log_in(page: SeenPage) -> bool:
    return any(form.kind == "login" for form in page.forms)


def _needs_log_in(page: SeenPage) -> bool:
    # Log-in and sign-up are for visitors, even where they were come upon with an account.
    return page.behind_login and area_of(page) != ACCOUNT


class _Site:
    def __init__(self, pages: list[SeenPage], exhaustive: bool, account: Account | None) -> None:
        self._pages = pages
        self._exhaustive = exhaustive
        self._account = account
        self._headings = Counter(one for page in pages for one in set(page.headings))
        self._forms = self._forms_once()
        self._log_in = self._log_in_case()
        self._reached: set[str] = set()

    def cases(self) -> Iterator[Case]:
        """Give them in the order in which they are to run: who logs in comes after the others."""
        behind = [page for page in self._pages if _needs_log_in(page)]
        public = [page for page in self._pages if page not in behind]
        yield from self._of_pages(public)
        if self._log_in is not None:
            yield self._log_in
        for case in self._of_pages(behind):
            yield self._logged_in(case)
        # A sign-up leaves its visitor logged in, and log-in pages are often closed to those.
        for page, form in self._forms:
            if form.kind == "signup":
                yield from self._sent(page, form)

    def _logged_in(self, case: Case) -> Case:
        if self._log_in is not None:
            return replace(case, depends_on=self._log_in.id)
        # Logs in by itself where no form was seen that a case could show, as one of two pages.
        account = self._account
        if account is None or "${" in account.username:
            return case
        auth = {"username": account.username, "password": f"${{{PASSWORD}}}"}
        return replace(
            case, auth=auth | ({"login_path": account.login_path} if account.login_path else {})
        )

    def _of_pages(self, pages: list[SeenPage]) -> Iterator[Case]:
        for page in pages:
            yield self._opens(page)
        yield from self._links(pages)
        own = [(page, form) for page, form in self._forms if page in pages]
        for page, form in own:
            if self._exhaustive:
                yield from self._made(page, form).negatives()
                yield from edges(page, form, area_of(page))
        for page, form in own:
            if form.kind != "signup":
                yield from self._sent(page, form)

    def _sent(self, page: SeenPage, form: SeenForm) -> Iterator[Case]:
        case = self._made(page, form).happy()
        if case is not None:
            yield case

    def _made(self, page: SeenPage, form: SeenForm) -> FormCases:
        return FormCases(page, form, area_of(page))

    def _forms_once(self) -> list[tuple[SeenPage, SeenForm]]:
        """Give each form where it stands first, or where it stands alone of its name."""
        found: dict[tuple[Any, ...], tuple[SeenPage, SeenForm]] = {}
        for page in self._pages:
            for form in page.forms:
                labels = tuple((one.label, one.type) for one in form.fields)
                known = (form.kind, form.method, form.action, form.submit, labels)
                there = found.get(known)
                is_better = there is not None and not self._made(*there).is_safe
                if there is None or (is_better and self._made(page, form).is_safe):
                    found[known] = (page, form)
        return list(found.values())

    def _log_in_case(self) -> Case | None:
        if self._account is None:
            return None
        wanted = path_of(self._account.login_path) if self._account.login_path else ""
        forms = [(page, form) for page, form in self._forms if form.kind == "login"]
        forms.sort(key=lambda one: one[0].path != wanted)
        cases = (self._made(page, form).log_in(self._account) for page, form in forms)
        return next((case for case in cases if case is not None), None)

    def _opens(self, page: SeenPage) -> Case:
        expect = [*self._place(page), *self._title(page)]
        for form in page.forms:
            # What every page shows is claimed where it was seen first.
            if any(page is where and form is what for where, what in self._forms):
                expect += self._made(page, form).presence()
        name = clean(page.headings[0] if page.headings else page.title) or page.path
        return Case(
            id=f"{slug(page.path)}-opens",
            title=f"{name[:100]} ({page.path[:60]}) opens",
            area=area_of(page),
            steps=({"do": f"Open {page.path}"},),
            expect=tuple(expect),
            tags=("smoke",),
        )

    def _place(self, page: SeenPage) -> Iterator[Mapping[str, Any]]:
        """Claim what tells this page from the others: its address and a heading of its own."""
        check = {"kind": "url", "path_is": page.path}
        yield claim(f"I am on {page.path}", check)
        usable = [one for one in page.headings if quoted(one)]
        usable.sort(key=lambda one: self._headings[one])
        if usable:
            told = quoted(usable[0])
            hint = {"kind": "element_visible", "selector_hint": f"the heading {told}"}
            yield claim(f"The heading {told} is visible", hint)

    def _title(self, page: SeenPage) -> Iterator[Mapping[str, Any]]:
        # Digits in a title often count something.
        is_steady = is_plain(page.title) and not any(sign.isdigit() for sign in page.title)
        if is_steady and quoted(page.title):
            check = {"kind": "title", "equals": page.title}
            yield claim(f"The page title is {quoted(page.title)}", check)

    def _links(self, pages: list[SeenPage]) -> Iterator[Case]:
        by_path = {page.path: page for page in self._pages}
        reached = self._reached
        are_behind = any(_needs_log_in(page) for page in pages)
        # A page that everybody sees may show more links to those who are logged in.
        for page in self._pages if are_behind else pages:
            names = Counter(clean(link.name).lower() for link in page.links)
            for link in page.links:
                target = by_path.get(path_of(link.url))
                told = quoted(link.name)
                if target is None or target is page or target.path in reached or not told:
                    continue
                if target not in pages and not are_behind:
                    continue
                if link.danger or is_dangerous(link.name) or names[clean(link.name).lower()] > 1:
                    continue
                if len(reached) == MOST_LINKS:
                    return
                reached.add(target.path)
                yield Case(
                    id=f"{slug(page.path)}-leads-to-{slug(target.path)}",
                    title=f"{clean(link.name)[:80]} leads to {target.path[:80]}",
                    area=area_of(target),
                    steps=(
                        {"do": f"Open {page.path}"},
                        {"do": f"Click the {told} link"},
                    ),
                    expect=tuple(self._place(target)),
                    tags=("navigation",),
                )


def _distinct(cases: Iterator[Case]) -> list[Case]:
    """Number the ids that stand twice."""
    seen: Counter[str] = Counter()
    found = []
    for case in cases:
        seen[case.id] += 1
        number = seen[case.id]
        own = case.id if number == 1 else f"{case.id}-{number}"
        found.append(replace(case, id=own))
    return found
