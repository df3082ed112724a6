"""How entries, targets and heals are known again, and which of a run's are kept (contract 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from services.runs.resolutions.models import Entry, Healed, Refused, Spot
from shared.log import get_logger

SpotT = TypeVar("SpotT", bound=Spot)

log = get_logger()


def read(kind: type[SpotT], case_id: str, told: Sequence[Mapping[str, Any]]) -> list[SpotT]:
    """Read what a run tells of one of its cases; what is malformed is left out.

    Its words come from pages, which are hostile: a page that has a name of a megabyte loses its
    place in the cache, and nothing else happens.
    """
    found = []
    for one in told:
        try:
            item = kind.model_validate(_clean(dict(one) | {"case_id": case_id}))
        except ValidationError as error:
            log.info("resolution dropped", kind=kind.__name__, faults=error.error_count())
            continue
        found.append(item)
    return found


def _clean(value: Any) -> Any:
    """Leave out NUL characters, and what is no character: PostgreSQL's text holds neither."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


def distinct(entries: Iterable[Entry]) -> list[Entry]:
    """Give the last entry of each key, in the order of keys, so that writers never cross."""
    last = {(one.case_id, one.step_id, one.part, one.template, one.path): one for one in entries}
    return [last[key] for key in sorted(last)]


def distinct_refusals(refused: Iterable[Refused]) -> list[Refused]:
    """Give the last refusal of each target of a step."""
    last = {(one.case_id, one.step_id, one.part, one.target.hash): one for one in refused}
    return [last[key] for key in sorted(last)]


def distinct_heals(heals: Iterable[Healed]) -> list[Healed]:
    """Give the first heal of each place."""
    first: dict[bytes, Healed] = {}
    for one in heals:
        first.setdefault(one.place, one)
    return list(first.values())


def names_of(suite: str) -> list[str]:
    """Give the file names that a suite's name may mean; without an extension it has the usual."""
    return [suite, f"{suite}.tripwire.yaml"]
