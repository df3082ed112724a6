"""Markdown as Jira wants it: Atlassian's document format, and that as plain text.

Understood is what our issues are made of: headings, lists, code blocks, quotes, rules, bold, code,
links, and pictures as links. All else stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

Node = dict[str, Any]

DEEPEST: Final = 40
"""Levels of a foreign document that are read."""

# Each repetition that can be tried from many places is bounded: what a page said may be anything.
_FENCE: Final = re.compile(r"(`{3,}|~{3,}) ?([\w+-]{0,40})[^`]*")
_HEADING: Final = re.compile(r"(#{1,6})\s(.*)")
_RULE: Final = re.compile(r"(?:-{3,}|\*{3,}|_{3,})")
_BULLET: Final = re.compile(r"[-*+]\s+(.*)")
_NUMBER: Final = re.compile(r"(\d{1,9})[.)]\s+(.*)")
_QUOTE: Final = re.compile(r">\s?(.*)")
_INLINE: Final = re.compile(
    r"(?P<ticks>`{1,20})(?P<code>.{1,1000}?)(?<!`)(?P=ticks)(?!`)"
    r"|!?\[(?P<words>[^\[\]]{0,500})\]\(<?(?P<url>[^\s()<>]{1,2000})>?\)"
    r"|\*\*(?P<strong>\S(?:.{0,1000}?\S)?)\*\*"
    r"|\\(?P<plain>[\\`*_{}\[\]()#+.!<>|~-])"
)


def document_of(markdown: str) -> Node:
    """Turn Markdown into a document."""
    lines = markdown.replace("\r\n", "\n").split("\n")
    return {"type": "doc", "version": 1, "content": list(_blocks(lines)) or [_paragraph(" ")]}


def _blocks(lines: Sequence[str]) -> Iterator[Node]:
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        node: Node | None = None
        if fence := _FENCE.fullmatch(line):
            node, at = _code(lines, at + 1, fence[1], fence[2])
        elif heading := _HEADING.fullmatch(line):
            attrs = {"level": len(heading[1])}
            node, at = _with_content("heading", _inline(heading[2].strip()), attrs=attrs), at + 1
        elif _RULE.fullmatch(line):
            node, at = {"type": "rule"}, at + 1
        elif _NUMBER.fullmatch(line) or _BULLET.fullmatch(line):
            node, at = _list(lines, at)
        elif _QUOTE.fullmatch(line):
            node, at = _quote(lines, at)
        elif line:
            node, at = _said(lines, at)
        else:
            at += 1
        if node is not None:
            yield node


def _without_comments(text: str) -> str:
    kept, at = "", 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin)) >= 0:
        kept, at = kept + text[at:begin], end + 3
    return kept + text[at:]


def _with_content(kind: str, content: list[Node], **more: Any) -> Node | None:
    """Make a node, unless it would be empty, which Jira does not take."""
    return {"type": kind, **more, "content": content} if content else None


def _list(lines: Sequence[str], at: int) -> tuple[Node, int]:
    first = _NUMBER.fullmatch(lines[at].strip())
    if first is None:
        items, at = _items(lines, at, _BULLET, 1)
        return {"type": "bulletList", "content": items}, at
    items, at = _items(lines, at, _NUMBER, 2)
    return {"type": "orderedList", "attrs": {"order": int(first[1])}, "content": items}, at


def _quote(lines: Sequence[str], at: int) -> tuple[Node, int]:
    quoted, at = _run(lines, at, lambda text: bool(_QUOTE.fullmatch(text)))
    text = " ".join(part[1:].strip() for part in quoted)
    return {"type": "blockquote", "content": [_paragraph(text)]}, at


def _said(lines: Sequence[str], at: int) -> tuple[Node | None, int]:
    said, at = _run(lines, at, lambda text: bool(text) and not _begins(text))
    return _with_content("paragraph", _inline(_without_comments(" ".join(said)))), at


def _begins(line: str) -> bool:
    """Tell whether a line begins something that is no paragraph."""
    kinds = (_FENCE, _HEADING, _RULE, _NUMBER, _BULLET, _QUOTE)
    return any(kind.fullmatch(line) for kind in kinds)


def _run(lines: Sequence[str], at: int, belongs: Any) -> tuple[list[str], int]:
    found = []
    while at < len(lines) and belongs(lines[at].strip()):
        found.append(lines[at].strip())
        at += 1
    return found, at


def _items(
    lines: Sequence[str], at: int, kind: re.Pattern[str], group: int
) -> tuple[list[Node], int]:
    found, at = _run(lines, at, lambda text: bool(kind.fullmatch(text)))
    matches = [kind.fullmatch(text) for text in found]
    texts = [match[group] for match in matches if match is not None]
    return [{"type": "listItem", "content": [_paragraph(text)]} for text in texts], at


def _code(lines: Sequence[str], at: int, fence: str, language: str) -> tuple[Node, int]:
    held = []
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if line.startswith(fence) and not line.strip(fence[0]):
            break
        held.append(lines[at - 1])
    node: Node = {"type": "codeBlock"}
    if language:
        node["attrs"] = {"language": language}
    if text := "\n".join(held):
        node["content"] = [{"type": "text", "text": text}]
    return node, at


def _paragraph(text: str) -> Node:
    return {"type": "paragraph", "content": _inline(text)}


def _inline(text: str, *marks: Node) -> list[Node]:
    found: list[Node] = []
    at = 0
    for match in _INLINE.finditer(text):
        _add(found, text[at : match.start()], marks)
        at = match.end()
        if match["code"] is not None:
            # Code may be a link, and nothing else beside.
            links = [mark for mark in marks if mark["type"] == "link"]
            _add(found, _unpadded(match["code"]), [*links, {"type": "code"}])
        elif match["url"] is not None:
            found.extend(_link(match["words"], match["url"], marks))
        elif match["strong"] is not None:
            strong = [] if {"type": "strong"} in marks else [{"type": "strong"}]
            found.extend(_inline(match["strong"], *marks, *strong))
        else:
            _add(found, match["plain"], marks)
    _add(found, text[at:], marks)
    return found


def _unpadded(code: str) -> str:
    is_padded = len(code) > 2 and code[0] == code[-1] == " " and code.strip()
    return code[1:-1] if is_padded else code


def _link(words: str, url: str, marks: Sequence[Node]) -> list[Node]:
    if not _is_web(url) or any(mark["type"] == "link" for mark in marks):
        return _inline(words or url, *marks) if words else [_text(url, marks)]
    link = {"type": "link", "attrs": {"href": url}}
    return _inline(words, *marks, link) if words else [_text(url, [*marks, link])]


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _add(found: list[Node], text: str, marks: Sequence[Node]) -> None:
    if not text:
        return
    if found and found[-1].get("marks", []) == list(marks):
        found[-1]["text"] += text  # an empty text may not be, and two alike need not
    else:
        found.append(_text(text, marks))


def _text(text: str, marks: Sequence[Node]) -> Node:
    node: Node = {"type": "text", "text": text}
    if marks:
        node["marks"] = list(marks)
    return node


def text_of(document: object) -> str:
    """Give the text of a document, a line for each paragraph; empty for what is none."""
    lines: list[str] = []
    _collect(document, lines, 0)
    return "\n".join(lines)


def _collect(node: object, lines: list[str], depth: int) -> None:
    content = node.get("content") if isinstance(node, Mapping) else None
    if not isinstance(content, list) or depth > DEEPEST:
        return
    pieces = [each for each in content if isinstance(each, Mapping)]
    line = "".join(str(each.get("text", "")) for each in pieces if each.get("type") == "text")
    if line:
        lines.append(line)
    for each in pieces:
        _collect(each, lines, depth + 1)
