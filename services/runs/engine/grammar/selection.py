"""Which cases of a suite run, and which of them hang together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from services.runs.engine.grammar.models import Case, NothingSelected, Suite, UnknownCases
from services.runs.engine.grammar.templates import references

_INSTANCE: Final = re.compile(r"(.+)\[\d+\]", re.DOTALL)


def select(
    suite: Suite, cases: Sequence[str] | None = None, tags: Sequence[str] = ()
) -> tuple[str, ...]:
    """Choose cases, and bring along what they depend on; give their ids in the suite's order.

    Args:
        suite: whose cases.
        cases: ids; the id of a case with ``data`` means all its rows. None: all.
        tags: of those, only cases that have any of them; empty: whatever their tags.

    Raises:
        UnknownCases: ids that the suite does not have.
        NothingSelected: no case is left.
    """
    by_id = {case.id: case for case in suite.cases}
    chosen = set(by_id) if cases is None else _named(by_id, cases)
    if tags:
        chosen = {one for one in chosen if not set(tags).isdisjoint(by_id[one].tags)}
    if not chosen:
        raise NothingSelected
    waiting = list(chosen)
    while waiting:
        new = set(by_id[waiting.pop()].depends_on) - chosen
        chosen |= new
        waiting += new
    return tuple(case.id for case in suite.cases if case.id in chosen)


def _named(known: Iterable[str], cases: Sequence[str]) -> set[str]:
    rows: dict[str, set[str]] = {one: {one} for one in known}
    for one in known:
        if match := _INSTANCE.fullmatch(one):
            rows.setdefault(match[1], set()).add(one)
    unknown = [one for one in dict.fromkeys(cases) if one not in rows]
    if unknown:
        raise UnknownCases(unknown)
    return {instance for one in cases for instance in rows[one]}


def components(suite: Suite, ids: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Split cases into groups that know nothing of each other (section 7.4).

    Cases hang together by ``depends_on``, or because one uses what another captures. Groups and
    their members stand in the suite's order.
    """
    wanted = set(ids)
    group = {one: one for one in wanted}

    def head(one: str) -> str:
        while group[one] != one:
            group[one] = group[group[one]]
            one = group[one]
        return one

    binds: dict[str, str] = {}
    for case in suite.cases:
        if case.id not in wanted:
            continue
        linked = [one for one in case.depends_on if one in wanted]
        linked += [binds[name] for name in used_names(case) if name in binds]
        for capture in case.capture:
            linked.append(binds.setdefault(capture.name, case.id))
        for other in linked:
            group[head(other)] = head(case.id)
    found: dict[str, list[str]] = {}
    for case in suite.cases:
        if case.id in wanted:
            found.setdefault(head(case.id), []).append(case.id)
    return tuple(tuple(members) for members in found.values())


def used_names(case: Case) -> tuple[str, ...]:
    """Give the names that a case's texts mention, each once."""
    return tuple(dict.fromkeys(name for text in _texts(case) for name in references(text)))


def _texts(case: Case) -> Iterator[str]:
    for step in case.steps:
        yield step.do
    for expectation in case.expect:
        yield expectation.claim or ""
        if expectation.check is not None:
            yield from _strings(expectation.check.parameters.values())
    for capture in case.capture:
        yield capture.source
    if case.login is not None:
        yield from (case.login.username, case.login.password, case.login.login_path or "")


def _strings(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from _strings(value)
        elif isinstance(value, dict):
            yield from _strings(value.values())
