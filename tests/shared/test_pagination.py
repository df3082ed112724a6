from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.pagination import TOTAL_CAP, ArrayQuery, array_headers


def links(query: ArrayQuery, total: int, shown: int) -> dict[str, str]:
    """Read the header back: page and limit by relation."""
    text = array_headers("/x", query, total, shown)["link"]
    found = {}
    for part in text.split(", "):
        address, _, relation = part.partition("; ")
        found[relation.removeprefix('rel="').rstrip('"')] = address.strip("<>").partition("?")[2]
    return found


def test_a_whole_list_shows_a_thousand_and_where_it_goes_on() -> None:
    query = ArrayQuery()
    assert (query.most, query.offset) == (1000, 0)
    few = {"first": "page=1&limit=200", "last": "page=1&limit=200"}
    assert links(query, 0, 0) == links(query, 7, 7) == few
    many = links(query, 1201, 1000)
    assert many == {
        "first": "page=1&limit=200",
        "next": "page=6&limit=200",
        "last": "page=7&limit=200",
    }


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (1, {"first": 1, "next": 2, "last": 3}),
        (2, {"first": 1, "prev": 1, "next": 3, "last": 3}),
        (3, {"first": 1, "prev": 2, "last": 3}),
        (9, {"first": 1, "prev": 3, "last": 3}),
    ],
)
def test_a_page_names_its_neighbours(page: int, expected: dict[str, int]) -> None:
    found = links(ArrayQuery(page=page, limit=10), 25, 10)
    assert found == {name: f"page={number}&limit=10" for name, number in expected.items()}


def test_one_of_the_two_is_enough() -> None:
    assert (ArrayQuery(page=3).most, ArrayQuery(page=3).offset) == (20, 40)
    assert (ArrayQuery(limit=5).most, ArrayQuery(limit=5).offset) == (5, 0)
    with pytest.raises(ValidationError):
        ArrayQuery(limit=201)


def test_beyond_the_cap_a_full_page_has_a_next_one() -> None:
    last = TOTAL_CAP // 100
    assert "last" not in links(ArrayQuery(page=1, limit=100), TOTAL_CAP, 100)
    full = links(ArrayQuery(page=last + 5, limit=100), TOTAL_CAP, 100)
    assert full["next"] == f"page={last + 6}&limit=100"
    assert full["prev"] == f"page={last + 4}&limit=100"
    assert "next" not in links(ArrayQuery(page=last + 5, limit=100), TOTAL_CAP, 40)


class Named(ArrayQuery):
    name: str | None = None


def test_filters_stay() -> None:
    found = links(Named(name="a b&c", limit=1), 2, 1)
    assert found["next"] == "name=a+b%26c&page=2&limit=1"
