"""Steps as statements. What cannot be said raises, so that the test is marked and never passes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from services.runs.engine.language import models as said
from services.runs.engine.language.models import Intent, Pairs, Target, Value
from services.runs.engine.spec import locating
from services.runs.engine.spec.texts import Texts, Unsaid, is_plain
from services.runs.engine.spec.typescript import literal

Lines = list[str]

_TYPES: Final = (
    ("email", re.compile(r"e-?mail", re.IGNORECASE)),
    ("password", re.compile(r"pass(word|phrase|wd)?$|^pw", re.IGNORECASE)),
    ("tel", re.compile(r"phone|tel", re.IGNORECASE)),
    ("date", re.compile(r"\bdate|date$|birthday", re.IGNORECASE)),
)
_GENERATORS: Final = {
    "unique_email": "email",
    "password": "password",
    "phone": "tel",
    "date": "date",
    "number": "number",
}
_CONCEPTS: Final = (
    ("sign up register registration create account join", "sign.?up|register|create.?account|join"),
    ("log in login sign in signin", "log.?in|sign.?in"),
    ("log out logout sign out", "log.?out|sign.?out"),
    ("cart basket bag shopping cart", "cart|basket|bag"),
    ("settings preferences", "settings|preferences"),
)
_HOME: Final = frozenset({"home", "start", "main", "landing", "homepage"})
_MIME: Final = {
    "png": "image/png",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "txt": "text/plain",
    "json": "application/json",
}
_PICTURES: Final = frozenset({"jpg", "jpeg", "gif", "webp", "bmp", "svg", "ico", "zip", "pdf"})
_LARGEST_FILE: Final = 50_000_000


def statements(texts: Texts, intent: Intent, generators: Mapping[str, str]) -> Lines:
    """Write one intent.

    Args:
        texts: of the file.
        intent: unfilled.
        generators: the fixtures' kinds by name.

    Raises:
        Unsaid: it cannot be said.
    """
    if isinstance(intent, said.Fill):
        return _fill(texts, intent.values, generators)
    return _WRITERS[type(intent)](texts, intent)


def _open(texts: Texts, intent: said.Open) -> Lines:
    text = intent.target.text
    if re.match(r"https?://|/|\?|#|\./", text) or (not is_plain(text) and not intent.target.role):
        return [f"await page.goto(new URL({texts.text(text)}, baseUrl).href);"]
    plain = " ".join(re.findall(r"[^\W_]+", text.lower()))
    if not plain or not is_plain(text):
        raise Unsaid("which page is to be opened")
    if plain in _HOME:
        return ["await page.goto(baseUrl);"]
    for known, source in _CONCEPTS:
        if plain in known or plain.replace(" ", "") in known:
            return [f"await {texts.call('openPage', 'page', f'/{source}/i')};"]
    # Not through a literal of ours: words are matched as words.
    name = f"{texts.call('words', literal(plain))}.loose as RegExp"
    return [f"await {texts.call('openPage', 'page', name)};"]


def _click(texts: Texts, intent: said.Click) -> Lines:
    locator = locating.clickable(texts, intent.target)
    if intent.times == 2:
        return [f"await ({locator}).dblclick();"]
    options = "" if intent.button == "left" else f"{{ button: {literal(intent.button)} }}"
    return [f"await ({locator}).click({options});"]


def _fill(texts: Texts, values: Pairs, generators: Mapping[str, str]) -> Lines:
    kinds = [_type_of(value, generators) for value, _ in values]
    lines = []
    for (value, target), kind in zip(values, kinds, strict=True):
        text = texts.text(value.template)
        if target is not None:
            locator = locating.field(texts, target)
        elif kind == "password" and kinds.count("password") == 1:
            lines.append(f"await {texts.call('enterPassword', 'page', text)};")
            continue
        else:
            locator = _fitting(texts, value, kind)
        lines.append(f"await {texts.call('enter', locator, text)};")
    return lines


def _fitting(texts: Texts, value: Value, kind: str) -> str:
    name = value.variable or kind
    if not name:
        raise Unsaid("which field the value is for")
    if kind == "number":
        kind = ""
    arguments = ("page", literal(_spaced(name)), *([literal(kind)] if kind else []))
    return f"await {texts.call('fitting', *arguments)}"


def _type_of(value: Value, generators: Mapping[str, str]) -> str:
    name = value.variable
    if name is None:
        return "email" if re.fullmatch(r"[^\s@]+@[^\s@]+", value.template) else ""
    if name in generators and generators[name] in _GENERATORS:
        return _GENERATORS[generators[name]]
    return next((kind for kind, pattern in _TYPES if pattern.search(name)), "")


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]+", " ", name).strip()


def _log_in(texts: Texts, intent: said.LogIn) -> Lines:
    if len(intent.values) != 2:
        raise Unsaid("who logs in with which password")
    user, secret = (texts.text(value.template) for value, _ in intent.values)
    return [f"await {texts.call('logIn', 'page', user, secret)};"]


def _clear(texts: Texts, intent: said.Clear) -> Lines:
    return [f"await ({locating.field(texts, intent.target)}).clear();"]


def _select(texts: Texts, intent: said.Select) -> Lines:
    option = texts.text(intent.option.template)
    if intent.field is None:
        found = f"await {texts.call('listWith', 'page', option)}"
    else:
        found = locating.field(texts, intent.field)
    return [f"await {texts.call('choose', 'page', found, option)};"]


def _toggle(texts: Texts, intent: said.Toggle) -> Lines:
    locator = locating.toggle(texts, intent.target)
    if intent.to == "flip":
        return [f"await ({locator}).click();"]
    return [f"await ({locator}).setChecked({'true' if intent.to == 'on' else 'false'});"]


def _press(texts: Texts, intent: said.Press) -> Lines:
    if intent.target is None:
        return [f"await page.keyboard.press({literal(intent.keys)});"]
    return [f"await ({locating.field(texts, intent.target)}).press({literal(intent.keys)});"]


def _hover(texts: Texts, intent: said.Hover) -> Lines:
    return [f"await ({locating.seen(texts, intent.target)}).hover();"]


def _focus(texts: Texts, intent: said.Focus) -> Lines:
    return [f"await ({locating.field(texts, intent.target)}).focus();"]


def _scroll(texts: Texts, intent: said.Scroll) -> Lines:
    if isinstance(intent.to, Target):
        return [f"await ({locating.seen(texts, intent.to)}).scrollIntoViewIfNeeded();"]
    key = {"top": "Home", "bottom": "End", "down": "PageDown", "up": "PageUp"}[intent.to]
    return [f"await page.keyboard.press({literal(key)});"]


def _drag(texts: Texts, intent: said.Drag) -> Lines:
    source = locating.seen(texts, intent.source)
    return [f"await ({source}).dragTo({locating.seen(texts, intent.destination)});"]


def _upload(texts: Texts, intent: said.Upload) -> Lines:
    file = intent.file
    kind = file.kind or (file.name or "").rpartition(".")[2].lower() or "txt"
    size = 1024 if file.size_bytes is None else file.size_bytes
    if kind in _PICTURES or kind not in _MIME or not 0 <= size <= _LARGEST_FILE:
        raise Unsaid(f"a file such as {file.description}")
    name = texts.text(file.name or f"file.{kind}")
    content = texts.call("made", name, literal(_MIME[kind]), str(size))
    if intent.field is None:
        return [f"await {texts.call('attach', 'page', content)};"]
    return [f"await ({locating.field(texts, intent.field)}).setInputFiles({content});"]


def _wait(texts: Texts, intent: said.WaitFor) -> Lines:
    if intent.target is not None and intent.gone:
        return [f"await {texts.call('gone', 'page', locating.lookup(texts, intent.target))};"]
    if intent.target is not None:
        return [f"{locating.seen(texts, intent.target)};"]
    if intent.seconds is not None:
        return [f"await page.waitForTimeout({round(intent.seconds * 1000)});"]
    return ["await page.waitForLoadState('networkidle');"]


def _go(texts: Texts, intent: said.Go) -> Lines:
    return [
        {
            "back": "await page.goBack();",
            "forward": "await page.goForward();",
            "reload": "await page.reload();",
        }[intent.to]
    ]


def _switch_tab(texts: Texts, intent: said.SwitchTab) -> Lines:
    return [f"page = await {texts.call('otherTab', 'page', _tab(texts, intent.target))};"]


def _close_tab(texts: Texts, intent: said.CloseTab) -> Lines:
    tab = "page"
    if intent.target is not None:
        tab = f"await {texts.call('otherTab', 'page', _tab(texts, intent.target))}"
    return [f"page = await {texts.call('closed', tab)};"]


def _tab(texts: Texts, target: Target | int) -> str:
    if isinstance(target, int):
        return str(target)
    return f"{texts.call('words', texts.text(target.text))}.loose as RegExp"


def _submit(texts: Texts, intent: said.Submit) -> Lines:
    if intent.target is not None and intent.target.text:
        raise Unsaid("which form is meant")
    return [f"await {texts.call('submit', 'page')};"]


def _search(texts: Texts, intent: said.Search) -> Lines:
    return [f"await {texts.call('searchFor', 'page', texts.text(intent.value.template))};"]


_WRITERS: Final[Mapping[type, Callable[[Texts, Any], Lines]]] = {
    said.Open: _open,
    said.Click: _click,
    said.LogIn: _log_in,
    said.Clear: _clear,
    said.Select: _select,
    said.Toggle: _toggle,
    said.Press: _press,
    said.Hover: _hover,
    said.Focus: _focus,
    said.Scroll: _scroll,
    said.Drag: _drag,
    said.Upload: _upload,
    said.WaitFor: _wait,
    said.Go: _go,
    said.SwitchTab: _switch_tab,
    said.CloseTab: _close_tab,
    said.Submit: _submit,
    said.Search: _search,
}
