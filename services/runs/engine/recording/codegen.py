"""What ``playwright codegen`` writes, in JavaScript, TypeScript or Python. Pure.

No program is executed or understood: only chains of calls that begin at a page, one after another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.runs.engine.generating.words import clean
from services.runs.engine.recording.models import MOST, Act, Kind, Name, Trace
from services.runs.engine.recording.naming import best, is_secret, words_of
from services.runs.engine.recording.posted import LONGEST_VALUE, keys_of

LONGEST: Final = 1024 * 1024
"""Characters that are read."""

MOST_CALLS: Final = 30
"""Of one chain."""

_START: Final = re.compile(r"(?<![\w.$])(expect\s*\(\s*)?(page\d*)\s*(?=[.)])")
_LINK: Final = re.compile(r"\s*\.\s*([A-Za-z_]\w*)\s*(\()?")
_STRING: Final = re.compile(
    r"""(?:[rubf]{0,2})("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)""", re.S
)
_PATTERN: Final = re.compile(
    r"""(?:re\.compile\(\s*r?["'](.+?)["']|(?:^|(?<=[\s(:]))/((?:\\.|[^/\n])+)/)"""
)
_TITLE: Final = re.compile(r"""(?<![\w.])test\(\s*(["'`])(.+?)\1""")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.S)
_OPTION: Final = re.compile(r"\b(\w+)\s*[:=]\s*$")

_DONE: Final[Mapping[str, Kind]] = {
    "click": "click",
    "tap": "click",
    "dblclick": "double_click",
    "fill": "fill",
    "type": "fill",
    "press_sequentially": "fill",
    "press": "press",
    "check": "check",
    "uncheck": "uncheck",
    "set_checked": "check",
    "select_option": "select",
    "hover": "hover",
    "clear": "fill",
}
_PAGE: Final[Mapping[str, Kind]] = {
    "go_back": "back",
    "go_forward": "forward",
    "reload": "reload",
}
_FOUND: Final = {
    "get_by_role",
    "get_by_label",
    "get_by_text",
    "get_by_placeholder",
    "get_by_test_id",
    "get_by_title",
    "get_by_alt_text",
    "locator",
}
_QUIET: Final = {
    *("close", "wait_for_load_state", "wait_for_url", "wait_for_timeout", "set_viewport_size"),
    *("once", "on", "wait_for_event", "expect_popup", "expect_download", "focus", "blur"),
    *("set_default_timeout", "pause", "context", "goto"),
}


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a chain: its name in snake case, its texts, its options."""

    name: str
    texts: tuple[str, ...]
    options: Mapping[str, str]
    source: str


def read(text: str) -> Trace:
    """Read a program; calls that are not understood are left out, with a warning."""
    acts: list[Act] = []
    warnings: list[str] = []
    for line, is_claim, chain in _chains(text[:LONGEST]):
        if len(acts) >= MOST:
            warnings.append(f"only the first {MOST} actions are used")
            break
        one = _claim(chain) if is_claim else _act(chain)
        if isinstance(one, Act):
            acts.append(one)
        elif one:
            warnings.append(f"line {line} is left out: {one}")
    title = _TITLE.search(text)
    named = clean(title[2]) if title else ""
    return Trace(tuple(acts), "" if named == "test" else named, warnings=tuple(warnings))


def _chains(text: str) -> Iterator[tuple[int, bool, list[_Call]]]:
    place, line, counted = 0, 1, 0
    while found := _START.search(text, place):
        line += text.count("\n", counted, found.start())
        counted = found.start()
        start = text.rfind("\n", 0, found.start()) + 1
        is_comment = text[start : found.start()].lstrip().startswith(("//", "#", "*"))
        chain, place = _chain(text, found.end())
        if found[1]:
            # Behind the bracket of expect stands what is claimed.
            closing = re.compile(r"\s*\)").match(text, place)
            claimed, place = _chain(text, closing.end()) if closing else ([], place)
            chain = [*chain, *claimed]
        place = max(place, found.end())
        if chain and not is_comment:
            yield line, bool(found[1]), chain


def _chain(text: str, place: int) -> tuple[list[_Call], int]:
    calls: list[_Call] = []
    while len(calls) < MOST_CALLS and (link := _LINK.match(text, place)):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", link[1]).lower()
        if not link[2]:
            calls.append(_Call(name, (), {}, ""))
            place = link.end()
            continue
        end = _closing(text, link.end())
        calls.append(_call(name, text[link.end() : end]))
        place = end + 1
    return calls, place


def _closing(text: str, place: int) -> int:
    """Find the bracket that closes a call, past texts and brackets within."""
    depth = 0
    while place < len(text):
        sign = text[place]
        if sign in "\"'`":
            string = _STRING.match(text, place)
            if string is None:
                return place
            place = string.end()
            continue
        if sign in "([{":
            depth += 1
        elif sign in ")]}":
            if depth == 0:
                return place
            depth -= 1
        place += 1
    return place


def _call(name: str, source: str) -> _Call:
    texts: list[str] = []
    options: dict[str, str] = {}
    for string in _STRING.finditer(source):
        value = _unescaped(string[1][1:-1])
        option = _OPTION.search(source, max(0, string.start() - 40), string.start())
        if option:
            options.setdefault(option[1].lower(), value)
        else:
            texts.append(value)
    if not texts and "name" not in options and (pattern := _PATTERN.search(source)):
        plain = re.sub(r"\\(.)", r"\1", pattern[1] or pattern[2]).strip("^$")
        if re.match(r".*\bname\s*[:=]", source[: pattern.start()], re.S):
            options["name"] = plain
        else:
            texts.append(plain)
    return _Call(name, tuple(texts), options, source)


def _unescaped(text: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": "", "v": "", "0": ""}

    def put(match: re.Match[str]) -> str:
        sign = match[1]
        if len(sign) > 1:
            return chr(int(sign[1:], 16))
        return plain.get(sign, sign)

    return _ESCAPE.sub(put, text)[:LONGEST_VALUE]


def _name(chain: list[_Call]) -> tuple[Name | None, bool]:
    """Give the name that the last locator of a chain says, and whether it is a secret's."""
    for call in reversed(chain):
        if call.name not in _FOUND:
            continue
        first = call.texts[0] if call.texts else ""
        if call.name == "get_by_role":
            # In Python the role is the first text, and the name an option, too.
            named = clean(call.options.get("name", ""))
            if named:
                return Name(named, first), is_secret(named)
        elif call.name == "locator":
            found = best([first])
            if found is not None:
                return found, is_secret(first, found.text)
        elif first:
            words = words_of(first) if call.name == "get_by_test_id" else clean(first)
            if words:
                return Name(words), is_secret(first)
    return None, False


def _act(chain: list[_Call]) -> Act | str:  # noqa: C901
    last = chain[-1]
    if len(chain) == 1 and last.name == "goto":
        return Act("open", url=last.texts[0]) if last.texts else "it names no address"
    if len(chain) == 1 and last.name in _PAGE:
        return Act(_PAGE[last.name])
    if chain[0].name == "keyboard" and last.name == "press" and last.texts:
        return _press(None, last.texts[0])
    kind = _DONE.get(last.name)
    if kind is None:
        is_quiet = last.name in _QUIET or last.name in _FOUND or chain[0].name in _QUIET
        return "" if is_quiet else "it calls nothing that is known"
    name, secret = _name(chain[:-1])
    texts = last.texts
    if name is None and len(chain) == 1 and texts:
        name, secret = best([texts[0]]), is_secret(texts[0])
        texts = texts[1:]
    value = texts[0] if texts else ""
    if kind == "press":
        return _press(name, value)
    if name is None:
        return "nothing says which element it is"
    if last.name == "set_checked" and re.search(r"\bfalse\b", last.source, re.IGNORECASE):
        kind = "uncheck"
    if last.name == "click" and last.options.get("button") == "right":
        kind = "right_click"
    if kind == "select":
        value = value or last.options.get("label", "") or last.options.get("value", "")
        return Act(kind, name, value) if value else "it names no option"
    return Act(kind, name, value, is_secret=secret and kind == "fill")


def _press(name: Name | None, text: str) -> Act | str:
    if text in ("Tab", "CapsLock", "Shift"):
        return ""
    keys = keys_of(text)
    return Act("press", name, keys) if keys else "it names no key"


def _claim(chain: list[_Call]) -> Act | str:
    last = chain[-1]
    if any(call.name in ("not", "not_to_be_visible") for call in chain):
        return "what is not to be there is claimed"
    value = clean(last.texts[0]) if last.texts else ""
    if last.name == "to_have_url":
        return Act("at", url=value) if value else "it names no address"
    name, _ = _name(chain[:-1])
    if last.name in ("to_contain_text", "to_have_text", "to_match_aria_snapshot"):
        return Act("says", name, value) if value and "\n" not in value else "it names no text"
    if last.name == "to_be_visible" and name is not None:
        return Act("sees", name, name.text)
    return "such a claim is unknown"
