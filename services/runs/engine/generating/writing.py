"""Writing cases as a suite's text. What comes out is a suite that runs without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import yaml

from services.runs.engine import language
from services.runs.engine.generating.forms import PASSWORD
from services.runs.engine.generating.models import Case, NothingUsable
from services.runs.engine.generating.words import clean, slug
from services.runs.engine.grammar.loading import MOST_BYTES
from services.runs.engine.grammar.parsing import parse

MOST_CASES: Final = 300
"""Of a generated suite; the grammar takes 500."""

_WIDE: Final = 10_000


def runnable(cases: Iterable[Case]) -> list[Case]:
    """Keep what our own engine can do without a model.

    A case of which one step cannot be read is left out, and so is a claim that cannot be; a case
    that claims nothing proves nothing.
    """
    kept: list[Case] = []
    there: set[str] = set()
    for case in cases:
        if case.depends_on and case.depends_on not in there:
            continue
        if not all(language.parse_step(str(step["do"])) for step in case.steps):
            continue
        expect = tuple(one for one in case.expect if _is_read(one))
        if expect:
            there.add(case.id)
            kept.append(replace(case, expect=expect))
    return kept


def _is_read(expectation: Mapping[str, Any]) -> bool:
    return "check" in expectation or language.parse_claim(str(expectation["assert"])) is not None


def write(
    name: str,
    base_url: str,
    cases: Sequence[Case],
    *,
    env: Mapping[str, str] | None = None,
    auth: Mapping[str, str] | None = None,
) -> str:
    """Write a suite.

    Args:
        name: of the suite; its id is made of it.
        base_url: where every case starts.
        cases: in their order; those that cannot be run without a model are left out.
        env: further names.
        auth: a log-in that comes before every case, without a password in clear text.

    Raises:
        NothingUsable: no case is left, or the address is none.
    """
    kept = runnable(cases)[:MOST_CASES]
    while kept:
        text = _text(name, base_url, kept, env or {}, auth)
        parsed = parse(text)
        if parsed.suite is not None:
            return text
        if len(text.encode()) > MOST_BYTES:
            kept = runnable(kept[: len(kept) // 2])
            continue
        blamed = {problem.path.partition("]")[0] for problem in parsed.problems}
        left = [case for at, case in enumerate(kept) if f"cases[{at}" not in blamed]
        if len(left) == len(kept):
            raise NothingUsable(f"no suite can be made of it: {parsed.problems[0].message}")
        kept = runnable(left)
    raise NothingUsable("nothing in it can be carried out and checked")


def _text(
    name: str,
    base_url: str,
    cases: Sequence[Case],
    env: Mapping[str, str],
    auth: Mapping[str, str] | None,
) -> str:
    fixtures: dict[str, Any] = {}
    for case in cases:
        fixtures |= {one: dict(how) for one, how in case.fixtures.items()}
    named = dict(env)
    for case in cases:
        named |= case.env
    if f"${{{PASSWORD}}}" in repr([[case.steps, case.auth] for case in cases]) + repr(auth):
        named[PASSWORD] = f"${{{PASSWORD}}}"
    document: dict[str, Any] = {"suite": clean(name), "id": slug(name, 100), "base_url": base_url}
    if fixtures:
        document["fixtures"] = fixtures
    if named:
        document["env"] = named
    if auth:
        document["auth"] = dict(auth)
    document["cases"] = [_written(case) for case in cases]
    return str(
        yaml.dump(
            document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDE, indent=2
        )
    )


def _written(case: Case) -> dict[str, Any]:
    written: dict[str, Any] = {"id": case.id, "title": clean(case.title)}
    if case.tags:
        written["tags"] = list(case.tags)
    if case.depends_on:
        written["depends_on"] = case.depends_on
    if case.auth:
        written["auth"] = dict(case.auth)
    if case.skip:
        written["skip"] = case.skip
    if case.steps:
        written["steps"] = [dict(step) for step in case.steps]
    written["expect"] = [dict(one) for one in case.expect]
    return written


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: whoever edits a suite should see each value where it counts."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
