"""Selector hints: CSS, or words for an element."""

from __future__ import annotations

from services.runs.engine.language.words import vocabulary

_TAGS = vocabulary(
    "a article aside b body button canvas caption code dd details dialog div dl dt em "
    "fieldset figure footer form h1 h2 h3 h4 h5 h6 header html i iframe img input label "
    "legend li main nav ol option p pre section select small span strong summary svg "
    "table tbody td textarea tfoot th thead time tr u ul video"
)
# Tags that are no English words, so that a hint of tags alone is CSS if one of these is among them.
_MARKUP = vocabulary(
    "aside dd div dl dt fieldset h1 h2 h3 h4 h5 h6 iframe img li nav ol p span svg tbody "
    "td textarea tfoot th thead tr ul"
)
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_SIGNS = frozenset("_-:")
_COMBINATORS = frozenset(">+~")


def is_css(hint: str) -> bool:
    """Whether a selector hint is CSS; it is read as English otherwise.

    CSS begins with a class, an id or an attribute, or with a tag of HTML that one of them, a
    pseudo-class or a combinator follows, or it is tags alone ("tbody tr", "footer a"). A bare word
    ("table") is English.
    """
    hint = hint.strip()
    words = hint.split()
    if all(word in _TAGS for word in words):
        return any(word in _MARKUP for word in words) or words[1:][-1:] == ["a"]
    end = 0
    while end < len(hint) and hint[end] in _NAME:
        end += 1
    tag, rest = hint[:end], hint[end:]
    if tag and tag not in _TAGS and ("-" not in tag or not tag[0].isalpha()):
        return False
    if not rest:
        return False
    if rest[0] in ".#[:":
        return rest[1:2].isalpha() or rest[1:2] in _SIGNS
    return bool(tag) and rest.lstrip(" ")[:1] in _COMBINATORS
