"""Which posting lists a search reads, so that its work is bounded whatever it asks for.

A word that is everywhere must not be looked up alone: its list is as long as the organization. So
the rare words and trigrams of a query are looked up, common ones only in company, and where nothing
is rare, the newest learnings are read instead: what is common is among them as well. All
candidates are ranked by the whole query afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from services.learnings.search.models import Filters, Frequencies, Group, Plan, Term, Wanted
from services.learnings.search.rules.keys import gram_keys, pieces_of, tag_keys, words_of

MOST_TERMS: Final = 12
"""Words of a query that are looked up and ranked by; the rarest count."""

MOST_TYPO_WORDS: Final = 6
"""Words of a query whose trigrams are looked up."""

BUDGET: Final = 2000
"""Rows that the word groups of a search may give, as far as can be estimated; its trigram groups
again as many."""

ALONE: Final = 1000
"""Rows up to which a single word is worth its list."""

MOST_ROWS: Final = 1600
"""Rows that the single words of a search may give, whatever was estimated."""

WALK: Final = 100_000
"""Rows of lists that a search walks through to find those that common words share."""

MOST_GRAMS: Final = 24
"""Trigrams of a query that likeness is judged by."""

UNSEEN: Final = 0.5
"""Occurrences that a key counts for that is not in the sample."""


def plan(terms: Sequence[Term], wanted: Wanted, org_id: str, frequencies: Frequencies) -> Plan:
    """Choose where the candidates come from.

    Args:
        terms: the query's words, from ``rarest``.
        wanted: the search.
        org_id: by which keys are salted.
        frequencies: of the organization's words and trigrams.
    """
    words, covered = _word_groups([term.key for term in terms], frequencies)
    grams = _gram_groups(wanted.query, org_id, frequencies)
    tagged = rare_tags(wanted.filters, org_id, frequencies)
    if tagged is not None:
        grams.append(Group(tagged, ALONE))
    # Behind a filter, what the keys gave may all be lost.
    is_filtered = replace(wanted.filters, statuses=(), expired=True, duplicates=False) != Filters()
    return Plan(words, grams, wide=is_filtered or not covered)


def rare_tags(filters: Filters, org_id: str, frequencies: Frequencies) -> list[int] | None:
    """Give the keys of the tags that are asked for, if few enough learnings have all of them."""
    keys = tag_keys(org_id, filters.tags)
    if keys and min(estimate(frequencies.grams, key, frequencies) for key in keys) <= ALONE:
        return keys
    return None


def rarest(terms: Sequence[Term], frequencies: Frequencies) -> list[Term]:
    """Keep the words that tell most."""
    return sorted(terms, key=lambda term: frequencies.words.get(term.key, 0))[:MOST_TERMS]


def estimate(counts: Mapping[int, int], key: int, frequencies: Frequencies) -> float:
    """Estimate how many learnings of the organization have a key."""
    if not frequencies.sampled:
        return 0.0
    return frequencies.rows * max(counts.get(key, 0), UNSEEN) / frequencies.sampled


def rarest_grams(keys: Sequence[int], frequencies: Frequencies) -> list[int]:
    """Keep the trigrams that tell most."""
    return sorted(keys, key=lambda key: frequencies.grams.get(key, 0))[:MOST_GRAMS]


def weights(grams: Sequence[int], frequencies: Frequencies) -> list[float]:
    """Weigh trigrams, 1 together: those of common words would make all learnings alike."""
    seen = frequencies.sampled + 1
    each = [math.log(1 + seen / (1 + frequencies.grams.get(gram, 0))) for gram in grams]
    return [weight / sum(each) for weight in each]


def _word_groups(keys: Sequence[int], frequencies: Frequencies) -> tuple[list[Group], bool]:
    """Give the groups, and whether they hold all that a reader would look for."""
    sized = sorted((estimate(frequencies.words, key, frequencies), key) for key in keys)
    groups: list[Group] = []
    spent, at = 0.0, 0
    while at < len(sized) and sized[at][0] <= ALONE and spent + sized[at][0] <= BUDGET:
        groups.append(Group([sized[at][1]], ALONE))
        spent += sized[at][0]
        at += 1
    groups = [Group(group.keys, _share(MOST_ROWS, len(groups))) for group in groups]
    common = sized[at:]
    if not common:
        return groups, True
    together, fits = _together(common, frequencies.rows)
    if not groups and not together and common[0][0] <= WALK:
        together = [Group([common[0][1]], ALONE // 2)]
    return groups + together, bool(groups) or fits


def _together(common: Sequence[tuple[float, int]], rows: int) -> tuple[list[Group], bool]:
    """Give groups of common words that few learnings share, and whether they are that few.

    First all of them; then, as far as the walks through their lists may go, so many as are rare
    together, with another one left out each time.
    """
    if len(common) < 2 or common[0][0] > WALK:
        return [], False
    expected, size = common[0][0], 1
    while size < len(common) and expected > ALONE / 4:
        expected *= common[size][0] / rows
        size += 1
    picks: list[Sequence[tuple[float, int]]] = [common]
    walked = common[0][0]
    for pick in combinations(common[: size + 1], size):
        walked += pick[0][0]
        if walked <= WALK and size > 1 and list(pick) != list(common):
            picks.append(pick)
    most = ALONE // len(picks) + 100
    return [Group([key for _, key in pick], most) for pick in picks], expected <= ALONE


def _gram_groups(query: str, org_id: str, frequencies: Frequencies) -> list[Group]:
    """Give groups of neighbouring trigrams; a slip in one part of a word leaves another whole."""
    sized: list[tuple[float, int, list[int]]] = []
    for word in words_of(query)[:MOST_TERMS]:
        keys = gram_keys(org_id, pieces_of(word))
        for part in parts_of(keys):
            likely = min(estimate(frequencies.grams, key, frequencies) for key in part)
            sized.append((likely, -len(word), part))
    chosen, spent = [], 0.0
    for likely, _, part in sorted(sized)[: 3 * MOST_TYPO_WORDS]:
        if likely > ALONE or spent + likely > BUDGET:
            break
        chosen.append(part)
        spent += likely
    return [Group(part, _share(MOST_ROWS // 2, len(chosen))) for part in chosen]


def _share(rows: int, groups: int) -> int:
    """Divide what may be read among groups; none starves, however many there are."""
    return max(80, min(ALONE, rows // groups))


def parts_of(keys: Sequence[int]) -> list[list[int]]:
    """Cut a word's trigrams into parts that each stand for a good piece of it."""
    count = len(keys)
    if count <= 4:
        return [list(keys[: max(2, count - 1)])] if keys else []
    if count <= 7:
        half = math.ceil(count / 2)
        return [list(keys[:half]), list(keys[2:-1]), list(keys[-half:])]
    third = math.ceil(count / 3)
    return [list(keys[:third]), list(keys[third : 2 * third]), list(keys[-third:])]
