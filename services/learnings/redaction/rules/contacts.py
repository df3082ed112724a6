"""Addresses of mail, and what looks like a telephone number.

Numbers of other kinds must survive: floats, times, hashes, versions, network addresses.
"""

from __future__ import annotations

import re
from typing import Final

EMAIL: Final = "<email>"
PHONE: Final = "<phone>"

_HOST: Final = re.compile(r"@(?!v?[0-9]{1,5}\.[0-9])(?:[\w-]{1,63}+\.)+[^\W\d_]{2,24}+(?!\()")
_REPOSITORY: Final = "tig"
"""Backwards: ``git@github.com:org/repo`` is where a repository is, and nobody's address."""

_LOCAL: Final = re.compile(r"[\w.%+-]++")

# Begins with a character rather than with what may not stand before it: that is found faster.
_PHONE: Final = re.compile(
    r"[+(0-9](?<![\w.:/+-][+(0-9])(?:"
    r"(?<=\+)(?![0-9]++\.[0-9]++(?![.0-9-]))[0-9](?:[ ().-]{0,2}[0-9]){8,14}"
    r"|(?<=\+)1[ .-](?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}"
    r"|(?<=1)[ .-](?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}"
    r"|(?<=\()[0-9]{3}\) ?[0-9]{3}[ .-][0-9]{4}"
    r"|(?<=[0-9])[0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4}"
    r"|(?<=0)[0-9]{1,4}[ /-][0-9]{3,4}[ -]?[0-9]{3,6}"
    r")(?![\w/]|[.:-][0-9])"
)


def removed(text: str) -> str:
    """Give the text without addresses and telephone numbers."""
    if "@" in text:
        text = _without_mail(text)
    return _PHONE.sub(PHONE, text)


def _without_mail(text: str) -> str:
    backwards = text[::-1]
    parts: list[str] = []
    done = 0
    for host in _HOST.finditer(text):
        local = _LOCAL.match(backwards, len(text) - host.start(), len(text) - done)
        if local is not None and local[0] != _REPOSITORY:
            parts += text[done : host.start() - len(local[0])], EMAIL
            done = host.end()
    return text if not parts else "".join((*parts, text[done:]))
