"""Cache entries, refused targets and heal records on the wire (runs contract, 3.10 and 10)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, JsonValue
from pydantic_core import to_json

from shared.api import Answer, Body, Query
from shared.pagination import OffsetQuery

ID_PREFIX: Final = "heal_"

LONGEST_ID: Final = 210
"""Characters of an id in a suite's text, so that an index can hold three of them."""

MOST_ENTRIES: Final = 10_000
"""Of one suite, and of one import; where there are more, the oldest go."""

LARGEST_KNOWN: Final = 4_000_000
"""Characters of entries that a run is given to begin with; the newest come first."""

_LONGEST_ACTION: Final = 5_000
"""Bytes of JSON."""

Decision = Literal["accepted", "rejected"]
Status = Literal["pending", "accepted", "rejected"]


def _small(action: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if len(to_json(action)) > _LONGEST_ACTION:
        raise ValueError(f"must have at most {_LONGEST_ACTION} bytes as JSON")
    return action


def hash_of(text: str) -> bytes:
    """Give the SHA-256 of a text, by which an index knows it."""
    return hashlib.sha256(text.encode()).digest()


Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Part = Annotated[int, Field(ge=0, le=1_000)]
Short = Annotated[str, Field(max_length=200)]
Long = Annotated[str, Field(max_length=2_000)]
Template = Annotated[str, Field(min_length=1, max_length=10_000)]
Score = Annotated[float, Field(ge=-1_000, le=1_000)]
Share = Annotated[float, Field(ge=0, le=1)]
SuiteName = Annotated[str, Field(min_length=1, max_length=200)]


class Target(Body):
    """An element, described so that it can be found again.

    Attributes:
        frame: the chain of frames it stands in, outermost first.
        role, name: as assistive technology sees it.
        label: of a field.
        test_id, css: what its authors call it.
        neighbour: text beside it.
    """

    frame: Annotated[tuple[Long, ...], Field(max_length=20)] = ()
    role: Short = ""
    name: Long = ""
    label: Long = ""
    test_id: Long = ""
    css: Long = ""
    neighbour: Long = ""

    @property
    def hash(self) -> bytes:
        """What it is known by: its role and name, as the engine does."""
        return hash_of(json.dumps([self.role, self.name]))


class Spot(Body):
    """An element of a step, from ``part`` 0 on."""

    case_id: Id
    step_id: Id
    part: Part = 0


class Entry(Spot):
    """Where an element of a step was.

    Attributes:
        template: the step's text before values were put in.
        path: of the page, with numbers and ids left out.
        target: where it was.
        action: what was done there, where a model said so.
    """

    template: Template
    path: Long
    target: Target
    action: Annotated[dict[str, JsonValue], AfterValidator(_small)] = Field(default_factory=dict)


class Refused(Spot):
    """An element that a person refused for a step; it is known by its role and name."""

    target: Target


class Healed(Spot):
    """What a run tells of an element that it found in another shape than before."""

    template: Template
    path: Long
    before: Target
    after: Target
    score: Score
    confidence: Share

    @property
    def place(self) -> bytes:
        """What a run can heal only once."""
        return hash_of(
            json.dumps([self.case_id, self.step_id, self.part, self.template, self.path])
        )


Entries = Annotated[list[Entry], Field(max_length=MOST_ENTRIES)]
Refusals = Annotated[list[Refused], Field(max_length=MOST_ENTRIES)]


class SuiteQuery(Query):
    """``GET /api/v1/resolutions``: of a suite's file, and if wanted of one case."""

    suite: SuiteName
    case: Id | None = None


class SpotQuery(SuiteQuery):
    """``DELETE /api/v1/resolutions``; with ``refused`` what was refused is forgotten as well."""

    step: Id | None = None
    refused: bool = False


class HealQuery(OffsetQuery):
    """``GET /api/v1/heals``."""

    status: Status | None = None
    suite: SuiteName | None = None


class Export(Answer):
    """What is known of a suite; ``PUT /api/v1/resolutions`` takes it back."""

    suite: str
    suite_id: str
    entries: list[Entry]
    refused: list[Refused]


class Import(Body):
    """``PUT /api/v1/resolutions``: what stands under the same keys is replaced, the rest stays."""

    suite: SuiteName
    entries: Entries = Field(default_factory=list)
    refused: Refusals = Field(default_factory=list)


class Imported(Answer):
    """How much of an import was stored; entries whose target is refused are not."""

    ok: bool = True
    entries: int
    refused: int


class Done(Answer):
    """The answer of what has nothing else to say."""

    ok: bool = True


class Heal(Answer):
    """A heal record; ``decided_by`` is an account, empty once that was erased."""

    id: str
    suite_id: str
    case_id: str
    step_id: str
    part: int
    template: str
    path: str
    run_id: str
    before: Target
    after: Target
    score: float
    confidence: float
    status: Status
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """What a run of a suite is given: entries and refusals as the engine reads them."""

    entries: tuple[Mapping[str, Any], ...]
    refused: tuple[Mapping[str, Any], ...]
