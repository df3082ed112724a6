"""Opening a page: an address, a path, or words for it (contract section 5.4).

Words are answered in order: where we are already; a link, button or menu item of that name; such
a link on the start page; a path where such pages usually are. What none of these gives is not
guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urljoin

from services.runs.engine.actions import concepts
from services.runs.engine.actions.acting import Hand
from services.runs.engine.actions.concepts import Concept, address_in, concept_of, origin_of
from services.runs.engine.actions.models import Found, Impossible, Scene
from services.runs.engine.actions.pointing import click_on, locate
from services.runs.engine.browser.models import (
    Gone,
    NotReached,
    PageCrashed,
    PageStuck,
    UrlNotAllowed,
)
from services.runs.engine.browser.stage import Stage
from services.runs.engine.grammar import references
from services.runs.engine.language.filling import fill_target
from services.runs.engine.language.models import Open, Target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Choice, Wanted

GLANCE: Final = 1.5
"""Seconds in which a page must show the link to another."""

LEAVING: Final = 5.0
"""Seconds for leaving a page that does not let others come."""

_INTERRUPTED: Final = re.compile("ERR_ABORTED|interrupted by another navigation")
_NAMED: Final = re.compile(r"\s*https?://[^\s/?#$]+", re.IGNORECASE)
_CLICKED: Final = frozenset({"link", "button", "menuitem", "tab", "clickable", "card"})


async def open_page(hand: Hand, intent: Open) -> None:
    """Open what a step names; ``intent`` is not filled in yet, so that its author is known."""
    scene, stage = hand.scene, hand.stage
    template = intent.target.text
    target = fill_target(intent.target, scene.variables.fill)
    address = address_in(target.text, scene.base_url)
    if address is not None:
        _see_that_it_is_open(scene, address, template)
        await go_to(hand, address)
        return
    concept = concept_of(target.text)
    if not target.relations and concepts.plain(target.text) in concepts.HOME:
        await go_to(hand, scene.base_url)
        return
    if target.role in (None, "page") and not target.relations and target.ordinal is None:
        reading = await stage.read()
        if concepts.is_at(concept, reading.url, reading.title, reading.candidates):
            await hand.do("read_dom", _nothing, text=f"Already at {_words(target)}", settles=False)
            return
    failure = await _follow(hand, target)
    if failure is None:
        return
    if failure.reason == "not_found" and target.role in (None, "page", "link"):
        origin = stage.page.url
        if await _from_start(hand, target) or await _usual_path(hand, concept):
            return
        await _back(hand, origin)
    raise failure


async def open_address(stage: Stage, url: str, scene: Scene) -> None:
    """Open an address of the suite's own or of an operator's: it is not held against origins.

    Raises:
        Impossible: the policy closes it, or nothing answers there.
    """
    stage.expect_no_dialog()  # whoever expected one was an earlier case
    await go_to(Hand(stage, scene), url)


async def go_to(hand: Hand, url: str) -> None:
    """Navigate the current tab to an http or https address."""
    if origin_of(url) is None:
        raise Impossible("url_not_allowed", f"Only http and https addresses are opened: {url[:80]}")
    try:
        await hand.do("goto", lambda: _goto(hand.stage, url), url=url, text=f"Open {url}")
    except UrlNotAllowed as refused:
        raise Impossible("url_not_allowed", str(refused)) from refused
    except NotReached as away:
        raise Impossible("unreachable", f"{url} gave no answer ({away}).") from away
    except PageCrashed:
        raise
    except PageStuck as stuck:
        raise Impossible("unreachable", f"{url} did not answer in time.") from stuck


async def _goto(stage: Stage, url: str) -> None:
    try:
        await stage.goto(url)
        return
    except NotReached as away:
        if not _INTERRUPTED.search(str(away)):
            raise
    # The page that was there navigates itself all the time, and ours was swept away with it.
    with suppress(NotReached, Gone, PageStuck):
        await stage.goto("about:blank", seconds=LEAVING)
    try:
        await stage.goto(url)
    except NotReached as away:
        if _INTERRUPTED.search(str(away)):
            raise Impossible(
                "unreachable", f"{url} did not stay: a page kept navigating itself elsewhere."
            ) from away
        raise


def _see_that_it_is_open(scene: Scene, address: str, template: str) -> None:
    """See that a page cannot say where we go: only the suite's origins, or who wrote the step."""
    origin = origin_of(address)
    if origin is None or origin in scene.origins or _NAMED.match(template):
        return
    sources = [scene.variables.origin(name) for name in references(template)]
    if sources and all(source is not None and source.kind != "capture" for source in sources):
        return
    raise Impossible(
        "url_not_allowed",
        f"{origin} is not the tested site, and the step does not name it itself.",
    )


async def _follow(hand: Hand, target: Target) -> Impossible | None:
    """Click the link, button or menu item of that name; or say why not."""
    try:
        with _hurried(hand.scene):
            found = await locate(hand, target, "open")
    except Impossible as impossible:
        return impossible
    await _click(hand, found)
    return None


async def _click(hand: Hand, found: Found) -> None:
    href = found.candidate.href
    origin = origin_of(href)
    if href.startswith(("http:", "https:")) and origin not in hand.scene.origins:
        raise Impossible(
            "url_not_allowed",
            f"“{found.candidate.name}” leads to {origin}, which is not the tested site; a step "
            "that means to go there names the address.",
        )
    await click_on(hand, found)


async def _from_start(hand: Hand, target: Target) -> bool:
    """Look for the link on the start page."""
    scene, stage = hand.scene, hand.stage
    if stage.page.url.rstrip("/") == scene.base_url.rstrip("/"):
        return False
    if not await _look_at(hand, scene.base_url):
        return False
    reading = await stage.read()
    outcome = choose(reading.candidates, Wanted(target, "open"))
    if not isinstance(outcome, Choice):
        return False
    await _click(hand, Found(outcome.candidate, "rule", outcome.score))
    return True


async def _usual_path(hand: Hand, concept: Concept) -> bool:
    """Try where such pages usually are; what answers must also look like one."""
    stage, base = hand.stage, hand.scene.base_url
    for path in concept.paths[: concepts.MOST_PATHS]:
        url = urljoin(base, path)
        if not await _look_at(hand, url):
            continue
        reading = await stage.read()
        if origin_of(reading.url) not in hand.scene.origins:
            continue
        if concepts.fits(concept, reading.title, reading.candidates):
            await hand.do("goto", _nothing, url=url, text=f"Open {url}", settles=False)
            return True
    return False


async def _look_at(hand: Hand, url: str) -> bool:
    """Load a page of the tested site; tell whether it is there."""
    stage = hand.stage
    hand.scene.check()
    mark = await stage.mark()
    try:
        await stage.goto(url, seconds=10.0)
        await stage.settle(mark)
    except (NotReached, PageStuck, UrlNotAllowed):
        return False
    documents = [one for one in stage.requests(mark) if one.kind == "document"]
    main = [one for one in documents if one.status is not None and not 300 <= one.status < 400]
    return bool(main) and main[0].status == 200


async def _back(hand: Hand, url: str) -> None:
    """Leave the page that we looked at, so that what is shown of the failure is where it began."""
    if origin_of(url) is not None and hand.stage.page.url != url:
        await _look_at(hand, url)


@contextmanager
def _hurried(scene: Scene) -> Iterator[None]:
    before, scene.timeout = scene.timeout, min(scene.timeout, GLANCE)
    try:
        yield
    finally:
        scene.timeout = before


def _words(target: Target) -> str:
    return f"“{target.text}”"


async def _nothing() -> None:
    return None
