"""Cases of words: documentation, a description, scenarios.

A sentence that the rules read as a step becomes one, a claim that they read becomes an expectation,
and what they do not read is left out. Headings begin cases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from services.runs.engine import language
from services.runs.engine.generating import markup
from services.runs.engine.generating.filling import fixture_named
from services.runs.engine.generating.forms import PASSWORD
from services.runs.engine.generating.models import Case, NothingUsable
from services.runs.engine.generating.words import clean, is_dangerous, slug
from services.runs.engine.grammar.templates import references

MOST_LINES: Final = 5_000
MOST_SENTENCES: Final = 5_000
MOST_STEPS: Final = 60
"""Of a case; the grammar takes 200."""

_LONGEST: Final = 500
_UNTITLED: Final = "Described"
_HEADING: Final = re.compile(
    r"\s{0,3}#{1,6}\s+(?P<marked>.+?)#*\s*$"
    r"|\s*(?:Scenario(?: Outline)?|Feature|Test(?: case)?(?: \d+)?)\s*:\s*(?P<named>.+)$",
    re.IGNORECASE,
)  # fmt: skip
_TITLED: Final = re.compile(r"\s*(?P<title>[A-Z][^.!?\"'`]{1,80}):\s*$")
_BULLET: Final = re.compile(r"^\s*(?:[-*+•>]|\(?\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?")
_LEADING: Final = re.compile(
    r"^(?:then|and|but|so|expected(?: result)?:|result:|note:)\s*,?\s+", re.I
)
_EMPHASIS: Final = re.compile(r"\*\*|__")
_LINK: Final = re.compile(r"\[([^\]\n]{1,200})\]\([^)\s]{0,500}\)")
_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'`“«])")
_CLAIMS: Final = re.compile(
    r"\b(should|must|sees?|expect(?:s|ed)?|shows?|shown|displays?|displayed|visible|appears?"
    r"|verify|check that|make sure|ensure|is|are|redirected|lands?|says?|contains?|returns?)\b",
    re.IGNORECASE,
)


@dataclass
class _Draft:
    title: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    expect: list[dict[str, Any]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    is_dangerous: bool = False


def cases_of_text(text: str, *, spare: bool = False) -> list[Case]:
    """Make cases of words.

    Args:
        text: plain, Markdown or HTML.
        spare: leave out what deletes, pays or ends something, because nobody asked for it.

    Raises:
        NothingUsable: no sentence in it can be carried out or checked.
    """
    plain = markup.text_of(text) if markup.is_html(text) else text
    cases: list[Case] = []
    seen: set[str] = set()
    for draft in _drafts(plain):
        if not (draft.steps or draft.expect) or (spare and draft.is_dangerous):
            continue
        own, number = slug(draft.title), 2
        while own in seen:
            own, number = f"{slug(draft.title)}-{number}", number + 1
        seen.add(own)
        cases.append(_case(own, draft))
    if not cases:
        raise NothingUsable(
            "no sentence of it is one that rules read; write steps such as: Click \"Save\", and "
            "claims such as: \"Saved\" is shown"
        )  # fmt: skip
    return cases


def sections(text: str) -> list[tuple[str, str]]:
    """Give the parts of a document, each with its heading; one where it has none.

    Args:
        text: plain, Markdown or HTML.
    """
    plain = markup.text_of(text) if markup.is_html(text) else text
    found: list[tuple[str, list[str]]] = [(_UNTITLED, [])]
    for line in plain.splitlines()[:MOST_LINES]:
        heading = _HEADING.match(line) if len(line) <= _LONGEST else None
        if heading:
            found.append((_title(next(one for one in heading.groups() if one)), []))
        found[-1][1].append(line)
    whole = [(name, "\n".join(lines).strip()) for name, lines in found]
    return [(name, body) for name, body in whole if body] or [(_UNTITLED, plain)]


def _title(words: str) -> str:
    return clean(_EMPHASIS.sub("", words))[:120] or _UNTITLED


def _case(own: str, draft: _Draft) -> Case:
    # A case that claims nothing would pass whatever happens.
    expect = draft.expect or [{"assert": "No error is shown"}]
    return Case(
        id=own,
        title=draft.title,
        area=draft.title,
        steps=tuple(draft.steps),
        expect=tuple(expect),
        fixtures={name: fixture_named(name) for name in draft.names if name != PASSWORD},
    )


def _drafts(text: str) -> Iterator[_Draft]:
    title = _UNTITLED
    draft = _Draft(title)
    for kind, words in _pieces(text):
        if kind == "heading":
            yield draft
            title = clean(_EMPHASIS.sub("", words))[:120] or title
            draft = _Draft(title)
            continue
        is_step, is_claim, names = _read(words)
        if is_step:
            opens = _opens(words)
            if draft.expect and (opens or len(draft.steps) >= MOST_STEPS):
                yield draft
                draft = _Draft(title)
            elif draft.expect:
                _wait_instead(draft)
            _add_step(draft, words, names)
        elif is_claim:
            draft.expect.append({"assert": words})
            draft.names |= names
    yield draft


def _add_step(draft: _Draft, words: str, names: set[str]) -> None:
    step: dict[str, Any] = {"do": words}
    if any("password" in name.lower() for name in names):
        step["secret"] = True
    draft.steps.append(step)
    draft.names |= names
    draft.is_dangerous |= is_dangerous(words)


def _wait_instead(draft: _Draft) -> None:
    """Let texts that are claimed between steps be waited for: claims are judged at the end."""
    for one in draft.expect:
        check = language.parse_claim(one["assert"])
        text = check.parameters.get("contains") if check and check.kind == "visible_text" else None
        is_text_only = check is not None and set(check.parameters) == {"contains"}
        if isinstance(text, str) and is_text_only and '"' not in text:
            draft.steps.append({"do": f'Wait for "{text}"'})
    draft.expect.clear()


def _read(words: str) -> tuple[bool, bool, set[str]]:
    """Tell whether a sentence is a step or a claim, and which names it holds."""
    names = set(references(words))
    if _CLAIMS.search(words) and language.parse_claim(words) is not None:
        return False, True, names
    if language.parse_step(words) is not None:
        return True, False, names
    return False, False, names


def _opens(words: str) -> bool:
    intents = language.parse_step(words) or ()
    return bool(intents) and type(intents[0]).__name__ == "Open"


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Give headings and sentences in order; fenced code is no prose."""
    fenced = False
    count = 0
    for line in text.splitlines()[:MOST_LINES]:
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        if fenced or not line.strip() or len(line) > 20 * _LONGEST:
            continue
        heading = _HEADING.match(line) or _TITLED.match(line)
        if heading:
            yield "heading", next(one for one in heading.groups() if one)
            continue
        for sentence in _sentences(line):
            count += 1
            if count > MOST_SENTENCES:
                return
            yield "sentence", sentence


def _sentences(line: str) -> Iterator[str]:
    plain = _LINK.sub(r'"\1"', _EMPHASIS.sub("", _BULLET.sub("", line)))
    for piece in _END.split(clean(plain)):
        words = _LEADING.sub("", piece).strip().rstrip(".!").strip()
        if 2 < len(words) <= _LONGEST:
            yield words[0].upper() + words[1:] if words[0].isalpha() else words
