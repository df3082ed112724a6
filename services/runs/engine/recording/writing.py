"""Acts as a suite's text that our own engine runs without a model. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from services.runs.engine import language
from services.runs.engine.generating.words import clean, slug
from services.runs.engine.grammar.parsing import parse
from services.runs.engine.recording.models import Act, Name, NothingRecorded

MOST_STEPS: Final = 200
"""Of one case (section 16)."""

LONGEST_NAME: Final = 200
_WIDE: Final = 10_000

_VERBS: Final[Mapping[str, str]] = {
    "click": "Click",
    "double_click": "Double-click",
    "right_click": "Right-click",
    "hover": "Hover over",
    "check": "Check",
    "uncheck": "Uncheck",
}
_ALONE: Final[Mapping[str, str]] = {
    "back": "Go back",
    "forward": "Go forward",
    "reload": "Reload the page",
}
_NO_PASSWORD: Final = re.compile(r"\b(pin|cvv|cvc|otp|token|key|code)\b", re.IGNORECASE)
_OF_CHANCE: Final = re.compile(r"^(\d{2,}|[0-9a-f-]{16,}|(?=.*\d)[\w-]{16,})$", re.IGNORECASE)
_PLAIN_ADDRESS: Final = re.compile(r"[^\s\"'`;,${}<>()\\|]{1,500}")


@dataclass(slots=True)
class _Names:
    """Fixtures of what cannot stand in a step: secrets, and texts that would be misread."""

    fixtures: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)

    def secret(self, act: Act) -> str:
        """Give the name of a secret; the same one for the same."""
        label = act.name.text if act.name else ""
        is_other = _NO_PASSWORD.search(label) is not None
        base = "secret_value" if is_other else "password"
        key = (base, act.value)
        if key not in self.secrets:
            how: dict[str, Any] = (
                {"gen": "string", "length": 12} if is_other else {"gen": "password"}
            )
            self.secrets[key] = self._add(base, how)
        return self.secrets[key]

    def text(self, value: str) -> str:
        """Give the name of a text as it is."""
        return self._add("text", {"gen": "literal", "value": value})

    def _add(self, base: str, how: dict[str, Any]) -> str:
        name, number = base, 1
        while name in self.fixtures:
            number += 1
            name = f"{base}_{number}"
        self.fixtures[name] = how
        return name


def write(acts: Sequence[Act], origin: str, title: str) -> tuple[str, list[Act], list[str]]:
    """Write a suite of one case.

    Args:
        acts: folded.
        origin: of the application.
        title: of the suite.

    Returns:
        Its text, the acts that it makes use of, and what was left out and why.

    Raises:
        NothingRecorded: no step is left.
    """
    names, steps, used = _Names(), list[dict[str, Any]](), list[Act]()
    warnings: list[str] = []
    last = _last_action(acts)
    for at, act in enumerate(acts):
        if act.kind in ("arrive", "heading", "at", "says") or (act.kind == "sees" and at > last):
            used.append(act)
            continue
        if len(steps) == MOST_STEPS:
            warnings.append(f"only the first {MOST_STEPS} steps are written")
            break
        step = _step(act, origin, names)
        if step is None or not language.parse_step(step["do"]):
            warnings.append(f"an action ({act.kind}) is left out: no step can say it")
            continue
        steps.append(step)
        used.append(act)
    if not steps:
        raise NothingRecorded("nothing in actions can be carried out")
    if names.secrets:
        warnings.append(
            "passwords are not kept: fixtures stand for them; name an existing account's in env"
        )
    return _checked(title, origin, names, steps, _expected(acts, last, origin)), used, warnings


def _last_action(acts: Sequence[Act]) -> int:
    claims = ("arrive", "heading", "at", "says", "sees")
    return max((at for at, act in enumerate(acts) if act.kind not in claims), default=-1)


def _quoted(text: str) -> str:
    text = clean(text)
    if not text or "${" in text or len(text) > LONGEST_NAME:
        return ""
    for sign in "\"'`":
        if sign not in text:
            return f"{sign}{text}{sign}"
    return ""


def _target(name: Name | None) -> str:
    return _quoted(name.text) if name is not None else ""


def _step(act: Act, origin: str, names: _Names) -> dict[str, Any] | None:
    if act.kind in _ALONE:
        return {"do": _ALONE[act.kind]}
    if act.kind == "open":
        place = _place(act.url, origin)
        return {"do": f"Open {place}"} if place else None
    if act.kind == "press":
        where = _target(act.name)
        return {"do": f"Press {act.value}" + (f" in {where}" if where else "")}
    target = _target(act.name)
    if not target:
        return None
    if act.kind == "sees":
        return {"do": f"Wait for {target}"}
    if act.kind == "fill":
        return _fill(act, target, names)
    if act.kind == "select":
        value = _quoted(act.value)
        return {"do": " ".join(("Select", value, "from", target))} if value else None
    return {"do": f"{_VERBS[act.kind]} {target}"}


def _fill(act: Act, target: str, names: _Names) -> dict[str, Any]:
    if act.is_secret:
        return {"do": f'Enter "${{{names.secret(act)}}}" into {target}', "secret": True}
    if not act.value:
        return {"do": f"Clear {target}"}
    value = _quoted(act.value) if act.value == clean(act.value) else ""
    if not value:
        value = f'"${{{names.text(act.value)}}}"'
    return {"do": f"Enter {value} into {target}"}


def _place(url: str, origin: str) -> str:
    """Give an address as a step opens it: a path within the application."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or parts.username or parts.password:
        return ""
    place = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    place += f"#{parts.fragment}" if parts.fragment else ""
    if f"{parts.scheme}://{parts.netloc}".lower() != origin.lower():
        place = f"{parts.scheme}://{parts.netloc}{place}"
    elif place.startswith("//"):
        return ""
    return place if _PLAIN_ADDRESS.fullmatch(place) else ""


def _expected(acts: Sequence[Act], last: int, origin: str) -> list[dict[str, Any]]:
    """Give what is claimed: what somebody asserted last, the last heading, or the address."""
    expected: list[dict[str, Any]] = []
    for act in acts[last + 1 :]:
        check = _claimed(act)
        if check is not None and check not in expected:
            expected.append(check)
    headings = [act.value for act in acts[last + 1 :] if act.kind == "heading"]
    if headings and not expected and (heading := _plain(headings[-1])):
        expected.append({"kind": "visible_text", "contains": heading})
    if not expected:
        expected.append(_address(acts, origin))
    return [{"check": check} for check in expected]


def _claimed(act: Act) -> dict[str, Any] | None:
    if act.kind in ("sees", "says") and (text := _plain(act.value)):
        return {"kind": "visible_text", "contains": text}
    if act.kind == "at":
        return _path(act.url)
    return None


def _plain(text: str) -> str:
    text = clean(text)
    return text[:LONGEST_NAME].strip() if "${" not in text else ""


def _address(acts: Sequence[Act], origin: str) -> dict[str, Any]:
    urls = [act.url for act in acts if act.url and act.kind != "at"]
    return _path(urls[-1] if urls else origin)


def _path(url: str) -> dict[str, Any]:
    """Claim a path; ids of chance in it are others the next time."""
    try:
        path = urlsplit(url).path or "/"
    except ValueError:
        path = "/"
    kept: list[str] = []
    for part in path.split("/"):
        if _OF_CHANCE.match(part) or "$" in part:
            return {"kind": "url", "contains": "/".join([*kept, ""]) or "/"}
        kept.append(part)
    return {"kind": "url", "path_is": path}


def _checked(
    title: str,
    origin: str,
    names: _Names,
    steps: list[dict[str, Any]],
    expect: list[dict[str, Any]],
) -> str:
    name = clean(title).replace("${", "$ {")[:LONGEST_NAME] or "Recorded"
    document: dict[str, Any] = {"suite": name, "id": slug(name, 100), "base_url": origin}
    if names.fixtures:
        document["fixtures"] = names.fixtures
    case = {"id": "recorded", "title": name, "steps": steps, "expect": expect}
    document["cases"] = [case]
    text = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=True, width=_WIDE, default_flow_style=False
    )
    parsed = parse(text)
    if parsed.suite is None:
        raise NothingRecorded(f"no suite can be made of it: {parsed.problems[0].message}")
    return text
