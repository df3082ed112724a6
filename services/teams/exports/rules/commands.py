"""Commands that fetch something and run it unread, as shells and agents would carry them out.

What is found is a hint for people: a warning against such a command is found, too. Each pattern
is bounded or begins at a rare character, so that the time grows with the length of the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from services.teams.exports.models import FindingKind

# Shells ignore these inside a word, so `cu""rl` and `i``ex` are `curl` and `iex`; and a line that
# ends in a backslash or a pipe goes on. A table of Markdown begins and ends its lines with pipes.
_CONTINUED: Final = re.compile(r"\\\r?\n|`\r?\n|\|[ \t]*\r?\n(?!\s{0,8}\|)")
_IGNORED: Final = re.compile("[\"'\\\\`^\u00ad\u200b-\u200f\u2060-\u2064\ufeff]+")
_SPACES: Final = re.compile(r"[ \t\u00a0]+")

_FETCH: Final = r"(?:curl|wget|fetch|aria2c|lynx|lwp-download)(?:\.exe)? (?![|&;])"
_PATH: Final = r"(?:[\w.~$/{}-]{0,60}/)?"
_BEFORE: Final = (
    rf"(?:{_PATH}(?:sudo|doas|env|exec|nohup|time|command|xargs|nice|busybox)"
    r"(?: -[ugCDUpRT] [\w.-]{1,32}| -{1,2}[\w=-]{1,20}| \w{1,20}=[^\s|]{0,40}){0,4} ){0,4}"
)
_SHELL: Final = r"(?:ba|z|k|da|a|c|tc|fi)?sh(?:\.exe)?(?![\w.-])"
# With code of their own in an argument, these read what comes as data.
_LANGUAGE: Final = (
    r"(?:python[\d.]{0,4}|pypy3?|perl|ruby|node|deno|bun|php|lua|osascript|pwsh|powershell)"
    r"(?:\.exe)?(?![\w.])(?! -{1,2}(?:[a-z]{0,3}[ceEmnprR]|eval|print|command)\b)"
)
_RUN: Final = rf"{_BEFORE}{_PATH}(?:{_SHELL}|{_LANGUAGE})"

_FETCHES: Final = re.compile(rf"(?<![\w-]){_FETCH}", re.IGNORECASE)
_PIPED: Final = re.compile(rf"\|&? ?{_RUN}", re.IGNORECASE)
_SUBSTITUTED: Final = re.compile(
    rf"(?:(?<![\w-])(?:{_SHELL}|python[\d.]{{0,4}}|perl|ruby|node|eval|source)"
    rf"(?: -{{1,2}}[\w=-]{{1,20}}){{0,4}} |(?<![\w.])\. )(?:<?<\(|\$\() ?{_PATH}{_FETCH}",
    re.IGNORECASE,
)
_POWERSHELL: Final = re.compile(
    r"(?<![\w-])(?:iex|invoke-expression)[ ({&.]{1,8}"
    r"(?:iwr|irm|curl|wget|invoke-webrequest|invoke-restmethod|new-object|net\.webclient)(?!\w)"
    r"|\| ?(?:iex|invoke-expression)(?![\w-])"
    r"|\.download(?:string|file)\b ?\(",
    re.IGNORECASE,
)
_DECODES: Final = re.compile(
    r"(?<![\w-])(?:base(?:64|32)(?:\.exe)? (?:-[a-z]{1,8} ){0,3}(?:-d|-D|--decode)(?!\w)"
    r"|openssl (?:enc|base64)|xxd (?:-[a-z]{1,4} ?){1,3}|uudecode|gunzip|zcat)",
    re.IGNORECASE,
)
_ENCODED: Final = re.compile(
    r"(?<![\w-])(?:powershell|pwsh)(?:\.exe)?(?: -[a-z]{1,20}(?: [a-z]{1,20})?){0,6}"
    r" -e(?:c|nc|ncodedcommand)? [A-Za-z0-9+/=]{16}"
    r"|(?<!\w)(?:exec|eval)\( ?(?:\w{1,20}\.){0,3}(?:b64decode|a85decode|fromhex|atob)\("
    r"|\beval\(buffer\.from\(",
    re.IGNORECASE,
)
# Claude Code runs these before it reads a skill: https://code.claude.com/docs/en/skills
_INLINE: Final = re.compile(r"!`[^`\n]{1,400}`|^```!", re.MULTILINE)
# Claude Code and Gemini CLI replace these by the file named:
# https://code.claude.com/docs/en/memory and https://geminicli.com/docs/reference/memport
_IMPORT: Final = re.compile(r"(?<!\S)@(?:~|/|\.\.)[^\s]{1,200}")

# Without any of these nothing below can be found, and most texts have none.
_WORDS: Final = (
    *("curl", "wget", "fetch", "aria2c", "lynx", "lwp-", "iex", "invoke-", ".download", "base64"),
    *("base32", "openssl", "xxd", "uudecode", "gunzip", "zcat", "powershell", "pwsh", "b64decode"),
    *("a85decode", "fromhex", "atob", "buffer.from"),
)
_STRETCH: Final = 4000
_OVERLAP: Final = 200

Found = tuple[FindingKind, str]


def commands(text: str) -> Iterator[Found]:
    """Find commands in a text: the kind, and the line from where it begins.

    A line says each kind once for every few thousand characters.
    """
    if "!`" in text or "```!" in text:
        for match in _INLINE.finditer(text):
            yield FindingKind.INLINE_COMMAND, match[0]
    if "@" in text:
        for match in _IMPORT.finditer(text):
            yield FindingKind.FILE_IMPORT, match[0]
    joined = _CONTINUED.sub(lambda match: "| " if match[0][0] == "|" else " ", text)
    bare = _IGNORED.sub("", joined)
    lowered = bare.lower()
    if not any(word in lowered for word in _WORDS):
        return
    for line in _SPACES.sub(" ", bare).splitlines():
        yield from _in_line(line)


def _in_line(line: str) -> Iterator[Found]:
    """Look at a line in stretches: one search holds the interpreter from all other threads."""
    fetching = decoding = ""
    for start in range(0, max(1, len(line)), _STRETCH):
        stretch = line[start : start + _STRETCH + _OVERLAP]
        fetching, found = _piped_into(stretch, fetching, _FETCHES)
        if found:
            yield FindingKind.PIPE_TO_SHELL, found
        elif substituted := _SUBSTITUTED.search(stretch):
            yield FindingKind.PIPE_TO_SHELL, stretch[substituted.start() :]
        decoding, found = _piped_into(stretch, decoding, _DECODES)
        if found:
            yield FindingKind.ENCODED_COMMAND, found
        elif encoded := _ENCODED.search(stretch):
            yield FindingKind.ENCODED_COMMAND, stretch[encoded.start() :]
        if powershell := _POWERSHELL.search(stretch):
            yield FindingKind.POWERSHELL_DOWNLOAD, stretch[max(0, powershell.start() - 40) :]


def _piped_into(stretch: str, before: str, source: re.Pattern[str]) -> tuple[str, str]:
    """Follow a pipe: give the source that is under way, and the pipe where it ends in a shell.

    Args:
        stretch: what to look at.
        before: the source that an earlier stretch of the line held, or empty.
        source: what begins such a pipe.
    """
    if before and (piped := _PIPED.search(stretch)):
        return "", f"{before} ... {piped[0]}"
    if not (begun := source.search(stretch)):
        return before, ""
    if not (piped := _PIPED.search(stretch, begun.end())):
        return stretch[begun.start() : begun.start() + 40], ""
    return "", _around(stretch, begun.start(), piped.end())


def _around(line: str, start: int, end: int) -> str:
    """Keep both ends of a pipe in what is shown of it."""
    between = line[start:end]
    return between if len(between) <= 80 else f"{between[:40]} ... {between[-34:]}"
