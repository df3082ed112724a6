"""Areas of an application, about each of which a model is asked on its own."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from services.runs.engine.generating.areas import MOST_AREAS, areas_of
from services.runs.engine.generating.models import SeenPage, SiteMap
from services.runs.engine.generating.proposing import (
    LONGEST_MATERIAL,
    proposed,
    question,
    together,
)
from services.runs.engine.generating.prose import cases_of_text
from services.runs.engine.generating.site import cases_of_site

BASE = "http://shop.test"


def site(*paths: str) -> SiteMap:
    pages = tuple(SeenPage(path=path, title=path, headings=(f"At {path}",)) for path in paths)
    return SiteMap(base_url=BASE, pages=pages)


def test_a_site_is_divided_by_the_first_part_of_its_paths() -> None:
    seen = site("/", "/orders", "/orders/7", "/help")
    made = cases_of_site(seen)
    areas = areas_of(seen.model_dump(mode="json"), made)
    assert [area.name for area in areas] == ["Home", "Orders", "Help"]
    orders = areas[1]
    assert isinstance(orders.material, dict)
    assert [page["path"] for page in orders.material["pages"]] == ["/orders", "/orders/7"]
    assert orders.material["other_pages"] == ["/", "/help"]
    own = {case.title for case in made if case.area == "Orders"}
    assert set(orders.made[: len(own)]) == own
    assert set(orders.made) == {case.title for case in made}


def test_of_many_areas_the_last_holds_the_rest() -> None:
    paths = [f"/part{number}/x" for number in range(3 * MOST_AREAS)]
    areas = areas_of(site(*paths).model_dump(mode="json"), [])
    assert len(areas) == MOST_AREAS
    held = [page["path"] for area in areas for page in area.material["pages"]]  # type: ignore[index]
    assert held == paths
    text = "\n".join(f"# Part {number}\nClick the button." for number in range(3 * MOST_AREAS))
    parts = areas_of(text, [])
    assert len(parts) == MOST_AREAS
    assert "Part 17" in str(parts[-1].material)


def test_a_document_is_divided_by_its_headings() -> None:
    text = (
        'Before all.\n\n## Search\nEnter "a" into "Search".\n\n## Empty\n\n# Orders\nOpen /orders.'
    )
    areas = areas_of(text, cases_of_text(text))
    assert [area.name for area in areas] == ["Described", "Search", "Empty", "Orders"]
    assert areas[1].made[0] == "Search"
    assert [area.name for area in areas_of("no heading at all", [])] == ["Described"]
    assert [area.material for area in areas_of("", [])] == [""]
    html = "<h1>Search</h1><p>Open /search.</p>"
    assert areas_of(html, [])[0].name in ("Search", "Described")


def test_what_several_areas_propose_stands_once() -> None:
    case = {"title": "Again", "steps": ["Open /a"], "expect": ['"Hi" is shown']}
    other = {**case, "title": "Other", "steps": ["Open /b"]}
    answers = [
        proposed(json.dumps({"cases": [case, other]}), "First"),
        proposed(json.dumps({"cases": [{**case, "title": "By another name"}]}), "Second"),
        [],
    ]
    found = together(answers, [])
    assert [(one.id, one.title, one.area) for one in found] == [
        ("proposed-1-again", "Again", "First"),
        ("proposed-2-other", "Other", "First"),
    ]
    assert together(answers, found) == []


@given(st.text(max_size=3_000))
def test_any_text_has_areas_and_a_question_of_bounded_length(text: str) -> None:
    areas = areas_of(text, [])
    assert 1 <= len(areas) <= MOST_AREAS
    for area in areas:
        _, asked = question(area, "data-fence")
        assert len(asked) <= LONGEST_MATERIAL + 100
        assert asked.count("</data-fence>") == 1
