"""Reading stack traces: the deepest frame of the application itself, and what was thrown.

Deepest is the frame nearest to the fault that is neither the language's nor a library's. Lines come
from outside: patterns are bounded and tried on cut lines, so that none costs more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from services.runs.causes.models import Frame

_LONGEST: Final = 500
"""Characters of a line that are looked at."""

_PYTHON: Final = re.compile(r'\s*File "([^"\n]{1,300})", line (\d{1,7})(?:, in ([^\s]{1,120}))?')
_JAVA: Final = re.compile(
    r"\s*at (?:[\w.-]{1,80}(?:@[\w.-]{1,40})?/{1,2})?"
    r"([\w$.]{1,250})\.([\w$<>]{1,120})\(([\w$.-]{1,120}):(\d{1,7})\)"
)
_NODE: Final = re.compile(
    r"\s*at (?:(?:async |new )?([^\s()]{1,120})(?: \[as [^\]\s]{1,80}\])? \()?(?:async )?"
    r"((?:file://)?[^\s():]{0,4}:?[^\s():]{1,300}):(\d{1,7}):\d{1,7}\)?\s*$"
)
_GO_PLACE: Final = re.compile(r"\s+([^\s:]{1,300}\.go):(\d{1,7})(?: \+0x[0-9a-f]{1,16})?\s*$")
_GO_FUNCTION: Final = re.compile(r"(?:created by )?([\w./*()\-]{1,200}?)(?:\([^)]{0,200}\))?\s*$")
_RUBY: Final = re.compile(
    r"\s*(?:from |\d{1,4}: from )?([^\s:'\"`]{1,300}\.(?:rb|rake|ru|erb)):(\d{1,7})"
    r"(?::in [`'\"]([^'\"`]{1,120})['\"`])?"
)

_NOT_OURS: Final = {
    "python": re.compile(
        r"(?:^|/)(?:site-packages|dist-packages)/|/lib/python\d|^<|/asyncio/|importlib"
    ),
    "java": re.compile(
        r"^(?:java|javax|jdk|sun|com\.sun|jakarta|kotlin|kotlinx|scala|akka|groovy|clojure"
        r"|org\.(?:springframework|apache|hibernate|eclipse|jboss|postgresql|junit|slf4j|glassfish)"
        r"|io\.(?:netty|undertow|micrometer|quarkus|vertx|micronaut|opentelemetry|grpc)|reactor"
        r"|ch\.qos|com\.(?:zaxxer|fasterxml|mysql|google\.common|oracle))\."
    ),
    "node": re.compile(r"(?:^|/)node_modules/|^node:|^internal/|^<|^native$"),
    "go": re.compile(
        r"/(?:usr/(?:local/)?(?:lib/)?go|go\d[\w.]*|sdk/go[\w.]*)/src/|/pkg/mod/|/vendor/"
    ),
    "ruby": re.compile(r"/gems/|/lib/ruby/|^<internal"),
}
_GO_PANICKING: Final = re.compile(r"^(?:panic|runtime[./]|testing\.)")

_CAUSED: Final = re.compile(r"\s*Caused by: ")
_TRACEBACK: Final = "Traceback (most recent call last)"
_THROWN: Final = re.compile(
    r"\s*(?:Caused by: |Exception in thread \"[^\"]{0,80}\" |Uncaught |Unhandled |panic: )?"
    r"((?:[A-Za-z_][\w$]{0,80}[.:]{1,2}){0,12}[A-Z][\w$]{0,80}"
    r"(?:Error|Exception|Fault|Failure|Panic|Violation|Timeout|NotFound|Interrupt|Exit)\b"
    r"(?:: ?.{0,400})?)"
)
_RAISED_IN_RUBY: Final = re.compile(
    r":in [`'\"][^'\"`]{1,120}['\"`]: (.{1,300}\([A-Z][\w:]{0,80}\))"
)
_NAMED: Final = re.compile(r"[\s\]\"'=]([A-Za-z_][\w.$]{2,160}(?:Error|Exception))(?=[:\s\"(]|$)")
_PANIC: Final = re.compile(r"\s*(panic: .{1,300})")
CONTINUES: Final = re.compile(
    r"\s+\S|Traceback \(most recent|Caused by: |\.\.\. \d|goroutine \d|During handling|"
    r"The above exception|at \S|created by |[\w./*()\-]{1,120}\([^)\s]{0,80}\)\s*$"
)
"""How a line begins that belongs to the one before it."""


def is_thrown(text: str) -> bool:
    """Tell whether a text holds an exception, a panic or a stack trace, by how it looks."""
    lines = [line[:_LONGEST] for line in text.splitlines()[:400]]
    if any(_TRACEBACK in line or _CAUSED.match(line) or _PANIC.match(line) for line in lines):
        return True
    return any(_anywhere(line) is not None for line in lines)


def headline_of(text: str) -> str:
    """Give what was thrown, or else the text's first line."""
    lines = [line[:_LONGEST] for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    if any(_TRACEBACK in line for line in lines):
        found = [
            thrown[1] for line in lines if line[:1].strip() and (thrown := _THROWN.match(line))
        ]
        if found:
            return found[-1].strip()
    caused = [line for line in lines if _CAUSED.match(line)]
    if caused:
        return caused[-1].strip().removeprefix("Caused by: ")
    for line in lines:
        if panic := _PANIC.match(line):
            return panic[1].strip()
        if raised := _RAISED_IN_RUBY.search(line):
            return raised[1].strip()
    return lines[0].strip()


def _anywhere(line: str) -> str | None:
    """Give what a line says was thrown, at its beginning or after what a logger puts there."""
    if thrown := _THROWN.match(line):
        return thrown[1]
    if named := _NAMED.search(line):
        return named[1]
    raised = _RAISED_IN_RUBY.search(line)
    return raised[1] if raised else None


def deepest(text: str) -> Frame | None:
    """Give the application's frame that is nearest to the fault; None where none is its own."""
    lines = [line[:_LONGEST] for line in text.splitlines()[:1_000]]
    for block in _nearest_first(lines):
        for language, frame in block:
            if not _NOT_OURS[language].search(_name(language, frame)):
                return _shown(language, frame)
    return None


_Seen = tuple[str, Frame]


def _nearest_first(lines: Sequence[str]) -> Iterator[list[_Seen]]:
    """Give the frames of a trace, and of what caused it, those nearest to the fault first."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if _CAUSED.match(line):
            blocks.append([])  # Java tells the deepest cause last
        blocks[-1].append(line)
    for block in reversed(blocks):
        python = [("python", frame) for frame in _python(block)]
        if python:
            yield python[::-1]  # the most recent call is the last
        others = [*_java(block), *_node(block), *_go(block)]
        # What looks like a frame of Ruby stands in every message that names a file of it.
        yield others or list(_ruby(block))


def _python(lines: Sequence[str]) -> Iterator[Frame]:
    for line in lines:
        if found := _PYTHON.match(line):
            yield Frame(found[1], int(found[2]), found[3] or "")


def _java(lines: Sequence[str]) -> Iterator[_Seen]:
    for line in lines:
        if found := _JAVA.match(line):
            yield "java", Frame(found[3], int(found[4]), f"{found[1]}.{found[2]}")


def _node(lines: Sequence[str]) -> Iterator[_Seen]:
    for line in lines:
        if found := _NODE.match(line):
            yield "node", Frame(found[2].removeprefix("file://"), int(found[3]), found[1] or "")


def _go(lines: Sequence[str]) -> Iterator[_Seen]:
    before = ""
    for line in lines:
        if found := _GO_PLACE.match(line):
            named = _GO_FUNCTION.match(before)
            yield "go", Frame(found[1], int(found[2]), named[1] if named else "")
        before = line


def _ruby(lines: Sequence[str]) -> Iterator[_Seen]:
    for line in lines:
        if found := _RUBY.match(line):
            yield "ruby", Frame(found[1], int(found[2]), found[3] or "")


def _name(language: str, frame: Frame) -> str:
    """Give by what a frame is known to be somebody else's."""
    if language == "java":
        return f"{frame.function}"
    if language == "go" and _GO_PANICKING.match(frame.function):
        return "/usr/local/go/src/"
    return frame.file


def _shown(language: str, frame: Frame) -> Frame:
    if language == "java":
        method = ".".join(frame.function.split(".")[-2:])
        return Frame(frame.file, frame.line, method)
    return frame
