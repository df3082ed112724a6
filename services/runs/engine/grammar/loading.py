"""YAML as a tree that knows its lines, within bounds that no text can leave.

Read by events of the C parser and built here, so that a text is refused before it costs anything:
tags, duplicate keys, deep nesting and expanding aliases never become a tree (section 4.3). Scalars
stay text; what a field expects decides what its text means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

import yaml

from services.runs.engine.grammar.findings import Findings, quoted

MOST_BYTES: Final = 1024 * 1024
"""Of a suite's text in UTF-8 (section 16)."""

MOST_NODES: Final = 100_000
"""Values and keys of a text outside of steps, those counted again that an alias repeats."""

MOST_CASES: Final = 500
"""Of a suite, rows of ``data`` counted (section 16)."""

MOST_STEPS: Final = 200
"""Of a case, those of ``before`` counted (section 16)."""

_MOST_ENTRIES: Final = 6
"""Keys of a step that are not counted with all others."""

MOST_REPEATED: Final = 20_000
"""Values and keys that aliases repeat."""

DEEPEST: Final = 32
"""Mappings and lists inside each other; a suite needs eight."""

LONGEST_KEY: Final = 100
"""Characters of a key that a path shows."""

# The parser compares each directive with all others before it says anything.
_MOST_DIRECTIVES: Final = 16
_DIRECTIVE: Final = re.compile("(?:^|[\n\r\x85\u2028\u2029])%")

_MERGE: Final = "<<"


@dataclass(slots=True)
class Scalar:
    """A value that is neither mapping nor list, as written; ``plain``: without quotes."""

    line: int
    text: str
    plain: bool
    size: int = 1


@dataclass(slots=True)
class Listing:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)
    size: int = 1


@dataclass(slots=True)
class Table:
    """A mapping; beside each value the line of its key."""

    line: int
    entries: dict[str, tuple[int, Node]] = field(default_factory=dict)
    merged: list[Node] = field(default_factory=list)
    size: int = 1


Node: TypeAlias = Scalar | Listing | Table


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come; ``key`` waits for its value."""

    node: Listing | Table
    anchor: str | None
    path: str
    of_steps: bool = False
    key: Scalar | None = None
    skips: bool = False


class _Stop(Exception):
    """The text goes beyond a bound; the finding is noted."""


def load(text: str, findings: Findings) -> Node | None:
    """Give the tree of a text, or None when there is none; what is wrong goes to ``findings``."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        findings.problem("", line, "holds half a character (a lone surrogate)")
        return None
    if size > MOST_BYTES:
        findings.problem("", None, f"is longer than {MOST_BYTES} bytes")
        return None
    directives = islice(_DIRECTIVE.finditer(text), _MOST_DIRECTIVES + 1)
    if sum(1 for _ in directives) > _MOST_DIRECTIVES:
        findings.problem("", 1, "has too many lines that begin with %")
        return None
    builder = _Builder(findings)
    try:
        for event in _events(text):
            builder.take(event)
    except _Stop:
        return None
    except (yaml.YAMLError, ValueError) as error:
        findings.problem("", _line_of(error, text), _sentence(error))
        return None
    if builder.root is None:
        findings.problem("", 1, "is empty")
    return builder.root


def _events(text: str) -> Iterator[Any]:
    return yaml.parse(text, Loader=yaml.CSafeLoader)


def _line_of(error: Exception, text: str) -> int | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return min(int(mark.line) + 1, text.count("\n") + 1)
    position = getattr(error, "position", None)
    if isinstance(position, int):
        return text.encode()[:position].count(b"\n") + 1
    return None


def _sentence(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        said = ", ".join(part for part in (error.context, error.problem) if part)
    elif isinstance(error, yaml.reader.ReaderError):
        said = "holds a character that YAML does not allow"
    else:
        said = ""
    return f"is not YAML: {said or 'it cannot be read'}"


class _Builder:
    """Builds the tree from events, one at a time."""

    def __init__(self, findings: Findings) -> None:
        self.root: Node | None = None
        self._findings = findings
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._repeated = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match event:
            case yaml.ScalarEvent():
                self._check_tag(event, line)
                self._count(line)
                plain = not event.style
                self._place(Scalar(line, event.value, plain), line, event.anchor)
            case yaml.MappingStartEvent():
                self._start(Table(line), event, line)
            case yaml.SequenceStartEvent():
                self._start(Listing(line), event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.AliasEvent():
                self._place(self._repeat(event.anchor or "", line), line, None)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._refuse(line, "must be one document; here begins another")

    def _refuse(self, line: int, message: str) -> None:
        self._findings.problem(self._path(), line, message)
        raise _Stop

    def _count(self, line: int) -> None:
        if self._is_of_step():
            return  # there are only so many, and section 16 allows more of them than of all else
        self._nodes += 1
        if self._nodes > MOST_NODES:
            self._refuse(line, f"holds more than {MOST_NODES} values")

    def _is_of_step(self) -> bool:
        """Tell whether what comes next is a step, or a key or value of one."""
        if not self._open or not self._open[-1].of_steps:
            return False
        node = self._open[-1].node
        if isinstance(node, Listing):
            return len(node.items) < MOST_STEPS
        return len(node.entries) < _MOST_ENTRIES

    def _holds_steps(self, node: Listing | Table) -> bool:
        """Tell whether what opens is the list of a case's steps, or one of them."""
        if len(self._open) == 4:
            return self._open[-1].of_steps and isinstance(node, Table)
        if len(self._open) != 3:
            return False
        root, cases, case = self._open
        return (
            (_is_word(root.key, "cases") and _is_word(case.key, "steps"))
            and isinstance(node, Listing)
            and (isinstance(cases.node, Listing) and len(cases.node.items) < MOST_CASES)
        )

    def _check_tag(self, event: Any, line: int) -> None:
        if event.tag is not None:
            message = f"must not carry a tag ({quoted(event.tag)})"
            self._findings.problem(self._path(), line, message)

    def _start(self, node: Listing | Table, event: Any, line: int) -> None:
        self._check_tag(event, line)
        self._count(line)
        if len(self._open) >= DEEPEST:
            self._refuse(line, f"is nested deeper than {DEEPEST} levels")
        of_steps = self._holds_steps(node)
        self._open.append(_Open(node, event.anchor, self._path(), of_steps))

    def _end(self) -> None:
        done = self._open.pop()
        node = done.node
        if isinstance(node, Table) and node.merged:
            _merge(node, self._findings, done.path)
        self._place(node, node.line, done.anchor)

    def _path(self) -> str:
        """The place of the value that comes next."""
        if not self._open:
            return ""
        top = self._open[-1]
        if isinstance(top.node, Listing):
            return f"{top.path}[{len(top.node.items)}]"
        if top.key is None:
            return top.path
        # Cut, because every value below would carry the whole of a hostile key.
        key = top.key.text[:LONGEST_KEY]
        return f"{top.path}.{key}" if top.path else key

    def _repeat(self, anchor: str, line: int) -> Node:
        node = self._anchors.get(anchor)
        if node is None:
            open_ = any(one.anchor == anchor for one in self._open)
            what = "stands inside itself" if open_ else "is not there"
            self._refuse(line, f"the anchor {quoted(anchor)} {what}")
            raise _Stop
        self._repeated += node.size
        self._nodes += node.size
        if self._repeated > MOST_REPEATED or self._nodes > MOST_NODES:
            self._refuse(line, f"aliases repeat more than {MOST_REPEATED} values")
        return node

    def _place(self, node: Node, line: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        top.node.size += node.size
        if isinstance(top.node, Listing):
            top.node.items.append(node)
        elif top.key is None and not top.skips:
            self._open_key(top, node, line)
        else:
            self._close_key(top, node)

    def _open_key(self, top: _Open, node: Node, line: int) -> None:
        if not isinstance(node, Scalar):
            self._findings.problem(top.path, line, "has a key that is no word")
            top.skips = True
            return
        top.key = node
        if isinstance(top.node, Table) and node.text in top.node.entries and not _is_merge(node):
            self._findings.problem(self._path(), line, "stands twice")

    def _close_key(self, top: _Open, node: Node) -> None:
        key, top.key, top.skips = top.key, None, False
        if key is None or not isinstance(top.node, Table):
            return
        if _is_merge(key):
            top.node.merged.append(node)
        else:
            top.node.entries.setdefault(key.text, (key.line, node))


def _is_word(key: Scalar | None, word: str) -> bool:
    return key is not None and key.text == word


def _is_merge(key: Scalar) -> bool:
    return key.plain and key.text == _MERGE


def _merge(table: Table, findings: Findings, path: str) -> None:
    """Take over what ``<<`` names; the mapping's own keys win, then the first one named."""
    for node in table.merged:
        for one in node.items if isinstance(node, Listing) else [node]:
            if not isinstance(one, Table):
                findings.problem(path, one.line, "<< must name mappings")
                continue
            for key, value in one.entries.items():
                table.entries.setdefault(key, value)
