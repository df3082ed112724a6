"""Values and the fields they go into: `"a" in "Email" and "b" in "Password"`, `Email: ${email}`.

Each part must be read whole. Words that only describe a value ("a valid address") are none.
"""

from __future__ import annotations

from services.runs.engine.language.heads import number_of, ordinal_of
from services.runs.engine.language.models import Pairs, Target, Value
from services.runs.engine.language.targets import read_target
from services.runs.engine.language.tokens import Phrase, Token, only_slot
from services.runs.engine.language.words import (
    DETERMINERS,
    FIELD_ROLES,
    FORBIDDEN,
    NO_BEGINNING,
    NO_VALUES,
    NUMBERS,
    ORDINALS,
    PLAIN_NOUNS,
    ROLE_NOUNS,
)

INTO = frozenset({"into", "in", "inside", "to", "as", "for", "within", "on", "at"})
_INSIDE = frozenset({"in", "into", "inside"})
_LINKS = frozenset({":", "=", "with", "to", "as", "is"})
# Nouns before a value that say nothing about its field: `enter the text "hello"`.
_TYPED = FIELD_ROLES | {None, "cell", "slider", "section"}
_SILENT = frozenset({"text", "value", "string", "phrase", "word", "words", "characters", "keyword"})
_OPTION_NOUNS = (PLAIN_NOUNS | {"option"}) - {"text", "comment"}
_LONGEST_LITERAL = 12


def value_of(text: str) -> Value:
    """A value from its template."""
    return Value(text, only_slot(text))


def is_literal(token: Token) -> bool:
    """Whether a token stands for itself: quoted, a placeholder, or shaped like data."""
    if token.literal:
        return True
    word = token.word
    return token.kind == "word" and (
        any(character.isdigit() for character in word) or "@" in word[1:] or "://" in word
    )


def read_literal(phrase: Phrase, *, words: bool) -> Value | None:
    """Read a whole phrase as one value.

    Args:
        phrase: The value's words.
        words: Whether plain words may be a value ("hello world"), because the field is named.
    """
    if len(phrase) == 1 and is_literal(phrase[0]):
        return value_of(phrase[0].text)
    if not words or not 0 < len(phrase) <= _LONGEST_LITERAL:
        return None
    if any(token.kind != "word" or token.word in NO_VALUES for token in phrase):
        return None
    if any(token.word in FORBIDDEN for token in phrase) or phrase.word(0) in NO_BEGINNING:
        return None
    # "Two" may be typed as 2 or as it is written.
    return None if phrase.word(0) in NUMBERS else value_of(phrase.text)


def read_option(phrase: Phrase) -> Value | None:
    """Read an option's name: `the color Red`, `the "Express" option`, `Large`."""
    while len(phrase) and phrase.word(0) in DETERMINERS and len(phrase) > 1:
        if phrase.word(0) != "the":
            return None
        phrase = phrase.cut(1)
    quotes = [token for token in phrase if token.literal]
    if len(quotes) == 1 and len(phrase) > 1:
        nouns = {token.word for token in phrase if not token.literal}
        return value_of(quotes[0].text) if nouns <= _OPTION_NOUNS else None
    if quotes and len(phrase) > 1:
        return None
    if len(phrase) > 1 and phrase.word(0) in _OPTION_NOUNS:
        phrase = phrase.cut(1)
    if phrase.word(-1) == "option" and len(phrase) > 1:
        phrase = phrase.cut(0, len(phrase) - 1)
    if phrase.word(0) in ORDINALS or ordinal_of(phrase.word(0)) is not None:
        return None
    if any(word in ("and", ",") or (word,) in ROLE_NOUNS for word in phrase.words):
        return None
    return read_literal(phrase, words=True)


def read_pairs(phrase: Phrase) -> Pairs | None:
    """Read values with their fields.

    Either every value names its field, or none does; a mixture is not read, because in
    `"x" in "A" and "B"` nobody knows whether "B" is a value or a field.
    """
    pairs: list[tuple[Value, Target | None]] = []
    for part in _parts(phrase):
        pair = _pair(part)
        if pair is None:
            return None
        pairs.append(pair)
    named = {field is not None for _, field in pairs}
    return tuple(pairs) if len(named) == 1 else None


def read_assignments(phrase: Phrase, links: frozenset[str]) -> Pairs | None:
    """Read fields with their values: `"Email" with ${email} and "Name" with "Ada"`."""
    pairs: list[tuple[Value, Target | None]] = []
    for part in _parts(phrase):
        positions = [index for index, word in enumerate(part.words) if word in links and index]
        if not positions:
            return None
        pair = _assignment(part.cut(0, positions[-1]), part.cut(positions[-1] + 1))
        if pair is None:
            return None
        pairs.append(pair)
    return tuple(pairs)


def _assignment(field: Phrase, literal: Phrase) -> tuple[Value, Target | None] | None:
    target = read_target(without_content(field))
    value = read_literal(literal, words=True)
    if target is None or value is None or not _apart(literal, target):
        return None
    return value, target


def without_content(field: Phrase) -> Phrase:
    """Without "the text in" before a field."""
    start = 1 if field.word(0) in DETERMINERS else 0
    if field.word(start) in ("text", "value", "content") and field.word(start + 1) in ("in", "of"):
        return field.cut(start + 2)
    return field


def _apart(value: Phrase, target: Target) -> bool:
    """Whether a value is quoted, or more than the field's own name again."""
    return value[0].literal or value.text.casefold() != target.text.casefold()


def _parts(phrase: Phrase) -> list[Phrase]:
    """Cut at commas, "and" and "&"."""
    parts: list[Phrase] = []
    start = 0
    for index, token in enumerate(phrase):
        if token.word in (",", "and", "&"):
            if index > start:
                parts.append(phrase.cut(start, index))
            start = index + 1
    parts.append(phrase.cut(start))
    return parts


def _pair(part: Phrase) -> tuple[Value, Target | None] | None:
    """One value, with its field before or behind it."""
    if not len(part):
        return None
    if is_literal(part[0]):
        return _value_first(part, 1)
    ends = [index for index, token in enumerate(part) if is_literal(token)]
    if ends and part.word(0) not in INTO:
        before, end = part.cut(0, ends[0]), ends[0]
        # A silent noun, or a noun whose value then names its field: `the email ${e} in "Login"`.
        if _is_silent(before) or (len(part) > end + 1 and part.word(end + 1) in INTO):
            return _value_first(part.cut(end), 1)
        if len(part) == end + 1 and not _INSIDE & set(before.words):
            return _field_first(before, part.cut(end))
    return _words_first(part)


def _is_silent(phrase: Phrase) -> bool:
    words = [word for word in phrase.words if word not in DETERMINERS]
    return all(word in _SILENT for word in words)


def _field_first(field: Phrase, literal: Phrase) -> tuple[Value, Target | None] | None:
    if field.word(-1) in _LINKS and len(field) > 1:
        field = field.cut(0, len(field) - 1)
    target = read_target(field)
    value = read_literal(literal, words=False)
    return None if target is None or value is None else (value, target)


def _value_first(part: Phrase, length: int) -> tuple[Value, Target | None] | None:
    """`VALUE` or `VALUE in FIELD`."""
    value = read_literal(part.cut(0, length), words=length > 1 or not is_literal(part[0]))
    if value is None:
        return None
    if len(part) == length:
        return value, None
    if part.word(length) not in INTO:
        return None
    target = read_target(part.cut(length + 1))
    if target is None or target.role not in _TYPED:
        return None
    if not _apart(part.cut(0, length), target):
        return None
    return value, target


def _words_first(part: Phrase) -> tuple[Value, Target | None] | None:
    """A value in plain words; only with a named field, and with one word that leads to it."""
    leads = [index for index, word in enumerate(part.words) if word in ("into", "in")]
    if len(leads) != 1 or leads[0] == 0:
        return None
    return _value_first(part, leads[0])


def read_credentials(phrase: Phrase) -> Pairs | None:
    """Read what stands behind "log in": `with V and V2`, `as V with password V2`."""
    while len(phrase) and phrase.word(0) in (
        "with",
        "as",
        "using",
        "the",
        "credentials",
        ":",
    ):
        phrase = phrase.cut(1)
    pairs: list[tuple[Value, Target | None]] = []
    start = 0
    for index in range(len(phrase) + 1):
        if index == len(phrase) or phrase.word(index) in (",", "and", "with", "using", "/", "&"):
            part = phrase.cut(start, index)
            start = index + 1
            if not len(part):
                continue
            pair = _pair(part)
            if pair is None:
                return None
            pairs.append(pair)
    return tuple(pairs) if 1 < len(pairs) <= 3 else None


def read_count(word: str) -> int | None:
    """A number of times: `3`, `three`; at most 20."""
    number = number_of(word)
    return number if number is not None and 0 < number <= 20 else None
