"""The resolution cache while a case is executed (contract 10).

Expectations never come here: what a suite claims is not healed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.runs.engine.actions.locating import by_rules
from services.runs.engine.actions.models import Found, Locate, Scene
from services.runs.engine.browser.models import Reading
from services.runs.engine.browser.stage import Stage
from services.runs.engine.grammar import references
from services.runs.engine.grammar.models import Step
from services.runs.engine.healing.models import Entry, Heal, Place
from services.runs.engine.healing.recalling import (
    is_refused,
    path_template,
    place_of,
    recall,
    rescue,
)
from services.runs.engine.resolver.models import Candidate, Wanted

Healed = Callable[[Heal], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a suite when its run begins.

    Attributes:
        entries: by case, step, part, template and path.
        refused: by case, step and part.
    """

    entries: Mapping[tuple[str, str, int, str, str], Entry]
    refused: Mapping[tuple[str, str, int], Sequence[Place]]

    @classmethod
    def of(
        cls, entries: Sequence[Mapping[str, Any]], refused: Sequence[Mapping[str, Any]]
    ) -> Known:
        """Read what a job brings."""
        read = [Entry.from_json(entry) for entry in entries]
        places: dict[tuple[str, str, int], list[Place]] = {}
        for one in refused:
            key = (str(one["case_id"]), str(one["step_id"]), int(one.get("part") or 0))
            places.setdefault(key, []).append(Place.from_json(one.get("target") or {}))
        return cls({_key(entry): entry for entry in read}, places)

    def of_step(self, case_id: str, step_id: str, template: str) -> list[Entry]:
        """Give what is known of a step, in the order of its parts, whatever the page."""
        found = [
            entry
            for key, entry in self.entries.items()
            if key[:2] == (case_id, step_id) and key[3] == template
        ]
        return sorted(found, key=lambda entry: entry.part)


def _key(entry: Entry) -> tuple[str, str, int, str, str]:
    return (entry.case_id, entry.step_id, entry.part, entry.template, entry.path)


class Memory:
    """What one attempt at a case recalls and learns.

    Args:
        known: of the suite.
        case_id: of the case.
        healed: told when an element was found in another shape.
    """

    def __init__(self, known: Known, case_id: str, healed: Healed) -> None:
        self._known = known
        self._case_id = case_id
        self._healed = healed
        self.entries: list[Entry] = []
        self.heals: list[Heal] = []

    def locating(self, step: Step, template: str) -> Locate:
        """Give what finds the elements of a step, one after the other.

        Args:
            step: which.
            template: its text under which places are kept, without any secret.
        """
        part = -1

        async def locate(stage: Stage, wanted: Wanted, scene: Scene) -> Found:
            nonlocal part
            part += 1
            return await self._locate(step, template, part, stage, wanted, scene)

        return locate

    def of_model(self, step: Step) -> list[Entry]:
        """Give what a model had done for a step, in order; empty unless all of it is known."""
        entries = [
            entry
            for entry in self._known.of_step(self._case_id, step.id, step.do)
            if entry.action.get("do")
        ]
        parts = [entry.part for entry in entries]
        return entries if parts == list(range(len(parts))) else []

    def learn(
        self,
        step: Step,
        part: int,
        url: str,
        touched: Candidate | None,
        action: Mapping[str, Any],
    ) -> None:
        """Note where a model found an element, and what it did there."""
        place = Place() if touched is None else place_of(touched)
        self.entries.append(
            Entry(self._case_id, step.id, part, step.do, path_template(url), place, action)
        )

    async def _locate(
        self, step: Step, template: str, part: int, stage: Stage, wanted: Wanted, scene: Scene
    ) -> Found:
        refused = self._known.refused.get((self._case_id, step.id, part), ())
        if refused:
            wanted = replace(wanted, refused=tuple((one.role, one.name) for one in refused))
        if not _is_constant(step, wanted, scene):
            return await by_rules(stage, wanted, scene)
        seen: list[Reading] = []
        words = {"verb": wanted.verb, "words": wanted.target.text}

        def entry_at(reading: Reading) -> Entry | None:
            seen[:] = [reading]
            key = (self._case_id, step.id, part, template, path_template(reading.url))
            entry = self._known.entries.get(key)
            # How many elements a step needs depends on the page: the same part may be another.
            return entry if entry is not None and dict(entry.action) == words else None

        def look(reading: Reading) -> Found | None:
            entry = entry_at(reading)
            same = None if entry is None else recall(entry.place, reading.candidates)
            if same is None or is_refused(same, refused):
                return None
            return Found(same, "cache", 100.0)

        def help_out(reading: Reading) -> Found | None:
            entry = entry_at(reading)
            allowed = [one for one in reading.candidates if not is_refused(one, refused)]
            saved = None if entry is None else rescue(entry.place, allowed)
            return None if saved is None else Found(saved[0], "cache", saved[1])

        found = await by_rules(stage, wanted, scene, look=look, rescue=help_out)
        if seen:
            path = path_template(seen[0].url)
            entry = Entry(self._case_id, step.id, part, template, path, Place(), words)
            await self._note(
                replace(entry, place=place_of(found.candidate)), entry_at(seen[0]), found
            )
        return found

    async def _note(self, entry: Entry, before: Entry | None, found: Found) -> None:
        if before is None:
            self.entries.append(entry)
            return
        was, now = before.place, entry.place
        if was == now:
            return
        self.entries.append(entry)
        if (was.role, was.name) != (now.role, now.name):
            heal = Heal(entry, was, found.score)
            self.heals.append(heal)
            await self._healed(heal)


def _is_constant(step: Step, wanted: Wanted, scene: Scene) -> bool:
    """Tell whether the words always mean the same element, so that its place says something.

    With a place, an ordinal or a variable in the words, another element may rightly be meant today,
    and the one of yesterday may be somebody else's row.
    """
    target = wanted.target
    if target.relations or target.ordinal is not None or not target.text:
        return False
    values = (scene.variables.fill("${" + name + "}") for name in references(step.do))
    return not any(value and value in target.text for value in values)
