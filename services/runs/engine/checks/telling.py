"""Saying for people what a check asks, its values put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from services.runs.engine.checks.looking import Eye, comparison, quoted

_COUNTS: Final = {"equals": "", "at_least": "at least ", "at_most": "at most "}


def expectation(eye: Eye) -> str:
    """Say what a check asks."""
    tell = _TELLERS.get(eye.check.kind)
    text = eye.check.kind if tell is None else tell(eye)
    return f"not: {text}" if eye.check.parameters.get("not") else text


def _where(eye: Eye) -> str:
    return "" if eye.hint is None else f" in {eye.hint_in_words()}"


def _visible_text(eye: Eye) -> str:
    given = (eye.text("contains"), eye.text("equals"), *eye.texts("all_of"))
    wanted = [quoted(text) for text in given if text]
    if any_of := eye.texts("any_of"):
        wanted.append("one of " + ", ".join(map(quoted, any_of)))
    return f"the text {' and '.join(wanted)}{_where(eye)}"


def _absent_text(eye: Eye) -> str:
    return f"no text {', '.join(map(quoted, eye.texts('any_of')))}{_where(eye)}"


def _attribute(eye: Eye) -> str:
    asked = comparison(eye) or "is present"
    return f"{eye.text('name')} of {eye.hint_in_words()} {asked}"


def _count(eye: Eye) -> str:
    numbers = [f"{word}{text}" for name, word in _COUNTS.items() if (text := eye.text(name))]
    return f"{' and '.join(numbers)} of {eye.hint_in_words()}"


def _request(eye: Eye) -> str:
    status = eye.text("status")
    asked = f"a {eye.text('method') or 'any'} request to {eye.text('url')}"
    return f"{asked} with status {status}" if status else asked


def _api(eye: Eye) -> str:
    asked = f"{eye.text('method') or 'GET'} {eye.text('url')} answers {eye.text('status') or '2xx'}"
    if path := eye.text("json_path"):
        asked += f" with {path}"
    if (equals := eye.text("equals")) is not None:
        asked += f" being {quoted(equals)}"
    return asked


def _state(word: str) -> Callable[[Eye], str]:
    return lambda eye: f"{eye.hint_in_words()} is {word}"


_TELLERS: Final[Mapping[str, Callable[[Eye], str]]] = {
    "visible_text": _visible_text,
    "absent_text": _absent_text,
    "url": lambda eye: f"the address {comparison(eye)}",
    "title": lambda eye: f"the title {comparison(eye)}",
    "value": lambda eye: f"{eye.hint_in_words()} {comparison(eye)}",
    "attribute": _attribute,
    "count": _count,
    "request": _request,
    "api": _api,
    "element_visible": _state("visible"),
    "enabled": _state("enabled"),
    "disabled": _state("disabled"),
    "checked": _state("checked"),
    "error_shown": lambda eye: f"an error{_where(eye)}",
    "screenshot": lambda eye: f"the picture {eye.text('name')}",
    "no_console_errors": lambda eye: "no errors in the console",
    "logged_in": lambda eye: "logged in",
}
