"""Parts of an application, each with what is known of it: a model is asked about one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from services.runs.engine.generating.models import Case, SiteMap
from services.runs.engine.generating.prose import sections
from services.runs.engine.generating.site import area_of

MOST_AREAS: Final = 6
"""What is beyond goes together into the last."""

MOST_PATHS: Final = 60
"""Other pages of the site that are named beside an area's own."""

WHOLE: Final = "The application"


@dataclass(frozen=True, repr=False)
class Area:
    """A part of an application.

    Attributes:
        name: of it.
        material: what was seen of it, or what a document says of it.
        made: titles of the rules' cases for it.
    """

    name: str
    material: Mapping[str, Any] | str
    made: tuple[str, ...] = ()


def areas_of(material: Mapping[str, Any] | str, made: Sequence[Case]) -> list[Area]:
    """Divide what is known of an application; one area where it has no parts.

    Args:
        material: a site's map, or a document's text.
        made: the rules' cases.
    """
    if isinstance(material, str):
        return [Area(name, text, _titles(made, name)) for name, text in _parts(sections(material))]
    try:
        site = SiteMap.model_validate(material)
    except ValidationError:
        return [Area(WHOLE, material, tuple(case.title for case in made))]
    return _of_site(site, made)


def _of_site(site: SiteMap, made: Sequence[Case]) -> list[Area]:
    paths = [page.path for page in site.pages]
    pages: dict[str, list[Any]] = {}
    for page in site.pages:
        name = area_of(page)
        if name not in pages and len(pages) == MOST_AREAS:
            name = next(reversed(pages))
        pages.setdefault(name, []).append(page.model_dump(mode="json", exclude_defaults=True))
    found = []
    for name, own in pages.items():
        mine = {page["path"] for page in own}
        elsewhere = [path for path in paths if path not in mine][:MOST_PATHS]
        shown = {"base_url": site.base_url, "pages": own, "other_pages": elsewhere}
        found.append(Area(name, shown, _titles(made, name)))
    return found


def _parts(found: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Put together what is beyond the number of areas."""
    first, rest = list(found[: MOST_AREAS - 1]), list(found[MOST_AREAS - 1 :])
    if not rest:
        return first
    return [*first, (rest[0][0], "\n\n".join(text for _, text in rest))]


def _titles(made: Sequence[Case], name: str) -> tuple[str, ...]:
    """Give the titles of an area's cases first, and then the others'."""
    own = [case.title for case in made if case.area == name]
    return (*own, *(case.title for case in made if case.area != name))
