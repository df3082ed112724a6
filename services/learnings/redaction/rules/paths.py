r"""Absolute paths of files.

A file's path and a URL's look alike. Taken for a file's is what begins with ``/`` at the beginning
of a word and has two segments or more, unless an HTTP method stands before it or its first segment
is one that web interfaces use (``/v1/…``, ``/api/…``). ``~/…``, relative paths, templates
(``/users/{id}``) and addresses with a scheme stay; ``file:``, ``C:\…`` and ``\\server\…`` go.
"""

from __future__ import annotations

import re
from typing import Final

PATH: Final = "<path>"

_SEGMENT: Final = r"[^\s/\\:*?\"'<>|,;()\[\]{}`\x00]"
_ROUTES: Final = (
    r"v[0-9]{1,3}(?:(?:alpha|beta)[0-9]{1,3})?|apis?|auth|oauth2?|users|admin|health|ready|docs"
    r"|static|assets|internal|graphql|log(?:in|out)|socket|ws|\.well-known|swagger-ui|repos|orgs"
)
_METHODS: Final = "".join(
    rf"(?<!\b{method} /)" for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
)
_UNIX: Final = re.compile(
    rf"/(?!/)(?<![\w./\\~)\]}}$*%@&?#+<-]/)(?!(?:{_ROUTES})/){_METHODS}"
    rf"{_SEGMENT}++(?:/++{_SEGMENT}++)++/*+"
)
_FILE: Final = re.compile(
    rf"file:(?<![A-Za-z0-9]file:)(?://[A-Za-z0-9.-]{{0,64}}+)?(?:/++{_SEGMENT}++)++/*+"
)
# Words with single spaces between them. No look-around stands inside a possessive group: Python
# before 3.11.5 reads those wrongly.
_WORD: Final = r"[^\\/:*?\"<>|\s\x00]{1,128}+"
# From the colon on; the drive's letter before it goes too.
_DRIVE: Final = re.compile(
    r":(?<=[A-Za-z]:)(?<![A-Za-z0-9][A-Za-z]:)[\\/]++"
    rf"(?:{_WORD}(?:\x20{_WORD}){{0,32}}[\\/]++)*"
    r"(?:[^\s\\/:*?\"'<>|,;()`\x00]++)?"
)
_NETWORK: Final = re.compile(
    rf"\\\\(?<!\\\\\\)(?:(?!\\)[A-Za-z0-9][\w.-]{{1,62}}+(?:\\(?!\\){_SEGMENT}++)++"
    rf"|\\\\(?!\\)[A-Za-z0-9][\w.-]{{1,62}}+(?:\\\\(?!\\){_SEGMENT}++)++)"
)
_SEPARATORS: Final = re.compile(r"[\\/]")


def removed(text: str) -> str:
    """Give the text with the last segments of absolute paths only."""
    if ":\\" in text or ":/" in text:
        text = _without_drives(text)
    if "\\\\" in text:
        text = _NETWORK.sub(_last, text)
    if "/" in text:
        if "file:" in text:
            text = _FILE.sub(_last, text)
        text = _UNIX.sub(_last, text)
    return text


def _last(match: re.Match[str]) -> str:
    return PATH + last_segment(match[0])


def _without_drives(text: str) -> str:
    parts: list[str] = []
    done = 0
    for match in _DRIVE.finditer(text):
        parts += text[done : match.start() - 1], _last(match)
        done = match.end()
    return text if not parts else "".join((*parts, text[done:]))


def last_segment(path: str) -> str:
    """Give the last part of a path, whatever its separators; empty of an empty one."""
    return _SEPARATORS.split(path.rstrip("\\/ "))[-1]
