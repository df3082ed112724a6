"""Texts that can be read on the page, or not (contract 4.2)."""

from __future__ import annotations

from services.runs.engine.browser.models import Gone
from services.runs.engine.checks.capturing import capture
from services.runs.engine.checks.looking import LONGEST, Eye, Missing, Seen, quoted, short, squeezed
from services.runs.engine.checks.models import Undecidable
from services.runs.engine.language import parse_capture
from services.runs.engine.language.claim_labels import BESIDE


async def visible_text(eye: Eye) -> Seen:
    """Look for texts: on the page and in notices since the case began, or in the hinted element."""
    places = await _places(eye)
    ignores = bool(eye.check.parameters.get("ignore_case"))
    said = [_plain(text, ignores) for text in places]
    equals = eye.text("equals")
    wanted = [text for text in (eye.text("contains"), *eye.texts("all_of")) if text is not None]
    any_of = eye.texts("any_of")
    missing = [text for text in wanted if not _holds(said, text, ignores)]
    holds = not missing
    if equals is not None and _plain(equals, ignores) not in said:
        holds = False
    if any_of and not any(_holds(said, text, ignores) for text in any_of):
        holds = False
        missing += any_of
    shown = f"the text {quoted(places[0])}" if places else "nothing"
    if not holds and missing and eye.hint is None:
        shown = f"no {', '.join(map(quoted, missing))} in {shown}"
    return Seen(holds, shown)


async def absent_text(eye: Eye) -> Seen:
    """Look that texts are not there, in whatever case."""
    places = await _places(eye, with_notices=False)
    if any(len(text) >= LONGEST for text in places):
        trouble = Undecidable("not_readable", "The page has more text than can be looked through.")
        return Seen(False, "more text than can be looked through", False, trouble)
    said = [_plain(text, True) for text in places]
    found = [text for text in eye.texts("any_of") if _holds(said, text, True)]
    if found:
        return Seen(False, f"{', '.join(map(quoted, found))} is there: {_around(places, found[0])}")
    return Seen(True, "none of them is there")


async def _places(eye: Eye, *, with_notices: bool = True) -> list[str]:
    """Give the texts in which something is looked for.

    Raises:
        Missing: the hinted element is not there.
    """
    # What stands in closed shadow roots is seen once the page has been read.
    await eye.reading()
    if eye.hint is None:
        page = await eye.stage.visible_text()
        return [page, *(await eye.notices() if with_notices else ())]
    notices = await eye.notices() if with_notices and eye.is_about_notices else []
    if eye.hint.startswith(BESIDE):
        return [await _beside(eye)]
    css = eye.css()
    try:
        if css is not None:
            return [await eye.stage.visible_text(css=css), *notices]
        return [await eye.text_of(await eye.spot()), *notices]
    except ValueError:
        raise Undecidable("not_readable", f"“{(css or '')[:200]}” is no CSS selector.") from None
    except (Gone, Missing) as error:
        if notices:
            return notices
        if isinstance(error, Missing):
            raise
        raise Missing(Seen(False, f"{eye.hint_in_words()} was not found", False)) from None


async def _beside(eye: Eye) -> str:
    """Give what stands beside a label, as a capture takes it."""
    phrase = parse_capture(eye.hint or "")
    found = None if phrase is None else await capture(eye.stage, phrase, eye.scene)
    if found is None:
        label = "" if phrase is None else eye.fill(phrase.label or "")
        message = f"The page says nothing, or different things, beside a label {quoted(label)}."
        raise Missing(Seen(False, message, False, Undecidable("not_found", message)))
    return found


def _holds(said: list[str], text: str, ignores: bool) -> bool:
    wanted = _plain(text, ignores)
    return any(wanted in one for one in said)


def _plain(text: str, ignores: bool) -> str:
    text = squeezed(text)
    return text.casefold() if ignores else text


def _around(places: list[str], text: str) -> str:
    """Give what stands around a text."""
    wanted = _plain(text, True)
    for place in places:
        at = _plain(place, True).find(wanted)
        if at >= 0:
            return quoted(short(squeezed(place)[max(0, at - 60) : at + len(wanted) + 60]))
    return ""
