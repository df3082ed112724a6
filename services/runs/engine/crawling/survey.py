"""Reading one page for what can be opened, pressed and filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from playwright.async_api import Error

from services.runs.engine.browser import engine
from services.runs.engine.browser.models import Gone, Reading
from services.runs.engine.browser.stage import Stage
from services.runs.engine.crawling.addresses import (
    is_risky,
    is_risky_form,
    origin_of,
    page_of,
    path_of,
)
from services.runs.engine.generating.models import FormKind, SeenField, SeenForm, SeenLink, SeenPage
from services.runs.engine.resolver.models import Candidate

SECONDS: Final = 3.0
"""For what a frame's fields say of themselves."""

MOST_ASKED: Final = 600

Facts: TypeAlias = Mapping[str, Mapping[str, str]]
"""What fields and forms say of themselves, by their reference."""

_NO_FIELD: Final = ("hidden", "submit", "button", "image", "reset")
_SECRET: Final = (
    "password",
    "passwd",
    "secret",
    "token",
    "cvc",
    "cvv",
    "pin",
    "otp",
    "ssn",
    "iban",
)
_LINES: Final = 300


async def survey(stage: Stage, status: int) -> SeenPage:
    """Read the current page.

    Args:
        stage: where it is.
        status: what the server answered for it.

    Raises:
        PageStuck: it does not answer.
        Gone: it was navigating all the time.
    """
    reading = await stage.read()
    origin = origin_of(reading.url)
    # Frames of others are no part of the site.
    theirs = [
        each
        for each in reading.candidates
        if each.visible and all(origin_of(url) in ("", origin) for url in each.frames)
    ]
    facts = await _facts(stage, theirs)
    forms = _forms(reading, theirs, facts)
    return SeenPage(
        path=path_of(page_of(reading.url)),
        title=_words(reading.title),
        headings=_headings(theirs),
        links=_links(reading, theirs),
        buttons=_distinct(each.name for each in theirs if _is_button(each))[:100],
        forms=forms[:20],
        status=status,
    )


async def _facts(stage: Stage, candidates: Sequence[Candidate]) -> Facts:
    """Ask each frame what its fields and forms say of themselves."""
    asked: dict[int, dict[str, None]] = {}
    first: dict[int, Candidate] = {}
    for each in candidates:
        if _is_field(each) or each.form:
            wanted = asked.setdefault(each.frame, {})
            first.setdefault(each.frame, each)
            wanted[each.ref] = None
            if each.form:
                wanted[each.form] = None
    found: dict[str, Mapping[str, str]] = {}
    for index, refs in asked.items():
        try:
            frame = stage.grip(first[index]).frame
            told = await engine.ask(frame, "told", SECONDS, refs=list(refs)[:MOST_ASKED])
        except (Error, ValueError, Gone):
            continue
        for ref, values in told["told"].items():
            found[f"{index}:{ref}"] = values
    return found


def _words(text: str) -> str:
    return " ".join(text.split())[:_LINES]


def _distinct(texts: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found for text in texts if (found := _words(text))))


def _headings(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    found = sorted((each for each in candidates if each.role == "heading"), key=lambda c: c.level)
    return _distinct(each.name for each in found)[:30]


def _links(reading: Reading, candidates: Sequence[Candidate]) -> tuple[SeenLink, ...]:
    origin, found = origin_of(reading.url), dict[str, SeenLink]()
    for each in candidates:
        if each.role != "link" or not each.href:
            continue
        url = page_of(each.href, reading.url)
        if url and origin_of(url) == origin and url not in found:
            name = _words(each.name)
            found[url] = SeenLink(name=name, url=url, danger=is_risky(name, each.href))
    return tuple(found.values())[:200]


def _is_button(each: Candidate) -> bool:
    return each.role == "button" or each.input_type in ("submit", "image")


def _is_field(each: Candidate) -> bool:
    if each.tag == "input":
        return each.input_type not in _NO_FIELD
    return each.tag in ("select", "textarea")


def _forms(reading: Reading, candidates: Sequence[Candidate], facts: Facts) -> tuple[SeenForm, ...]:
    """Put fields together that are sent together; those outside of forms by what is around them."""
    groups: dict[tuple[int, str, str], list[Candidate]] = {}
    for each in candidates:
        if _is_field(each):
            around = "" if each.form else each.heading
            groups.setdefault((each.frame, each.form, around), []).append(each)
    found = []
    for (frame, form, around), fields in groups.items():
        buttons = [
            each
            for each in candidates
            if each.frame == frame and each.form == form and _is_button(each)
        ]
        if not form:
            # Right behind its fields stands the button that sends them.
            after = [each for each in buttons if each.order > fields[-1].order]
            buttons = [each for each in after if each.heading == around][:1]
        told = facts.get(f"{frame}:{form}", {}) if form else {}
        found.append(_form(reading, fields, buttons, told, facts))
    return tuple(found)


def _form(
    reading: Reading,
    fields: Sequence[Candidate],
    buttons: Sequence[Candidate],
    told: Mapping[str, str],
    facts: Facts,
) -> SeenForm:
    submit = next((each for each in buttons if each.primary), None)
    submit = submit or next(iter(buttons), None)
    name = _words(told.get("aria-label") or fields[0].heading)
    button = "" if submit is None else _words(submit.name)
    action = page_of(told["action"], reading.url) if told.get("action") else ""
    seen = _fields(fields, facts)
    method: Literal["get", "post", "dialog"] = "get"
    if told.get("method", "").lower() in ("post", "dialog"):
        method = "post" if told["method"].lower() == "post" else "dialog"
    return SeenForm(
        name=name,
        method=method,
        action=action,
        fields=seen,
        submit=button,
        danger=is_risky_form(button, name, path_of(action) if action else ""),
        kind=_kind(seen, button, name),
        validates="novalidate" not in told,
    )


def _fields(fields: Sequence[Candidate], facts: Facts) -> tuple[SeenField, ...]:
    found, radios = list[SeenField](), dict[str, list[Candidate]]()
    for each in fields:
        told = facts.get(f"{each.frame}:{each.ref}", {})
        if each.input_type == "radio" and told.get("name"):
            radios.setdefault(told["name"], []).append(each)
            if len(radios[told["name"]]) == 1:
                found.append(_field(each, told))
            continue
        found.append(_field(each, told))
    return tuple(
        field.model_copy(update=_choice(radios[field.name]))
        if field.type == "radio" and field.name in radios
        else field
        for field in found[:60]
    )


def _choice(buttons: Sequence[Candidate]) -> dict[str, Any]:
    first = buttons[0]
    return {
        "label": _words(first.groups[0]) if first.groups else _words(first.name),
        "options": _distinct(each.name for each in buttons)[:50],
        "required": any(each.required for each in buttons),
        "value": next((_words(each.name) for each in buttons if each.checked), ""),
    }


def _field(each: Candidate, told: Mapping[str, str]) -> SeenField:
    kind = each.input_type or "text" if each.tag == "input" else each.tag
    name = told.get("name", "")
    is_secret = kind == "password" or any(word in name.lower().split("_") for word in _SECRET)
    return SeenField(
        label=_words(each.name),
        name=name,
        type=kind[:40],
        required=each.required,
        minlength=_number(told.get("minlength")),
        maxlength=_number(told.get("maxlength")),
        min=told.get("min"),
        max=told.get("max"),
        pattern=told.get("pattern"),
        options=_distinct(each.options)[:50],
        autocomplete=_words(each.autocomplete),
        secret=is_secret,
        value="" if is_secret or kind in ("checkbox", "file") else _words(each.value),
    )


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 9:
        return None
    return int(text)


def _kind(fields: Sequence[SeenField], submit: str, name: str) -> FormKind:
    passwords = sum(field.type == "password" for field in fields)
    said = f"{submit} {name}".lower()
    is_new = any(word in said for word in ("sign up", "signup", "register", "create", "join"))
    if passwords:
        if passwords > 1 or is_new or any(f.autocomplete == "new-password" for f in fields):
            return "signup"
        is_login = any(word in said for word in ("log in", "login", "sign in", "log on"))
        return "login" if is_login or len(fields) <= 3 else "other"
    is_search = any(field.type == "search" for field in fields) or "search" in said
    return "search" if is_search and len(fields) <= 3 else "other"
