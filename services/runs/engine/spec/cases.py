"""One case as one test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from services.runs.engine.grammar.models import Case, Check, Expectation, Login, Step, Suite
from services.runs.engine.grammar.variables import is_secret_name
from services.runs.engine.language import parse_capture, parse_claim, parse_target
from services.runs.engine.language.models import AnswerDialog, Intent
from services.runs.engine.spec import captures, steps
from services.runs.engine.spec.claims import Claims
from services.runs.engine.spec.secrets import Read, secrets_of
from services.runs.engine.spec.texts import SHORTEST, Texts, Unsaid
from services.runs.engine.spec.typescript import literal, variable_name

_INDENT: Final = "    "


_Moves = tuple[tuple[Intent, AnswerDialog | None], ...]
"""Intents, each with the answer to the dialog that it brings up."""


class CaseWriter:
    """Writes the tests of a suite, in its order.

    Attributes:
        captured: by name, the variables that tests bind.
    """

    def __init__(self, suite: Suite, texts: Texts, read: Read) -> None:
        self._suite = suite
        self._texts = texts
        self._read = read
        self._claims = Claims(texts, parse_target)
        self._generators = {name: fixture.kind for name, fixture in suite.fixtures.items()}
        self._needed = {name for case in suite.cases for name in case.depends_on}
        self._sizes = {case.viewport for case in suite.cases} | {suite.viewport}
        self._bound: dict[str, str] = {}
        self._account: Login | None = None
        # Masked ones may be equal, and titles always; the runner takes no title twice.
        self._ids = _unique(texts, [(case.id, "") for case in suite.cases])
        self._titles = _unique(texts, [(case.title, case.id) for case in suite.cases])
        self._number = 0
        self.captured: dict[str, str] = {}

    def lines(self, case: Case) -> list[str]:
        """Write a case."""
        texts = self._texts
        title = literal(self._titles[self._number])
        outer = texts.values
        texts.values = {**outer, **self._row(case), **self._fixtures(outer), **self._bound}
        try:
            body = [*self._head(case), *self._body(case)]
        finally:
            texts.values = outer
        self._number += 1
        return [f"  test({title}, async () => {{", *(_INDENT + each for each in body), "  });"]

    def _row(self, case: Case) -> dict[str, str]:
        return {
            name: self._texts.required(variable_name(case.id, name))
            if is_secret_name(name)
            else self._texts.fixed(value)
            for name, value in case.row.items()
        }

    def _fixtures(self, values: dict[str, str]) -> dict[str, str]:
        return {name: values[name] for name in self._suite.fixtures}

    def _head(self, case: Case) -> Iterator[str]:
        if case.skip is not None:
            yield f"test.skip(true, {self._texts.label(case.skip or 'skipped')});"
        for name in case.depends_on:
            reason = self._texts.label(f"depends on {name}, which did not pass")
            yield f"test.skip(!passed.has({self._key(name)}), {reason});"
        if len(self._sizes) > 1:
            size = f"{{ width: {case.viewport.width}, height: {case.viewport.height} }}"
            yield f"await page.setViewportSize({size});"
        if case.login is not None and case.login != self._account:
            yield from self._log_in(case.login)
        self._account = case.login
        yield "await page.goto(baseUrl);"

    def _log_in(self, login: Login) -> Iterator[str]:
        texts = self._texts
        try:
            path = texts.text(login.login_path) if login.login_path else ""
            user, secret = texts.text(login.username), texts.text(login.password)
        except Unsaid as unsaid:
            yield _fixme(texts.label(f"log in: {unsaid.reason}"))
            return
        target = f"new URL({path}, baseUrl).href" if path else "baseUrl"
        yield f"await page.goto({target});"
        yield f"await {texts.call('logIn', 'page', user, secret)};"

    def _body(self, case: Case) -> Iterator[str]:
        for step, moves in _with_moves(case, self._read):
            self._texts.own = _own(case, step, self._read)
            try:
                yield from self._step(step, moves)
            finally:
                self._texts.own = {}
        missing: list[str] = []
        for expectation in case.expect:
            yield from self._expectation(expectation, missing)
        for capture in case.capture:
            yield f"// Capture {self._texts.hidden(f'{capture.name}: {capture.source}')}"
            try:
                phrase = parse_capture(capture.source)
                if phrase is None:
                    raise Unsaid("what is to be captured")
                made = captures.expression(self._texts, phrase)
            except Unsaid as unsaid:
                missing.append(f"capture {capture.name}: {capture.source} ({unsaid.reason})")
                continue
            variable = self._variable(capture.name)
            yield f"{variable} = {made};"
            yield f"expect({variable}).not.toBe('');"
        if missing:
            yield _fixme(self._texts.label("; ".join(missing)))
        if case.id in self._needed:
            yield f"passed.add({self._key(case.id)});"

    def _key(self, case_id: str) -> str:
        ids = [case.id for case in self._suite.cases]
        return literal(self._ids[ids.index(case_id)])

    def _variable(self, name: str) -> str:
        if name not in self.captured:
            self.captured[name] = self._texts.names.give(f"captured {name}")
            value = self._texts.call("bound", self.captured[name], literal(name))
            self._bound[name] = value
        return self.captured[name]

    def _step(self, step: Step, moves: _Moves | None) -> Iterator[str]:
        texts = self._texts
        said = (
            step.do
            if moves or not step.secret or secrets_of(step, self._read)
            else "(a secret step)"
        )
        yield f"// Step {texts.hidden(step.id)}: {texts.hidden(said)}"
        try:
            if moves is None:
                raise Unsaid("no rule reads it")
            lines: list[str] = []
            for intent, answer in moves:
                if answer is not None:
                    lines.append(self._answer(answer))
                if isinstance(intent, AnswerDialog):
                    lines.append("await answered;")
                else:
                    lines += steps.statements(texts, intent, self._generators)
        except Unsaid as unsaid:
            yield _fixme(texts.label(f"{step.id}: {said} ({unsaid.reason})"))
            return
        yield from lines

    def _answer(self, dialog: AnswerDialog) -> str:
        arguments = ["page", "true" if dialog.accept else "false"]
        if dialog.text is not None:
            arguments.append(self._texts.text(dialog.text.template))
        return f"{self._texts.call('answer', *arguments)};"

    def _expectation(self, expectation: Expectation, missing: list[str]) -> Iterator[str]:
        texts = self._texts
        check = expectation.check
        said = expectation.claim
        if said is None and check is not None:
            said = _described(check)
        yield f"// Claim {texts.hidden(expectation.id)}: {texts.hidden(said or '')}".rstrip()
        if check is None and expectation.claim is not None:
            check = parse_claim(expectation.claim)
        try:
            if check is None:
                raise Unsaid("no rule reads it")
            yield from self._claims.statements(check)
        except Unsaid as unsaid:
            missing.append(f"{expectation.id}: {said} ({unsaid.reason})")


def _unique(texts: Texts, named: Sequence[tuple[str, str]]) -> list[str]:
    """Give each a text of its own: the first part, with the second or a number where needed."""
    found: list[str] = []
    for text, other in named:
        plain = texts.hidden(text) or texts.hidden(other)
        given, number = plain, 2
        if given in found and other:
            given = plain = f"{plain} ({texts.hidden(other)})"
        while given in found:
            given, number = f"{plain} {number}", number + 1
        found.append(given)
    return found


def _own(case: Case, step: Step, read: Read) -> dict[str, str]:
    """Give the short secrets of a step, which are hidden in it alone."""
    short = [text for text in secrets_of(step, read) if len(text) < SHORTEST]
    return {text: variable_name("secret", case.id, step.id, str(n)) for n, text in enumerate(short)}


def _described(check: Check) -> str:
    """Give a check as a suite's text would hold it."""
    given = (
        f"{name}: {list(value) if isinstance(value, tuple) else value}"
        for name, value in check.parameters.items()
    )
    return f"{{kind: {check.kind}, {', '.join(given)}}}"


def _fixme(reason: str) -> str:
    return f"test.fixme(true, {reason});"


def _with_moves(case: Case, read_step: Read) -> list[tuple[Step, _Moves | None]]:
    """Read the steps; the answer to a dialog stands where the dialog comes up, too."""
    read = [read_step(step.do) for step in case.steps]
    found: list[tuple[Step, _Moves | None]] = []
    has_begun = False
    for number, (step, intents) in enumerate(zip(case.steps, read, strict=True)):
        if intents is None or (isinstance(intents[0], AnswerDialog) and not has_begun):
            found.append((step, None))
            continue
        after = read[number + 1] if number + 1 < len(read) else None
        following: list[Intent | None] = [*intents[1:], after[0] if after else None]
        answers = [each if isinstance(each, AnswerDialog) else None for each in following]
        has_begun = not isinstance(intents[-1], AnswerDialog)
        found.append((step, tuple(zip(intents, answers, strict=True))))
    return found
