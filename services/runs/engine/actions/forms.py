"""What takes several actions: submitting a form, searching, logging in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from services.runs.engine.actions.acting import Hand
from services.runs.engine.actions.concepts import address_in
from services.runs.engine.actions.filling import fill_all, fill_in
from services.runs.engine.actions.locating import PAUSE
from services.runs.engine.actions.models import Found, Impossible, Scene
from services.runs.engine.actions.opening import go_to, open_page
from services.runs.engine.actions.pointing import click_on, locate
from services.runs.engine.actions.values import entry_of
from services.runs.engine.browser.models import Reading
from services.runs.engine.browser.stage import Stage
from services.runs.engine.grammar.models import Login
from services.runs.engine.language.models import Open, Pairs, Search, Submit, Target, Value
from services.runs.engine.resolver.assigning import assign_values
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import (
    Candidate,
    Choice,
    Entry,
    Scored,
    Unassignable,
    Wanted,
)

_ASIDE: Final = frozenset({"header", "nav", "footer", "search"})
_LOG_IN: Final = Target("log in")
_SEARCH: Final = Target("search", role="searchbox")


async def submit(hand: Hand, intent: Submit) -> None:
    """Submit the form named, the one last used, or the only one."""
    if intent.target is None:
        await _submit_form(hand, None)
        return
    found = await locate(hand, intent.target, "submit")
    if found.candidate.role == "form":
        await _submit_form(hand, found.candidate)
    else:
        await click_on(hand, found)


async def _submit_form(hand: Hand, form: Candidate | None) -> None:
    """Click a form's first submit button, or press Enter in its last field if it has none."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + hand.scene.timeout
    while True:
        reading = await hand.stage.read()
        found = _submitting(hand.scene, reading, form)
        if len(found) == 1:
            break
        if clock() >= deadline:
            near = tuple(Scored(one, 0.0) for one in found[:5])
            if near:
                raise Impossible("ambiguous", "Several forms could be meant; say which.", near)
            raise Impossible("not_found", "There is no form to be submitted.")
        await asyncio.sleep(PAUSE)
    chosen = Found(found[0], "rule", 100.0)
    if found[0].editable:
        await hand.touch(
            "press_key",
            chosen,
            lambda grip, seconds: grip.locator.press("Enter", timeout=seconds * 1000),
            text=f"Press Enter in “{found[0].name}”",
        )
    else:
        await click_on(hand, chosen)


def _submitting(scene: Scene, reading: Reading, form: Candidate | None) -> list[Candidate]:
    """Give what would submit the form that is meant, one for each form that could be."""
    wanted = form.ref if form is not None else scene.last_form or reading.focused_form
    buttons = [one for one in reading.candidates if one.primary and one.visible and one.enabled]
    fields = [one for one in reading.candidates if one.editable and one.visible and one.form]
    if wanted is not None:
        here = [one for one in buttons if one.form == wanted]
        if here:
            return here[:1]
        last = [one for one in fields if one.form == wanted]
        if last:
            return last[-1:]
    shown = [one for one in buttons if one.in_top_dialog] or buttons
    return [one for one in shown if one.landmark not in _ASIDE] or shown


async def search(hand: Hand, intent: Search) -> None:
    """Write into the page's search field, and press Enter."""
    entry = entry_of(hand.scene, intent.value, None)
    found = await locate(hand, _SEARCH, "fill")
    await fill_in(hand, found, entry)
    await hand.touch(
        "press_key",
        found,
        lambda grip, seconds: grip.locator.press("Enter", timeout=seconds * 1000),
        text=f"Press Enter in “{found.candidate.name}”",
    )


async def log_in_with(hand: Hand, values: Pairs) -> None:
    """Log in with the values of a step, on the page's form or on the log-in page."""
    await _log_in(hand, [entry_of(hand.scene, value, field) for value, field in values])


async def log_in(stage: Stage, login: Login, scene: Scene) -> None:
    """Log a suite's or plan's test account in, and see that it was taken.

    Raises:
        Impossible: there is no log-in form, or it is still there afterwards (``login_failed``).
    """
    hand = Hand(stage, scene)
    fill = scene.variables.fill
    name, password = fill(login.username), fill(login.password)
    stage.keep_secret(password)
    if login.login_path is not None:
        path = fill(login.login_path)
        await go_to(
            hand, address_in(path, scene.base_url) or f"{scene.base_url.rstrip('/')}/{path}"
        )
    before, scene.actions = scene.actions, 0
    entries = [
        Entry(
            Value(login.username, "email" if "@" in name else "username"),
            kind="fixture",
            generator="unique_email" if "@" in name else "username",
            text=name,
        ),
        Entry(
            Value(login.password, "password"), kind="fixture", generator="password", text=password
        ),
    ]
    try:
        await _log_in(hand, entries)
    finally:
        scene.actions = before
    clock = asyncio.get_running_loop().time
    deadline = clock() + min(5.0, scene.timeout)
    while _asks_for_password(await stage.read()):
        if clock() >= deadline:
            raise Impossible("login_failed", "The log-in form is still there after logging in.")
        await asyncio.sleep(PAUSE)


async def _log_in(hand: Hand, entries: Sequence[Entry]) -> None:
    stage = hand.stage
    reading = await stage.read()
    if not _asks_for_password(reading) and not _can_begin(reading, entries):
        await open_page(hand, Open(_LOG_IN))
        reading = await stage.read()
    if len(entries) == 2 and not _asks_for_password(reading) and _can_begin(reading, entries):
        # Some ask for the name first, and for the password on a page of its own.
        await fill_all(hand, entries[:1])
        await _submit_form(hand, None)
        entries = entries[1:]
        await _until_asked(hand)
    await fill_all(hand, entries)
    await _submit_form(hand, None)


def _can_begin(reading: Reading, entries: Sequence[Entry]) -> bool:
    """Tell whether the page is a log-in form's first half: a name's field, and a way on."""
    names = [one for one in reading.candidates if one.visible and one.editable]
    is_login = isinstance(choose(reading.candidates, Wanted(Target("continue"), "click")), Choice)
    if not is_login or not any(
        "username" in one.autocomplete or one.input_type == "email" for one in names
    ):
        return False
    return not isinstance(assign_values(entries[:1], reading.candidates), Unassignable)


async def _until_asked(hand: Hand) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + hand.scene.timeout
    while not _asks_for_password(await hand.stage.read()):
        if clock() >= deadline:
            raise Impossible("not_found", "No password is asked for.")
        await asyncio.sleep(PAUSE)


def _asks_for_password(reading: Reading) -> bool:
    return any(one.visible and one.input_type == "password" for one in reading.candidates)
