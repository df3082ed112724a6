"""What tests of the grammar share."""

from __future__ import annotations

from services.runs.engine.grammar import parse
from services.runs.engine.grammar.models import Case, Problem, Suite

HEAD = "suite: S\nid: s\nbase_url: http://shop.test\n"


def good(text: str) -> Suite:
    """Read a text that has no problems."""
    parsed = parse(text)
    assert parsed.suite is not None, parsed.problems
    return parsed.suite


def case(more: str, head: str = "") -> Case:
    """Read the only case of a suite; ``more`` are its lines, not indented."""
    return good(one_case(more, head)).cases[0]


def one_case(more: str, head: str = "") -> str:
    """A suite of one case; ``more`` are its lines and ``head`` the suite's, not indented."""
    lines = "".join(f"    {line}\n" for line in more.splitlines())
    return f"{HEAD}{head}cases:\n  - id: a\n    title: A\n{lines}"


def problems(text: str) -> list[str]:
    """The problems of a text as ``path:line message``."""
    return [shown(one) for one in parse(text).problems]


def warnings(text: str) -> list[str]:
    """The warnings of a text that is good, as ``path:line message``."""
    parsed = parse(text)
    assert parsed.suite is not None, parsed.problems
    return [shown(one) for one in parsed.warnings]


def shown(one: Problem) -> str:
    """A problem on one line."""
    return f"{one.path}:{one.line} {one.message}"
