"""Claims about the address, the title and who is logged in."""

from __future__ import annotations

from services.runs.engine.grammar.models import Check
from services.runs.engine.language.claim_presence import check
from services.runs.engine.language.claim_words import MOVED, STATES
from services.runs.engine.language.heads import strip_determiners
from services.runs.engine.language.sentences import Sentence
from services.runs.engine.language.things import Thing
from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.values import is_literal

_NOUNS = frozenset({"page", "path", "url", "address", "route"})
_TO = frozenset({"to", "on", "at", "onto"})


def url_is(sentence: Sentence, subject: Thing) -> Check | None:
    """`the url is /x`, `the url changes to /x`."""
    del subject
    rest = sentence.rest
    if rest.word(0) in ("to", "exactly", "equal"):
        rest = rest.cut(2 if rest.run(0, 2) == ("equal", "to") else 1)
    return _location(sentence, rest)


def path_is(sentence: Sentence, subject: Thing) -> Check | None:
    """`the path is /x`."""
    found = url_is(sentence, subject)
    return found if found is not None and "path_is" in found.parameters else None


def url_contains(sentence: Sentence, subject: Thing) -> Check | None:
    """`the url contains "x"`."""
    del subject
    return _compared("url", "contains", sentence, sentence.rest)


def url_starts(sentence: Sentence, subject: Thing) -> Check | None:
    """`the url starts with "https://x"`."""
    del subject
    return _compared("url", "starts_with", sentence, _behind_with(sentence.rest))


def url_ends(sentence: Sentence, subject: Thing) -> Check | None:
    """`the url ends with /x`."""
    del subject
    return _compared("url", "ends_with", sentence, _behind_with(sentence.rest))


def title_is(sentence: Sentence, subject: Thing) -> Check | None:
    """`the title is "x"`."""
    del subject
    return _compared("title", "equals", sentence, sentence.rest)


def title_contains(sentence: Sentence, subject: Thing) -> Check | None:
    """`the title contains "x"`."""
    del subject
    return _compared("title", "contains", sentence, sentence.rest)


def title_starts(sentence: Sentence, subject: Thing) -> Check | None:
    """`the title starts with "x"`."""
    del subject
    return _compared("title", "starts_with", sentence, _behind_with(sentence.rest))


def title_ends(sentence: Sentence, subject: Thing) -> Check | None:
    """`the title ends with "x"`."""
    del subject
    return _compared("title", "ends_with", sentence, _behind_with(sentence.rest))


def watcher_is(sentence: Sentence, subject: Thing) -> Check | None:
    """`the user is logged in`, `you are redirected to /x`, `we are on /x`."""
    rest = sentence.rest
    state = STATES.get(rest.words)
    if state in ("logged_in", "logged_out") and subject.kind == "watcher":
        return _empty_place(
            sentence, check("logged_in", negative=sentence.negative != (state == "logged_out"))
        )
    if rest.word(0) in MOVED:
        rest = rest.cut(1)
        rest = rest.cut(1) if rest.word(0) == "back" else rest
        return _location(sentence, rest.cut(1)) if rest.word(0) == "to" else None
    return _location(sentence, rest.cut(1)) if rest.word(0) in ("on", "at") else None


def watcher_lands(sentence: Sentence, subject: Thing) -> Check | None:
    """`I land on /x`, `the user arrives at /x`."""
    del subject
    return _location(sentence, sentence.rest.cut(1)) if sentence.rest.word(0) in _TO else None


def watcher_moves(sentence: Sentence, subject: Thing) -> Check | None:
    """`the page redirects to /x`, `the browser navigates to /x`."""
    del subject
    return _location(sentence, sentence.rest.cut(1)) if sentence.rest.word(0) == "to" else None


def _location(sentence: Sentence, rest: Phrase) -> Check | None:
    """A path or a whole URL; words for a page are not read."""
    rest = strip_determiners(rest)
    if len(rest) == 2 and rest.word(0) in _NOUNS:
        rest = rest.cut(1)
    elif len(rest) == 2 and rest.word(1) in _NOUNS:
        rest = rest.cut(0, 1)
    if len(rest) != 1:
        return None
    text = rest[0].text.strip()
    if any(character.isspace() for character in text):
        return None
    negative = sentence.negative
    if text.startswith(("http://", "https://")):
        return _empty_place(sentence, check("url", negative=negative, equals=text))
    if not text.startswith("/"):
        return None
    cut = min((text.find(mark) for mark in "?#" if mark in text), default=len(text))
    return _empty_place(
        sentence,
        check("url", negative=negative, path_is=text[:cut] or "/", contains=text[cut:] or None),
    )


def _compared(kind: str, how: str, sentence: Sentence, rest: Phrase) -> Check | None:
    rest = strip_determiners(rest)
    if len(rest) == 2 and rest.word(0) in ("text", "string", "word", "path"):
        rest = rest.cut(1)
    if len(rest) != 1 or not rest[0].text.strip():
        return None
    addressed = kind == "url" and rest[0].text.startswith(("/", "?", "#"))
    if not is_literal(rest[0]) and not addressed:
        return None
    return _empty_place(
        sentence, check(kind, negative=sentence.negative, **{how: rest[0].text.strip()})
    )


def _behind_with(rest: Phrase) -> Phrase:
    return rest.cut(1) if rest.word(0) in ("with", "in") else rest.cut(0, 0)


def _empty_place(sentence: Sentence, found: Check) -> Check | None:
    """The check, unless a place was said that it could not hold."""
    return None if len(sentence.place) else found
