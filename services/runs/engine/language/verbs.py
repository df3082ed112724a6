"""The verbs of steps, as data, with the forms in which authors write them."""

from __future__ import annotations

from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.words import Words

# What a step asks for, and the verbs that say it. `press` also means click (keys come first),
# `accept` also means toggle, `open` also means click: their readers decide by what follows.
_VERBS = {
    "open": "given i am on,given we are on,given the user is on,open,go to,goto,"
    "go on to,visit,navigate to,browse to,return to,go back to,head to",
    "click": "click,click on,tap,tap on,push,expand,collapse",
    "choose": "choose",
    "double_click": "double-click,double-click on,double click,double click on,doubleclick",
    "right_click": "right-click,right-click on,right click,right click on,rightclick",
    "press": "press,hit",
    "fill": "enter,type,type in,input,key in,write,provide",
    "assign": "fill,fill in,fill out",
    "set": "set,change,update",
    "replace": "replace",
    "give": "give",
    "clear": "clear",
    "leave": "leave",
    "select": "select,pick",
    "filter": "filter by",
    "toggle_on": "tick,turn on,switch on",
    "check": "check,enable",
    "uncheck": "disable",
    "toggle_off": "untick,uncheck,turn off,switch off",
    "toggle": "toggle",
    "turn": "turn,switch",
    "hover": "hover,hover over,hover on,mouse over,move the mouse over,move the pointer over",
    "focus": "focus,focus on,put the cursor in,place the cursor in",
    "scroll": "scroll",
    "drag": "drag,drag and drop",
    "upload": "upload,attach",
    "wait": "wait",
    "back": "go back to the previous page,return to the previous page,go back,"
    "navigate back,click back in the browser,click the browser's back button,"
    "press the browser's back button,hit the browser's back button,click the browser back button,"
    "press the browser back button",
    "forward": "go forward,navigate forward",
    "reload": "reload,refresh",
    "accept": "accept",
    "dismiss": "dismiss,cancel",
    "confirm": "confirm",
    "switch_tab": "switch to,switch back to",
    "close": "close",
    "submit": "submit",
    "log_in": "log in,login,log me in,sign in,signin",
    "log_out": "log out,logout,sign out,signout",
    "sign_up": "sign up,register,create an account",
    "search": "search for,search",
}

_GERUNDS = {
    "tap": "tapping",
    "hit": "hitting",
    "set": "setting",
    "put": "putting",
    "drag": "dragging",
    "submit": "submitting",
    "log": "logging",
}


def _third_person(verb: str) -> str:
    if verb.endswith("fy"):
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "go")) else "s")


def _gerund(verb: str) -> str:
    if verb in _GERUNDS:
        return _GERUNDS[verb]
    return (verb[:-1] if verb.endswith("e") else verb) + "ing"


def _forms(gerunds: bool) -> dict[Words, str]:
    forms: dict[Words, str] = {}
    for name, phrases in _VERBS.items():
        for phrase in phrases.split(","):
            words = tuple(phrase.split())
            if gerunds:
                forms[(_gerund(words[0]), *words[1:])] = name
            else:
                forms[words] = name
                forms[(_third_person(words[0]), *words[1:])] = name
    return forms


_FINITE = _forms(gerunds=False)
_GERUND = _forms(gerunds=True)
_LONGEST = max(map(len, _FINITE))

FILLERS = frozenset({"please", "now", "next", "first", "finally", "also", "afterwards", "just"})
# Gherkin's, before somebody who acts; "when a dialog appears" is a condition.
_KEYWORDS = frozenset({"given", "when", "but"})
_PEOPLE = frozenset({"i", "we", "you", "they", "user", "users", "customer", "admin", "visitor"})


def verb_at(phrase: Phrase, position: int, *, gerund: bool = False) -> tuple[str, int] | None:
    """The verb at a position, as its name and number of words; the longest form wins."""
    forms = _GERUND if gerund else _FINITE
    for length in range(min(_LONGEST, len(phrase) - position), 0, -1):
        name = forms.get(phrase.run(position, length))
        if name is not None:
            return name, length
    return None


def skip_subject(phrase: Phrase, position: int) -> int:
    """Skip "please", "now", "the user", "I" and the like before a verb."""
    start = position
    if phrase.word(position) in _KEYWORDS and verb_at(phrase, position) is None:
        people = 2 if phrase.word(position + 1) == "the" else 1
        position += phrase.word(position + people) in _PEOPLE
    while phrase.word(position) in FILLERS or (position > start and phrase.word(position) == ","):
        position += 1
    if phrase.word(position) in ("the", "a", "as") and phrase.word(position + 1) in _PEOPLE:
        position += 1
    if phrase.word(position) in _PEOPLE:
        position += 1
    while phrase.word(position) in FILLERS:
        position += 1
    return position
