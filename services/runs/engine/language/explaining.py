"""Why a step or a claim is not read: which part, and the nearest form that would be."""

from __future__ import annotations

from services.runs.engine.language.claim_words import HELPER_STARTS, VERBS
from services.runs.engine.language.claims import parse_claim
from services.runs.engine.language.sentences import read_sentence, without_leads
from services.runs.engine.language.splitting import split
from services.runs.engine.language.steps import parse_step
from services.runs.engine.language.tokens import MOST_TOKENS, Phrase, tokenize
from services.runs.engine.language.verbs import skip_subject, verb_at

_SHOWN = 80
_CONDITIONS = frozenset({"if", "unless", "until", "when", "while", "whenever"})
_NEGATIONS = frozenset({"not", "never", "without"})
_UNQUOTED = (
    f"its quotes do not match, or it has more than {MOST_TOKENS} words; write names and texts as "
    'in: Click "Save"'
)


def explain_step(template: str) -> str:
    """Say why the rules do not read a step, for its author; "" if they do."""
    if parse_step(template) is not None:
        return ""
    phrase = tokenize(template)
    if phrase is None:
        return _UNQUOTED
    if parse_claim(template) is not None:
        return "it says what is so, not what to do: put it under expect, or begin with Wait for"
    parts = split(phrase)
    unread = next((part for part in parts if parse_step(_text(part)) is None), phrase)
    said = _quoted(unread)
    if not len(unread):
        return "it says nothing to do"
    if any(word in _CONDITIONS for word in unread.words):
        return f"{said} holds a condition: say what is to be done in any case"
    if any(word in _NEGATIONS for word in unread.words):
        return f"{said} says what is not to be done: leave it out"
    start = skip_subject(unread, 0)
    if verb_at(unread, start) is None:
        return (
            f"{said} begins with no verb that steps have (Open, Click, Enter, Select, Tick, Press, "
            'Wait for …): name what is clicked, as in Click "Save"'
        )
    if not any(token.literal for token in unread):
        return f"in {said}, put the name or value in quotes, and say what it is: button, field …"
    return (
        f"in {said} some words belong to no element or value: say one thing, as in "
        'Click "Edit" in the row for "Bob", or Enter "Ada" into "Name"'
    )


def explain_claim(template: str) -> str:
    """Say why the rules do not read a claim, for its author; "" if they do."""
    if parse_claim(template) is not None:
        return ""
    phrase = tokenize(template)
    if phrase is None:
        return _UNQUOTED
    phrase = without_leads(phrase)
    for position, word in enumerate(phrase.words):
        if word == "and" and all(
            map(_is_claim, (phrase.cut(0, position), phrase.cut(position + 1)))
        ):
            return "these are two claims: write one below the other"
    if any(word in _CONDITIONS for word in phrase.words):
        return "it holds a condition: claim what must be so in any case"
    quoted = any(token.literal for token in phrase)
    sentence = read_sentence(phrase)
    if sentence is None:
        known = any(word in VERBS or word in HELPER_STARTS for word in phrase.words)
        what = "it is denied twice, or its verb" if known else "its verb"
        return f'{what} is none that claims have: write, for instance, "Saved" is shown'
    if sentence.verb in ("be", "equal") and len(sentence.rest) == 1 and sentence.rest[0].literal:
        return (
            'say what it is that equals: The "Name" field is "Ada", The total is "$5" (the text '
            'beside a label, without quotes), The row for "Bob" shows "Open"'
        )
    if not quoted:
        return 'put the text that the page shows in quotes, as in "Saved" is shown'
    return (
        "it names no element, or a state that rules cannot judge: say what is quoted (button, "
        'field, row for "Bob" …) and that it is shown, enabled, checked, or contains a text'
    )


def _is_claim(phrase: Phrase) -> bool:
    return len(phrase) > 1 and parse_claim(_text(phrase)) is not None


def _text(phrase: Phrase) -> str:
    return phrase.source[phrase[0].start : phrase[-1].end] if len(phrase) else ""


def _quoted(phrase: Phrase) -> str:
    text = " ".join(_text(phrase).split())
    return f"“{text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}”"
