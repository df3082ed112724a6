from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.learnings.search.models import Filters, Frequencies, Term, Wanted
from services.learnings.search.operations import grams_of, tag_keys
from services.learnings.search.rules import plans
from services.learnings.search.rules.keys import gram_keys, pieces_of, words_of

SIGNED = range(-(2**31), 2**31)


@given(st.text(max_size=300), st.lists(st.text(max_size=30), max_size=5), st.text(max_size=20))
def test_any_text_has_keys_that_fit(summary: str, tags: list[str], org_id: str) -> None:
    org_id = org_id.encode("utf-8", "replace").decode()
    keys = grams_of(org_id, summary, tags)
    assert len(keys) == len(set(keys))
    assert all(key in SIGNED for key in keys)
    assert set(tag_keys(org_id, tags)) <= set(keys)
    assert set(keys) == set(grams_of(org_id, summary, tags))


def test_keys_are_of_the_organization() -> None:
    one, other = (set(grams_of(org, "Pool early", ["db"])) for org in ("org_a", "org_b"))
    assert not one & other


def test_keys_do_not_grow_without_end() -> None:
    hostile = "".join(chr(0x4E00 + n % 20_000) for n in range(65_536))
    assert len(grams_of("org", hostile, [f"{n}" * 50 for n in range(200)])) < 5_000


def test_case_width_and_separators_fold() -> None:
    wide = "\uff30\uff4f\uff4f\uff4c"
    found = words_of(f"Asyncpg.Pool_size {wide} straße STRASSE")
    assert found == ["asyncpg", "pool", "size", "strasse"]
    assert set(grams_of("o", wide, [])) == set(grams_of("o", "pool", []))


def test_scripts_without_blanks_give_pairs() -> None:
    assert [piece.decode() for piece in pieces_of("数据库")] == ["数据", "据库"]
    assert [piece.decode() for piece in pieces_of("库")] == ["库"]
    assert {"数据", " db"} <= {piece.decode() for piece in pieces_of("数据db")}
    assert set(gram_keys("o", pieces_of("据库"))) <= set(grams_of("o", "大数据库连接", []))


TERMS = st.lists(
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2000)),
    max_size=40,
    unique_by=lambda term: term[0],
)


@given(TERMS, st.integers(0, 10_000_000), st.text("abcdefg hij", max_size=2000), st.booleans())
def test_no_query_has_an_unbounded_plan(
    counts: list[tuple[int, int]], rows: int, query: str, has_tags: bool
) -> None:
    frequencies = Frequencies(rows, 2000 if rows > 2000 else 0, dict(counts), {})
    terms = plans.rarest([Term(f"w{key}", key) for key, _ in counts], frequencies)
    assert len(terms) <= plans.MOST_TERMS
    wanted = Wanted(query, Filters(tags=["t"] if has_tags else ()))
    plan = plans.plan(terms, wanted, "org", frequencies)
    assert len(plan.words) + len(plan.grams) <= 60
    assert all(group.keys for group in (*plan.words, *plan.grams))
    walked = sum(
        min(plans.estimate(frequencies.words, key, frequencies) for key in group.keys)
        for group in plan.words
    )
    assert walked <= plans.BUDGET + plans.WALK
    if has_tags:
        assert plan.wide


def test_a_word_that_is_everywhere_is_not_looked_up_alone() -> None:
    frequencies = Frequencies(1_000_000, 2000, {1: 1900, 2: 1500}, {})
    wanted = Wanted("common words", Filters())
    plan = plans.plan([Term("common", 1)], wanted, "org", frequencies)
    assert plan.words == []
    assert plan.wide
    plan = plans.plan([Term("common", 1), Term("rare", 9)], wanted, "org", frequencies)
    assert [list(group.keys) for group in plan.words] == [[9]]
