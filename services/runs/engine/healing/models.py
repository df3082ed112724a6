"""What is remembered of where a step's elements were (contract 10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """An element, described so that another page or another day can find it again.

    Attributes:
        frame: addresses of its frame's chain, the page's own left out.
        role, name: as assistive technology sees it.
        label: of a field.
        test_id, css: what its authors call it.
        neighbour: the text right before it.
    """

    frame: tuple[str, ...] = ()
    role: str = ""
    name: str = ""
    label: str = ""
    test_id: str = ""
    css: str = ""
    neighbour: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give it as it is stored."""
        return {
            "frame": list(self.frame),
            "role": self.role,
            "name": self.name,
            "label": self.label,
            "test_id": self.test_id,
            "css": self.css,
            "neighbour": self.neighbour,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Place:
        """Read it as it was stored; what is missing is empty."""
        words = ("role", "name", "label", "test_id", "css", "neighbour")
        frame = plain.get("frame") or ()
        return cls(tuple(map(str, frame)), *(str(plain.get(word) or "") for word in words))


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one element of a step was.

    Attributes:
        case_id, step_id: whose.
        part: which element of the step, from 0 on.
        template: the step's text before values were put in.
        path: of the page, with numbers and ids left out.
        place: where it was.
        action: what was done there, where a model said so; else empty.
    """

    case_id: str
    step_id: str
    part: int
    template: str
    path: str
    place: Place
    action: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give it as it is stored."""
        return {
            "case_id": self.case_id,
            "step_id": self.step_id,
            "part": self.part,
            "template": self.template,
            "path": self.path,
            "target": self.place.as_json(),
            "action": dict(self.action),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Entry:
        """Read it as it was stored."""
        return cls(
            case_id=str(plain["case_id"]),
            step_id=str(plain["step_id"]),
            part=int(plain.get("part") or 0),
            template=str(plain["template"]),
            path=str(plain.get("path") or ""),
            place=Place.from_json(plain.get("target") or {}),
            action=dict(plain.get("action") or {}),
        )


@dataclass(frozen=True, slots=True)
class Heal:
    """An element that was found in another shape than before; a person decides about it.

    Attributes:
        entry: as it is from now on.
        before: where it was.
        score: points, of which 100 is an exact name.
    """

    entry: Entry
    before: Place
    score: float

    @property
    def confidence(self) -> float:
        """How sure it is, 0 to 1."""
        return round(min(1.0, max(0.0, self.score / 100)), 2)

    def as_json(self) -> dict[str, Any]:
        """Give the record as it is stored."""
        entry = self.entry
        return {
            "case_id": entry.case_id,
            "step_id": entry.step_id,
            "part": entry.part,
            "template": entry.template,
            "path": entry.path,
            "before": self.before.as_json(),
            "after": entry.place.as_json(),
            "score": round(self.score, 1),
            "confidence": self.confidence,
        }
