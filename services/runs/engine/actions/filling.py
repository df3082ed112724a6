"""Typing into fields of every kind, and seeing that they kept it (contract section 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.runs.engine.actions import dates
from services.runs.engine.actions.acting import Hand
from services.runs.engine.actions.models import Found, Impossible
from services.runs.engine.actions.picking import offer_on, pick_in
from services.runs.engine.actions.pointing import locate
from services.runs.engine.actions.toggling import toggle_on
from services.runs.engine.actions.values import entry_of, wait_for_fields
from services.runs.engine.browser.grips import Grip
from services.runs.engine.language.models import Clear, Pairs
from services.runs.engine.resolver.models import Candidate, Entry

_TOGGLES: Final = frozenset({"checkbox", "radio", "switch"})
_DATED: Final = frozenset({"date", "time", "datetime-local", "month"})
_YES: Final = frozenset({"yes", "true", "on", "checked", "1"})
_NO: Final = frozenset({"no", "false", "off", "unchecked", "0"})


async def fill(hand: Hand, values: Pairs) -> None:
    """Type values, each into the field it names or into the one that fits it."""
    entries = [entry_of(hand.scene, value, field) for value, field in values]
    if all(entry.field is not None for entry in entries):
        for entry in entries:
            assert entry.field is not None  # all of them were looked at
            await fill_in(hand, await locate(hand, entry.field, "fill"), entry)
        return
    await fill_all(hand, entries)


async def fill_all(hand: Hand, entries: Sequence[Entry]) -> None:
    """Type values into the fields that fit them."""
    for entry, candidate in await wait_for_fields(hand, entries):
        await fill_in(hand, Found(candidate, "rule", 0.0), entry)


async def clear(hand: Hand, intent: Clear) -> None:
    """Empty a field."""
    found = await locate(hand, intent.target, "clear")
    _see_that_it_takes_text(found.candidate)

    async def act(grip: Grip, seconds: float) -> None:
        await grip.locator.fill("", timeout=seconds * 1000)
        await grip.tell_change(seconds)
        held = await grip.holding(seconds)
        if held is not None and held.text:
            raise Impossible("not_accepted", f"{_named(found)} did not become empty.")

    await hand.touch("set_field", found, act, value="", text=f"Clear {_named(found)}")


async def fill_in(hand: Hand, found: Found, entry: Entry) -> None:
    """Type a value into one field, whatever its kind."""
    candidate, text = found.candidate, entry.text
    if hand.scene.secret or candidate.input_type == "password" or entry.generator == "password":
        hand.stage.keep_secret(text)
    if candidate.tag == "select":
        await pick_in(hand, found, text)
    elif candidate.role in _TOGGLES:
        word = text.strip().lower()
        if word not in _YES | _NO:
            raise Impossible("not_editable", f"{_named(found)} can only be switched on or off.")
        await toggle_on(hand, found, "on" if word in _YES else "off")
    elif candidate.role == "combobox" and not candidate.editable:
        await pick_in(hand, found, text)
    else:
        await _type(hand, found, text)
        if candidate.role == "combobox":
            await offer_on(hand, found, text)


async def _type(hand: Hand, found: Found, text: str) -> None:
    candidate = found.candidate
    _see_that_it_takes_text(candidate)
    written = text
    if candidate.input_type in _DATED:
        date = dates.for_field(candidate.input_type, text)
        if date is None:
            raise Impossible(
                "not_accepted", f"{_named(found)} wants a {candidate.input_type}, as 2026-12-31."
            )
        written = date

    async def act(grip: Grip, seconds: float) -> None:
        await grip.locator.fill(written, timeout=seconds * 1000)
        held = await grip.tell_change(seconds, only_if=written)
        if held is not None and not held.told:
            if not _is_kept(written, held.text):
                await _type_keys(grip, written, seconds)
            held = await grip.tell_change(seconds)
        if held is None:
            return  # the page drew the field anew or left: it has what was typed
        # What the page made of it shows only now, after its own tasks.
        held = await grip.holding(seconds)
        if held is not None and not _is_kept(written, held.text):
            raise Impossible("not_accepted", f"{_named(found)} did not keep what was typed.")

    await hand.touch("set_field", found, act, value=text, text=f"Fill {_named(found)}")


async def _type_keys(grip: Grip, text: str, seconds: float) -> None:
    """Type key by key, for fields that format or count keys."""
    handle = await grip.handle()
    await handle.fill("", timeout=seconds * 1000)
    await handle.type(text, timeout=seconds * 1000)


def _is_kept(typed: str, held: str) -> bool:
    """Tell whether a field holds what was typed, be it in capitals, grouped or trimmed."""
    if typed == held or "".join(typed.split()) == "".join(held.split()):
        return True
    plain = _letters(typed)
    if plain and plain == _letters(held):
        return True
    try:
        return float(typed.replace(",", "")) == float(held.replace(",", "").strip("$€£ "))
    except ValueError:
        return False


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _see_that_it_takes_text(candidate: Candidate) -> None:
    if not candidate.enabled:
        raise Impossible("disabled", f"“{candidate.name}” is disabled.")
    if candidate.input_type == "file":
        raise Impossible("not_editable", f"“{candidate.name}” takes a file: upload one.")
    if candidate.input_type not in ("range", "color", *_DATED) and not candidate.editable:
        raise Impossible("not_editable", f"“{candidate.name}” takes no text.")


def _named(found: Found) -> str:
    return f"“{found.candidate.name}”" if found.candidate.name else "the field"
