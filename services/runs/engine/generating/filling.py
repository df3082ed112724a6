"""How a field of a form is filled: with what fits it, and with what does not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.runs.engine.generating.models import SeenField, SeenForm
from services.runs.engine.generating.patterns import example_of
from services.runs.engine.generating.words import is_plain, quoted

TYPED: Final = frozenset(
    {"text", "email", "password", "tel", "url", "number", "search", "textarea"}
)
_PICKED: Final = frozenset({"select", "radio", "checkbox", "file", "date", "time"})
_NUMBER: Final = re.compile(r"-?\d{1,9}")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_CONFIRM: Final = re.compile(r"confirm|repeat|again|retype|verif", re.IGNORECASE)
_AGREE: Final = re.compile(r"agree|accept|terms|privacy|consent|conditions", re.IGNORECASE)
_PAYING: Final = re.compile(
    r"card number|cardnumber|cvc|cvv|\biban\b|security code|expir", re.IGNORECASE
)

_BY_WORDS: Final[Sequence[tuple[re.Pattern[str], str, Mapping[str, Any]]]] = tuple(
    (re.compile(words, re.IGNORECASE), name, fixture)
    for words, name, fixture in (
        (r"e-?mail", "email", {"gen": "unique_email"}),
        (r"first.?name|given.?name|forename", "first_name", {"gen": "first_name"}),
        (r"last.?name|family.?name|surname", "last_name", {"gen": "last_name"}),
        (r"user.?name|nick.?name|login|handle", "username", {"gen": "username"}),
        (r"company|organi[sz]ation|employer", "company", {"gen": "company"}),
        (r"phone|mobile|\btel\b", "phone", {"gen": "phone"}),
        (r"zip|postal|post.?code", "postcode", {"gen": "literal", "value": "1010"}),
        (r"city|town", "city", {"gen": "literal", "value": "Vienna"}),
        (r"country", "country", {"gen": "literal", "value": "Austria"}),
        (r"street|address", "address", {"gen": "address"}),
        (r"website|homepage|\burl\b|\blink\b", "website", {"gen": "literal", "value": "https://example.com/"}),
        (r"message|comment|bio|descri|note|about|feedback", "sentence", {"gen": "sentence"}),
        (r"name", "full_name", {"gen": "name"}),
    )
)  # fmt: skip
_BY_TYPE: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "email": ("email", {"gen": "unique_email"}),
    "password": ("password", {"gen": "password"}),
    "tel": ("phone", {"gen": "phone"}),
    "url": ("website", {"gen": "literal", "value": "https://example.com/"}),
    "textarea": ("sentence", {"gen": "sentence"}),
}


@dataclass(frozen=True, slots=True)
class Filled:
    """Steps that fill a field, and the fixtures that they name."""

    steps: tuple[Mapping[str, Any], ...]
    fixtures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def name_in_step(seen: SeenField) -> str:
    """Give the field's label in quotes; empty where no step can name it."""
    return quoted(seen.label)


def is_password(seen: SeenField) -> bool:
    """Tell whether a password is typed there."""
    return seen.type == "password"


def is_email(seen: SeenField) -> bool:
    """Tell whether an e-mail address is typed there."""
    return seen.type == "email" or "email" in (seen.autocomplete, seen.name.lower())


def is_confirmation(seen: SeenField) -> bool:
    """Tell whether a password is to be repeated there."""
    return is_password(seen) and bool(_CONFIRM.search(f"{seen.label} {seen.name}"))


def takes_payment(form: SeenForm) -> bool:
    """Tell whether a form asks for means of payment."""
    return any(
        one.autocomplete.startswith("cc-") or _PAYING.search(f"{one.label} {one.name}")
        for one in form.fields
    )


def typed(seen: SeenField, value: str, *, secret: bool = False) -> Mapping[str, Any]:
    """Give the step that types a value: words without quotes in them, or one ``${name}``."""
    told = value if value.startswith("${") else f'"{value}"'
    step: dict[str, Any] = {"do": f"Enter {told} into {name_in_step(seen)}"}
    return step | ({"secret": True} if secret or is_password(seen) else {})


def emptied(seen: SeenField) -> tuple[Mapping[str, Any], ...]:
    """Give the steps that leave a field empty."""
    return ({"do": f"Clear the {name_in_step(seen)} field"},) if seen.value else ()


def is_needed(seen: SeenField, form: SeenForm) -> bool:
    """Tell whether a form cannot do without that field, said or not."""
    if seen.required:
        return True
    if form.kind in ("login", "signup"):
        return is_password(seen) or is_email(seen) or (seen.type == "checkbox" and agrees(seen))
    return form.kind == "search" and seen.type in TYPED


def agrees(seen: SeenField) -> bool:
    """Tell whether ticking it accepts terms."""
    return bool(_AGREE.search(f"{seen.label} {seen.name}"))


def filled(seen: SeenField, form: SeenForm) -> Filled | None:
    """Fill a field with something that fits it.

    Returns:
        None where no value can be told to fit, or no step can name the field.
    """
    name = name_in_step(seen)
    if seen.type == "radio":
        first = next((quoted(one) for one in seen.options if quoted(one)), "")
        return _only(f"Select the radio button {first}") if first else None
    if not name:
        return None
    if seen.type in TYPED:
        return _filled_by_typing(seen, form)
    return _picked(seen, name) if seen.type in _PICKED else None


def _picked(seen: SeenField, name: str) -> Filled | None:
    if seen.type == "select":
        # The first is what stands there already, often an invitation to choose.
        option = next((quoted(one) for one in seen.options[1:] if quoted(one)), "")
        return _only(f"Choose {option} in {name}") if option else None
    if seen.type == "checkbox":
        return _only(f"Tick the {name} checkbox")
    if seen.type == "file":
        return _only(f"Upload a 1 KB PNG to {name}")
    if seen.type == "time":
        return _only(f'Enter "10:30" into {name}')
    given = next((one for one in (seen.min, seen.max) if one and _DATE.fullmatch(one)), None)
    if given:
        return _only(f'Enter "{given}" into {name}')
    fixture = {"gen": "date", "format": "YYYY-MM-DD", "offset_days": 7}
    return Filled(({"do": f"Enter ${{next_week}} into {name}"},), {"next_week": fixture})


def _only(sentence: str) -> Filled:
    return Filled(({"do": sentence},))


def _filled_by_typing(seen: SeenField, form: SeenForm) -> Filled | None:
    if seen.type == "number":
        number = _number_of(seen)
        return None if number is None else Filled((typed(seen, number),))
    if form.kind == "search":
        return Filled((typed(seen, "test"),))
    if seen.pattern:
        example = example_of(seen.pattern)
        fits = example is not None and is_plain(example) and '"' not in example
        return Filled((typed(seen, example),)) if example and fits else None
    name, fixture = _fixture_of(seen)
    name, fixture = _of_length(seen, name, fixture)
    return Filled((typed(seen, f"${{{name}}}"),), {name: fixture})


def _number_of(seen: SeenField) -> str | None:
    for given in (seen.min, seen.max):
        if given:
            return given if _NUMBER.fullmatch(given) else None
    return "1"


def fixture_named(name: str) -> Mapping[str, Any]:
    """Give a fixture for a name that a text uses, by what the name says."""
    words = name.replace("_", " ").replace("-", " ")
    if "password" in words.lower():
        return _BY_TYPE["password"][1]
    known = (fixture for pattern, _, fixture in _BY_WORDS if pattern.search(words))
    return next(known, {"gen": "string", "length": 8})


def _fixture_of(seen: SeenField) -> tuple[str, Mapping[str, Any]]:
    if seen.type in _BY_TYPE:
        return _BY_TYPE[seen.type]
    words = f"{seen.label} {seen.name} {seen.autocomplete}"
    for pattern, name, fixture in _BY_WORDS:
        if pattern.search(words):
            return name, fixture
    return "words", {"gen": "string", "length": 8}


_SHORTEST: Final = {"unique_email": 40, "sentence": 80, "address": 60, "password": 16, "name": 30}


def _of_length(
    seen: SeenField, name: str, fixture: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """Keep a fixture where it surely has a fitting length, else make a text of the right one."""
    most, least = seen.maxlength, seen.minlength or 0
    usual = 8 if fixture["gen"] == "string" else _SHORTEST.get(str(fixture["gen"]), 24)
    if seen.type == "email" or ((most is None or most >= usual) and least <= min(usual, 8)):
        return name, fixture
    length = max(1, min(max(least, 8), 200, most if most is not None else 200))
    return f"text_of_{length}", {"gen": "string", "length": length}
