"""Where a step's element was, and whether this is still it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs.engine.healing.memory import Known
from services.runs.engine.healing.models import Entry, Heal, Place
from services.runs.engine.healing.recalling import (
    is_refused,
    path_template,
    place_of,
    recall,
    rescue,
)
from services.runs.engine.resolver.models import Candidate

SAVE = Candidate(0, "r1", "button", "Save", test_id="save", css="form > #save", neighbour="Name")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://shop.test/orders/4711?x=1", "/orders/{id}"),
        ("http://shop.test/o/0b8f0c2e-6f5e-4b0e-9f5d-5a4a9f6b1c2d/edit", "/o/{id}/edit"),
        ("http://shop.test/s/a8f2k1m3n5p7q9r1t3", "/s/{id}"),
        ("http://shop.test/getting-started-guide", "/getting-started-guide"),
        ("http://shop.test", "/"),
        ("about:blank", "blank"),
    ],
)
def test_a_page_is_known_by_its_path_without_numbers(url: str, path: str) -> None:
    assert path_template(url) == path


def test_an_element_of_the_same_role_and_name_is_still_it() -> None:
    moved = Candidate(0, "r9", "button", "Save", css="main > button")
    assert recall(place_of(SAVE), [Candidate(0, "r2", "link", "Save"), moved]) is moved


@pytest.mark.parametrize(
    "other",
    [
        Candidate(0, "r9", "button", "Store"),
        Candidate(0, "r9", "link", "Save"),
        Candidate(0, "r9", "button", "Save", visible=False),
        Candidate(0, "r9", "button", "Save", enabled=False),
        Candidate(1, "r9", "button", "Save", frames=("http://shop.test/frame",)),
    ],
)
def test_anything_else_is_not(other: Candidate) -> None:
    assert recall(place_of(SAVE), [other]) is None


def test_two_that_look_the_same_are_none() -> None:
    twin = Candidate(0, "r2", "button", "Save")
    assert recall(place_of(SAVE), [SAVE, twin]) is None


def test_an_element_of_another_name_is_saved_by_its_test_id() -> None:
    renamed = Candidate(0, "r9", "button", "Store it", test_id="save")
    found = rescue(place_of(SAVE), [Candidate(0, "r2", "button", "Cancel"), renamed])
    assert found is not None
    assert found[0] is renamed


def test_an_element_of_another_name_is_saved_by_an_id_and_its_role() -> None:
    renamed = Candidate(0, "r9", "button", "Store it", css="form > #save")
    assert rescue(place_of(SAVE), [renamed]) is not None


@pytest.mark.parametrize(
    "other",
    [
        Candidate(0, "r9", "button", "Delete", css="form > button:nth-of-type(1)"),
        Candidate(0, "r9", "link", "Delete", css="form > #save"),
        Candidate(0, "r9", "link", "Delete", test_id="save"),
        Candidate(0, "r9", "button", "Delete", neighbour="Name"),
    ],
)
def test_a_place_a_neighbour_or_an_id_of_another_role_saves_nothing(other: Candidate) -> None:
    before = Place(role="button", name="Save", css="form > button:nth-of-type(1)", neighbour="Name")
    assert rescue(before, [other]) is None
    assert rescue(place_of(SAVE), [other]) is None


def test_two_with_the_same_test_id_save_nothing() -> None:
    twins = [Candidate(0, f"r{n}", "button", f"Store {n}", test_id="save") for n in range(2)]
    assert rescue(place_of(SAVE), twins) is None


def test_what_a_person_refused_stays_refused() -> None:
    assert is_refused(SAVE, [Place(role="button", name="Save")])
    assert not is_refused(SAVE, [Place(role="button", name="Store")])


def test_what_a_job_brings_is_read_back_as_it_was_written() -> None:
    entry = Entry("c1", "s1", 1, 'Click "Save"', "/settings", place_of(SAVE))
    refused = {"case_id": "c1", "step_id": "s1", "part": 1, "target": {"role": "link", "name": "x"}}
    known = Known.of([entry.as_json()], [refused])
    assert known.of_step("c1", "s1", 'Click "Save"') == [entry]
    assert known.of_step("c1", "s1", 'Click "Store"') == []
    assert known.refused[("c1", "s1", 1)] == [Place(role="link", name="x")]


def test_confidence_is_between_nothing_and_certain() -> None:
    entry = Entry("c1", "s1", 0, "t", "/", place_of(SAVE))
    assert Heal(entry, Place(), 130).confidence == 1.0
    assert Heal(entry, Place(), 74.6).confidence == 0.75


texts = st.text(max_size=8)


@given(
    place=st.builds(Place, role=texts, name=texts, test_id=texts, css=texts, neighbour=texts),
    names=st.lists(texts, max_size=6),
)
def test_whatever_was_remembered_only_one_or_none_is_found(place: Place, names: list[str]) -> None:
    candidates = [
        Candidate(0, f"r{number}", place.role, name, test_id=place.test_id)
        for number, name in enumerate(names)
    ]
    found = recall(place, candidates)
    assert (found is not None) == (names.count(place.name) == 1)
    saved = rescue(place, candidates)
    assert saved is None or len(candidates) == 1
