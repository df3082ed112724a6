"""Reading typed values from the tree of a text; whatever is wrong is noted, nothing is raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from services.runs.engine.grammar.findings import Findings, quoted
from services.runs.engine.grammar.loading import Listing, Node, Scalar, Table
from services.runs.engine.grammar.models import Sentence
from services.runs.engine.grammar.templates import LONGEST_NAME, references

LONGEST_WORDS: Final = 20_000
"""Characters of a sentence or a value."""

LONGEST_LINE: Final = 1000
LONGEST_ID: Final = 200
LONGEST_TAG: Final = 100

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,15}")
_NUMBER: Final = re.compile(r"[-+]?[0-9]{0,15}(?:\.[0-9]{1,15})?")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAK: Final = re.compile("[\n\u2028\u2029]")
_NAME: Final = re.compile(r"[^{}$\s](?:[^{}$\n\t]*[^{}$\s])?")


def is_null(node: Node | None) -> bool:
    """Tell whether there is no value, or one that says so."""
    return node is None or (isinstance(node, Scalar) and node.plain and node.text in _NULL)


def truth(node: Node) -> bool | None:
    """Give what a node says as a truth value; None if it is none."""
    if not isinstance(node, Scalar) or not node.plain:
        return None
    word = node.text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


class Fields:
    """A mapping being read; what nobody asked for is warned about at the end.

    Every reader gives its default when the field is absent, or wrong and noted.
    """

    def __init__(self, node: Table, path: str, findings: Findings) -> None:
        self.line = node.line
        self.path = path
        self.findings = findings
        self._entries = node.entries
        self._left = set(node.entries)

    def at(self, key: str) -> str:
        """Give the path of a field."""
        return f"{self.path}.{key}" if self.path else key

    def line_of(self, key: str) -> int:
        """Give a field's line, or the mapping's where the field is absent."""
        return self._entries[key][0] if key in self._entries else self.line

    def has(self, key: str) -> bool:
        """Tell whether a field has a value."""
        return key in self._entries and not is_null(self._entries[key][1])

    def node(self, key: str) -> Node | None:
        """Give a field's node as it is; None if it has no value."""
        self._left.discard(key)
        return self._entries[key][1] if self.has(key) else None

    def problem(self, key: str, message: str) -> None:
        """Note what is wrong with a field."""
        self.findings.problem(self.at(key) if key else self.path, self.line_of(key), message)

    def warn(self, key: str, message: str) -> None:
        """Note what is odd about a field."""
        self.findings.warn(self.at(key) if key else self.path, self.line_of(key), message)

    def sentence(self, kind: str, key: str, text: str | None) -> None:
        """Note English and its place, for who can read it."""
        if text:
            place = Sentence(kind, self.at(key), self.line_of(key), text)
            self.findings.sentences.append(place)

    def finish(self) -> None:
        """Warn of the fields that nothing has asked for, in their order."""
        for key, (line, _) in self._entries.items():
            if key in self._left:
                self.findings.warn(self.at(key), line, "is not known here, and does nothing")

    def words(self, key: str, most: int = LONGEST_WORDS, *, strip: bool = True) -> str | None:
        """Read a text that may have several lines; None if there is none."""
        node = self.node(key)
        if node is None:
            return None
        return words_of(node, self.at(key), self.findings, most, strip=strip)

    def line_text(self, key: str, most: int = LONGEST_LINE, *, required: bool = False) -> str:
        """Read a text of one line; "" if there is none."""
        text = self.words(key, most)
        if text is not None and _BREAK.search(text):
            self.problem(key, "must be on one line")
            return ""
        if text is None and required and not self._is_spoilt(key):
            self.problem(key, "is missing")
        elif text == "" and required:
            self.problem(key, "must not be empty")
        return text or ""

    def required_words(self, key: str) -> str:
        """Read a text that must be there; "" if it is not."""
        text = self.words(key)
        if text is None and not self._is_spoilt(key):
            self.problem(key, "is missing")
        elif text == "":
            self.problem(key, "must not be empty")
        return text or ""

    def _is_spoilt(self, key: str) -> bool:
        """Whether the field had something that is noted as wrong already."""
        return self.has(key)

    def flag(self, key: str) -> bool:
        """Read a truth value; False if there is none."""
        node = self.node(key)
        if node is None:
            return False
        value = truth(node)
        if value is None:
            self.problem(key, "must be true or false")
        return bool(value)

    def whole(self, key: str, least: int, most: int) -> int | None:
        """Read a whole number between bounds."""
        node = self.node(key)
        if node is None:
            return None
        if not isinstance(node, Scalar) or not _WHOLE.fullmatch(node.text):
            self.problem(key, "must be a whole number")
            return None
        value = int(node.text)
        if not least <= value <= most:
            self.problem(key, f"must be between {least} and {most}")
            return None
        return value

    def number(self, key: str, least: float, most: float) -> float | None:
        """Read a number between bounds."""
        node = self.node(key)
        if node is None:
            return None
        is_number = isinstance(node, Scalar) and _NUMBER.fullmatch(node.text)
        if not isinstance(node, Scalar) or not is_number or not node.text.strip("+-"):
            self.problem(key, "must be a number")
            return None
        value = float(node.text)
        if not least <= value <= most:
            self.problem(key, f"must be between {least:g} and {most:g}")
            return None
        return value

    def whole_or_template(self, key: str, least: int, most: int) -> int | str | None:
        """Read a whole number, or a text in which a placeholder stands for it."""
        node = self.node(key)
        if isinstance(node, Scalar) and references(node.text):
            return self.words(key)
        return self.whole(key, least, most)

    def texts(self, key: str, most: int = LONGEST_WORDS) -> tuple[str, ...] | None:
        """Read a list of texts; a single one counts as a list."""
        node = self.node(key)
        if node is None:
            return None
        items = node.items if isinstance(node, Listing) else [node]
        found = []
        for index, item in enumerate(items):
            path = f"{self.at(key)}[{index}]" if isinstance(node, Listing) else self.at(key)
            text = words_of(item, path, self.findings, most)
            if text == "" or is_null(item):
                self.findings.problem(path, item.line, "must not be empty")
            elif text is not None:
                found.append(text)
        return tuple(found)

    def fields(self, key: str) -> Fields | None:
        """Read a mapping."""
        node = self.node(key)
        if node is None:
            return None
        if not isinstance(node, Table):
            self.problem(key, "must be a mapping")
            return None
        return Fields(node, self.at(key), self.findings)

    def each(self, key: str, what: str, most: int) -> Iterator[Fields]:
        """Read a list of mappings."""
        node = self.node(key)
        if node is None:
            return
        if not isinstance(node, Listing):
            self.problem(key, f"must be a list of {what}")
            return
        if len(node.items) > most:
            self.problem(key, f"must not hold more than {most}")
            return
        for index, item in enumerate(node.items):
            path = f"{self.at(key)}[{index}]"
            if isinstance(item, Table):
                yield Fields(item, path, self.findings)
            else:
                self.findings.problem(path, item.line, f"must be a mapping: one of the {what}")

    def names(self) -> Iterator[tuple[str, Node]]:
        """Give all fields of a mapping whose keys are names of variables, valid ones only."""
        for key, (line, node) in self._entries.items():
            self._left.discard(key)
            if is_name(key):
                yield key, node
            else:
                self.findings.problem(self.at(key), line, NAME_RULE)

    def name(self, key: str) -> str:
        """Read the name of a variable; "" if there is none that is valid."""
        text = self.line_text(key, required=True)
        if text and not is_name(text):
            self.problem(key, NAME_RULE)
            return ""
        return text


NAME_RULE: Final = f"must be a name of at most {LONGEST_NAME} characters, without $, {{ and }}"


def is_name(text: str) -> bool:
    """Tell whether a variable may be called so."""
    if len(text) > LONGEST_NAME or _CONTROL.search(text) or _BREAK.search(text):
        return False
    return _NAME.fullmatch(text) is not None


def words_of(
    node: Node, path: str, findings: Findings, most: int = LONGEST_WORDS, *, strip: bool = True
) -> str | None:
    """Read a scalar as the text it was written as; None, and a problem, if it is none."""
    if not isinstance(node, Scalar):
        findings.problem(path, node.line, "must be a text")
        return None
    text = node.text.strip() if strip else node.text
    if len(text) > most:
        findings.problem(path, node.line, f"must not be longer than {most} characters")
        return None
    if bad := _CONTROL.search(text):
        message = f"must not hold the character {quoted(bad[0])} (U+{ord(bad[0]):04X})"
        findings.problem(path, node.line, message)
        return None
    return text
