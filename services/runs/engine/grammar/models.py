"""A suite as its text says it (contract 4), and what is wrong with a text.

``do``, ``claim``, a check's strings, a capture's ``source``, ``base_url`` and a login are
templates: ``${name}`` stands in them as it was written until ``Variables.fill`` puts the value in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

TIMEOUT_MS: Final = 10_000
"""For finding a step's target, unless the suite says otherwise (section 16)."""

RETRIES: Final = 1
"""More tries of a case that failed, unless the suite says otherwise (section 7.3)."""

CHROMIUM: Final = "chromium"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong, or odd, in a suite's text.

    Attributes:
        path: where, like ``cases[1].steps[0].do``; "" is the text as a whole.
        line: from 1 on; None where no line can be blamed.
        message: one sentence for the suite's author.
    """

    path: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """What decides an expectation without a model (section 4.2)."""

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Give it as a suite's text would hold it: ``{"kind": ..., **parameters}``."""
        return {"kind": self.kind, **self.parameters}


@dataclass(frozen=True, slots=True)
class Step:
    """One sentence to be carried out; ``secret``: the values in it are shown nowhere."""

    id: str
    do: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is to be seen: a claim in English, a check, or both, of which the check decides."""

    id: str
    claim: str | None = None
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """A value taken from the page after a case, bound to ``name`` for those that follow."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class Viewport:
    """The page's size in CSS pixels."""

    width: int
    height: int


VIEWPORT: Final = Viewport(1280, 800)
"""Unless the suite says otherwise."""


@dataclass(frozen=True, slots=True)
class Login:
    """A test account that is logged in first; all three are templates."""

    username: str
    password: str = field(repr=False)
    login_path: str | None = None


@dataclass(frozen=True, slots=True)
class Fixture:
    """A value made once per run; ``kind`` is one of section 4's."""

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """A case, one for each row of its ``data``; the suite's settings are already in it.

    Attributes:
        id: unique in the suite; of a row's instance ``<case>[n]``, n from 0 on.
        title: of the report's line.
        tags: free labels.
        depends_on: ids of earlier cases, instances named one by one.
        steps: those of ``before`` stand first.
        expect: what is to be seen after the steps.
        capture: what is kept for later cases.
        timeout_ms: for finding a step's target.
        retries: more tries if it fails.
        viewport: of its page.
        login: the case's own account, or the suite's.
        skip: why it is not to be run; None: it is.
        row: the variables of its row of ``data``.
    """

    id: str
    title: str
    tags: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    expect: tuple[Expectation, ...] = ()
    capture: tuple[Capture, ...] = ()
    timeout_ms: int = TIMEOUT_MS
    retries: int = RETRIES
    viewport: Viewport = VIEWPORT
    login: Login | None = None
    skip: str | None = None
    row: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suite:
    """A whole suite.

    Attributes:
        name: for people; ``suite`` in the text.
        id: stable, for fingerprints and analytics.
        base_url: a template that becomes an http or https URL.
        fixtures: by name.
        env: templates by name; ``${X}`` in them is the process environment's.
        cases: in the order they run.
        timeout_ms, retries, viewport, login: what cases take that say nothing else.
        browser: ``chromium``, ``firefox`` or ``webkit``.
    """

    name: str
    id: str
    base_url: str
    fixtures: Mapping[str, Fixture] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cases: tuple[Case, ...] = ()
    timeout_ms: int = TIMEOUT_MS
    retries: int = RETRIES
    viewport: Viewport = VIEWPORT
    browser: str = CHROMIUM
    login: Login | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """English in a suite, and where it stands.

    Attributes:
        kind: ``step``, ``claim`` (one that no check decides) or ``capture``.
        path: like ``cases[0].steps[1].do``.
        line: from 1 on.
        text: as its author wrote it.
    """

    kind: str
    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of a text: a suite if there are no problems; warnings never prevent one.

    ``sentences`` stand in the order of the text.
    """

    suite: Suite | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    sentences: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a name's value comes from.

    Attributes:
        kind: ``capture``, ``fixture``, ``env`` or ``row``.
        generator: a fixture's kind, like ``password``.
    """

    kind: str
    generator: str | None = None


class UnknownName(Exception):
    """A ``${name}`` that nothing binds; ``name`` is without its braces."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"${{{name}}} is not known")


class UnknownCases(Exception):
    """Cases were asked for that the suite does not have; ``ids`` are those."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        super().__init__(f"Unknown case: {', '.join(self.ids)}")


class NothingSelected(Exception):
    """No case has any of the tags asked for."""
