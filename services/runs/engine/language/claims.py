"""A claim into a check (contract 6.1): subject and verb decide which builder reads the rest.

A claim is read whole or not at all; a word that no builder takes makes it unreadable. A negation is
counted once (`sentences`) and always ends up in the check: as `absent_text`, `disabled` or
`not: true`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.runs.engine.grammar.models import Check
from services.runs.engine.language import claim_addresses, claim_contents, claim_states
from services.runs.engine.language.claim_labels import label_is
from services.runs.engine.language.claim_others import read_other
from services.runs.engine.language.sentences import Sentence, read_sentence, without_leads
from services.runs.engine.language.things import Thing, read_thing
from services.runs.engine.language.tokens import tokenize

Builder = Callable[[Sentence, Thing], Check | None]

BUILDERS: Mapping[tuple[str, str], Builder] = {
    ("url", "be"): claim_addresses.url_is,
    ("url", "equal"): claim_addresses.url_is,
    ("url", "change"): claim_addresses.url_is,
    ("url", "show"): claim_addresses.url_contains,
    ("url", "have"): claim_addresses.url_contains,
    ("url", "start"): claim_addresses.url_starts,
    ("url", "end"): claim_addresses.url_ends,
    ("path", "be"): claim_addresses.path_is,
    ("path", "equal"): claim_addresses.path_is,
    ("title", "be"): claim_addresses.title_is,
    ("title", "equal"): claim_addresses.title_is,
    ("title", "show"): claim_addresses.title_contains,
    ("title", "start"): claim_addresses.title_starts,
    ("title", "end"): claim_addresses.title_ends,
    ("watcher", "be"): claim_addresses.watcher_is,
    ("watcher", "land"): claim_addresses.watcher_lands,
    ("watcher", "move"): claim_addresses.watcher_moves,
    ("watcher", "see"): claim_contents.watcher_sees,
    ("page", "be"): claim_addresses.watcher_is,
    ("page", "move"): claim_addresses.watcher_moves,
    ("page", "show"): claim_contents.page_shows,
    ("page", "have"): claim_contents.page_shows,
    ("page", "match"): claim_contents.page_matches,
    ("there", "be"): claim_contents.there_is,
    ("texts", "be"): claim_states.texts_are,
    ("texts", "appear"): claim_states.appears,
    ("texts", "disappear"): claim_states.disappears,
    ("error", "be"): claim_states.is_shown,
    ("error", "appear"): claim_states.appears,
    ("error", "show"): claim_contents.error_says,
    ("error", "disappear"): claim_states.disappears,
    ("count", "be"): claim_states.is_shown,
    ("count", "appear"): claim_states.appears,
    ("element", "be"): claim_states.element_is,
    ("element", "appear"): claim_states.appears,
    ("element", "disappear"): claim_states.disappears,
    ("element", "show"): claim_contents.element_shows,
    ("element", "have"): claim_contents.element_has,
    ("element", "equal"): claim_states.element_equals,
    ("element", "start"): claim_contents.element_starts,
    ("element", "end"): claim_contents.element_ends,
    ("element", "point"): claim_contents.link_points,
    ("loose", "show"): claim_contents.element_shows,
    ("loose", "be"): label_is,
    ("loose", "equal"): label_is,
}


def parse_claim(template: str) -> Check | None:
    """Compile a claim; the template is read, values are put into the check afterwards.

    Returns:
        A check of one of the kinds of contract 4.2 (or `logged_in`, `error_shown`), or None when
        the rules cannot read the whole claim.
    """
    phrase = tokenize(template)
    if phrase is None:
        return None
    phrase = without_leads(phrase)
    other = read_other(phrase)
    if other is not None:
        return other
    sentence = read_sentence(phrase)
    if sentence is None:
        return None
    subject = read_thing(sentence.subject) if len(sentence.subject) else Thing("watcher")
    if subject is None:
        return None
    if subject.negative and sentence.negative:
        return None
    builder = BUILDERS.get((subject.kind, sentence.verb))
    return None if builder is None else builder(sentence, subject)
