"""A step into intents (contract 5.1): one reader per verb, in one table.

A step is read whole or not at all: one clause that no reader takes makes the step unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.runs.engine.language import controls, pointing, typing, windows
from services.runs.engine.language.clauses import Clause
from services.runs.engine.language.heads import ordinal_of
from services.runs.engine.language.models import Click, Intent
from services.runs.engine.language.scopes import Scope, confine, read_scope
from services.runs.engine.language.splitting import split
from services.runs.engine.language.tokens import Phrase, tokenize
from services.runs.engine.language.values import is_literal
from services.runs.engine.language.verbs import skip_subject, verb_at
from services.runs.engine.language.words import FORBIDDEN

Reader = Callable[[Clause], tuple[Intent, ...] | None]

READERS: Mapping[str, Reader] = {
    "open": pointing.read_open,
    "click": pointing.read_click,
    "double_click": pointing.read_double_click,
    "right_click": pointing.read_right_click,
    "choose": controls.read_choose,
    "press": pointing.read_press,
    "hover": pointing.read_hover,
    "focus": pointing.read_focus,
    "scroll": pointing.read_scroll,
    "drag": pointing.read_drag,
    "fill": typing.read_fill,
    "assign": typing.read_assign,
    "set": typing.read_set,
    "replace": typing.read_replace,
    "give": typing.read_give,
    "clear": typing.read_clear,
    "leave": typing.read_leave,
    "upload": typing.read_upload,
    "log_in": typing.read_log_in,
    "log_out": typing.read_log_out,
    "sign_up": typing.read_sign_up,
    "search": typing.read_search,
    "submit": typing.read_submit,
    "select": controls.read_select,
    "filter": controls.read_filter,
    "toggle_on": controls.read_toggle_on,
    "toggle_off": controls.read_toggle_off,
    "toggle": controls.read_toggle,
    "check": controls.read_check,
    "uncheck": controls.read_uncheck,
    "turn": controls.read_turn,
    "accept": controls.read_accept,
    "dismiss": controls.read_dismiss,
    "confirm": controls.read_confirm,
    "wait": windows.read_wait,
    "back": windows.read_back,
    "forward": windows.read_forward,
    "reload": windows.read_reload,
    "switch_tab": windows.read_switch_tab,
    "close": windows.read_close,
}

# "Log in by typing ..." asks for more than the typing.
_GOALS_WITH_AN_END = frozenset({"log_in", "sign_up", "search", "submit", "upload"})


def parse_step(template: str) -> tuple[Intent, ...] | None:
    """Read a step; the template is read, values are put in afterwards (`fill_intent`).

    Returns:
        The intents in order, or None when the rules cannot read the whole step.
    """
    phrase = tokenize(template)
    if phrase is None:
        return None
    intents: list[Intent] = []
    scope: Scope | None = None
    parts = split(phrase)
    for index, part in enumerate(parts):
        another = _another(part, tuple(intents))
        leading = read_scope(part) if another is None and index + 1 < len(parts) else None
        if leading is not None:
            scope = leading
            continue
        read = _read_clause(part, tuple(intents))
        if read is None:
            return None
        for intent in read:
            confined = intent if scope is None else confine(intent, scope)
            if confined is None:
                return None
            intents.append(confined)
    return tuple(intents) or None


def _read_clause(part: Phrase, before: tuple[Intent, ...]) -> tuple[Intent, ...] | None:
    position = _by(part)
    if position:
        return _means(part, position)
    start = skip_subject(part, 0)
    verb = verb_at(part, start)
    if verb is None:
        return _another(part, before)
    name, length = verb
    return READERS[name](Clause(part.cut(start + length), before, part.word(start)))


def _another(part: Phrase, before: tuple[Intent, ...]) -> tuple[Intent, ...] | None:
    """Read `then "B"` behind `click "A"`: the same with another element."""
    part = part.cut(1) if part.word(0) == "on" else part
    if len(part) == 1 and part[0].kind == "quote" and before and isinstance(before[-1], Click):
        usual = before[-1].times == 1 and before[-1].button == "left"
        return pointing.read_click(Clause(part)) if usual else None
    return None


def _by(part: Phrase) -> int:
    """Where "by clicking" and the like stand, or 0."""
    for position in range(1, len(part) - 1):
        if part.word(position) == "by" and verb_at(part, position + 1, gerund=True):
            return position
    return 0


def _means(part: Phrase, position: int) -> tuple[Intent, ...] | None:
    """Read "GOAL by clicking ...": the means is the step, if the goal says nothing beyond it.

    A goal with a value or an order ("add the second item by ...") would be lost, so such a clause
    is read only where the means itself says where.
    """
    verb = verb_at(part, position + 1, gerund=True)
    goal = part.cut(0, position)
    wanted = verb_at(goal, skip_subject(goal, 0))
    if verb is None or (wanted is not None and wanted[0] in _GOALS_WITH_AN_END):
        return None
    if any(is_literal(token) for token in goal) or any(word in FORBIDDEN for word in goal.words):
        return None
    name, length = verb
    read = READERS[name](Clause(part.cut(position + 1 + length)))
    ordered = any(ordinal_of(word) is not None for word in goal.words)
    if read is None or (ordered and not any(_is_placed(intent) for intent in read)):
        return None
    return read


def _is_placed(intent: Intent) -> bool:
    target = getattr(intent, "target", None)
    return bool(target is not None and getattr(target, "relations", ()))
