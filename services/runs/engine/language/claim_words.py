"""The vocabulary of claims, as data."""

from __future__ import annotations

from services.runs.engine.language.words import Words, phrases, vocabulary

# Words before the claim that add nothing to it.
LEADS: tuple[Words, ...] = tuple(
    sorted(
        (
            tuple(phrase.split())
            for phrase in phrases(
                "verify that,verify,check that,check,make sure that,make sure,ensure that,ensure,"
                "assert that,assert,confirm that,expect that,i expect that,and,then,now,"
                "i should see that,i see that,the user should see that,the user sees that"
            )
        ),
        key=len,
        reverse=True,
    )
)
EXPECTING: tuple[Words, ...] = (
    ("i", "expect", "to", "see"),
    ("we", "expect", "to", "see"),
    ("expect", "to", "see"),
    ("expect", "to", "find"),
    ("should", "see"),
    ("see",),
)

WATCHERS = vocabulary("i we you they he she user users customer visitor admin")
PAGE_WORDS = vocabulary("page screen site website app application it webpage")
URL_PHRASES = phrases(
    "url,current url,page url,browser url,address,page address,current address,address bar,"
    "url of page"
)
PATH_PHRASES = phrases("path,url path,current path")
TITLE_PHRASES = phrases("title,page title,title of page,browser title,document title,tab title")

BE = vocabulary(
    "is are am was were be been being becomes become gets get remains remain stays stay"
)
HELPERS = vocabulary("should must shall will can does do did able to")
ADVERBS = vocabulary("still now also then finally successfully immediately currently already")
PERFECT = vocabulary("has have had")
HELPER_STARTS = BE | vocabulary("should must shall will can does do did never no not") | PERFECT

# Main verbs: form -> meaning. Base forms count only behind a helper or a plural.
VERBS = {
    "see": "see",
    "sees": "see",
    "find": "see",
    "finds": "see",
    "shows": "show",
    "displays": "show",
    "contains": "show",
    "includes": "show",
    "says": "show",
    "reads": "show",
    "states": "show",
    "has": "have",
    "appears": "appear",
    "appear": "appear",
    "exists": "appear",
    "exist": "appear",
    "opens": "appear",
    "disappears": "disappear",
    "disappear": "disappear",
    "vanishes": "disappear",
    "vanish": "disappear",
    "closes": "disappear",
    "equals": "equal",
    "starts": "start",
    "begins": "start",
    "ends": "end",
    "land": "land",
    "lands": "land",
    "arrives": "land",
    "arrive": "land",
    "navigates": "move",
    "redirects": "move",
    "changes": "change",
    "points": "point",
    "leads": "point",
    "links": "point",
    "matches": "match",
}
BASE_VERBS = {
    "show": "show",
    "display": "show",
    "contain": "show",
    "include": "show",
    "say": "show",
    "read": "show",
    "have": "have",
    "appear": "appear",
    "exist": "appear",
    "open": "appear",
    "disappear": "disappear",
    "vanish": "disappear",
    "close": "disappear",
    "equal": "equal",
    "start": "start",
    "begin": "start",
    "end": "end",
    "arrive": "land",
    "change": "change",
    "point": "point",
    "lead": "point",
    "link": "point",
    "match": "match",
}

MOVED = vocabulary("redirected taken sent brought navigated forwarded returned led directed")

STATES: dict[Words, str] = {
    tuple(phrase.split()): state
    for state, text in {
        "visible": "visible,shown,displayed,present,seen,there,rendered,found,listed,visible there,"
        "opened,open",
        "hidden": "hidden,gone,absent,missing,invisible,removed,closed",
        "enabled": "enabled,clickable",
        "disabled": "disabled,greyed out,grayed out,unclickable",
        "checked": "checked,ticked,selected,active,on,turned on,switched on",
        "unchecked": "unchecked,unticked,deselected,unselected,off,turned off,switched off",
        "empty": "empty,blank",
        "readonly": "read-only,readonly,read only",
        "invalid": "invalid,marked as invalid,marked invalid,highlighted as invalid",
        "logged_in": "logged in,signed in,authenticated",
        "logged_out": "logged out,signed out",
    }.items()
    for phrase in text.split(",")
}
LONGEST_STATE = max(map(len, STATES))

# Nouns for a text on the page.
TEXT_NOUNS = vocabulary(
    "with containing text texts message messages phrase word words string label notice "
    "notification toast banner alert confirmation success warning error errors info information "
    "validation "
    "hint sentence note saying reading badge tag that says content"
)
# Behind a quoted text: `the "Welcome" message`. Not "error": whose error is `the "Email" error`?
NOUNS_BEHIND_TEXT = vocabulary(
    "text texts message messages notification toast banner alert notice badge tag label"
)
ERROR_PHRASES = phrases(
    "error,errors,error message,error messages,validation error,validation errors,"
    "validation message,validation messages,validation error message,form error,form errors"
)
CONSOLE_PHRASES = phrases(
    "there are no errors in console,there are no console errors,no console errors,"
    "no errors in console,console has no errors,console shows no errors,"
    "console contains no errors,console does not show errors,no errors are logged in console,"
    "no errors are shown in console,no errors appear in console,there is no error in console,"
    "there are no javascript errors,no javascript errors,there are no js errors,"
    "no errors are in console,no console errors are logged,no console errors appear,"
    "there should be no console errors,there should be no errors in console"
)

# Things that are not on the page: a claim about them is none about the page.
ELSEWHERE = vocabulary(
    "server system response api database db log logs email e-mail mail inbox file "
    "download pdf csv browser cookie cookies storage clipboard backend request report "
    "user customer account"
)
# Words that judge or count roughly: a name in plain words that holds one is not read.
JUDGING = vocabulary(
    "correct right wrong new latest proper same other expected helpful good nice big "
    "small large red green blue yellow black white grey gray long short clear useful "
    "relevant matching valid invalid appropriate about around approximately roughly "
    "nearly almost over enough several few many some more less fewer most lots plenty "
    "multiple various old previous next following corresponding own different similar "
    "equal single whole entire any just"
)

QUANTIFIERS: dict[Words, tuple[str, int]] = {
    ("exactly",): ("equals", 0),
    ("only",): ("equals", 0),
    ("at", "least"): ("at_least", 0),
    ("at", "most"): ("at_most", 0),
    ("up", "to"): ("at_most", 0),
    ("more", "than"): ("at_least", 1),
    ("fewer", "than"): ("at_most", -1),
    ("less", "than"): ("at_most", -1),
    ("no", "more", "than"): ("at_most", 0),
    ("no", "fewer", "than"): ("at_least", 0),
    ("not", "more", "than"): ("at_most", 0),
}
COUNTED_ROLES = frozenset({"row", "listitem", "card", "option", "cell"})
METHODS = vocabulary("get post put patch delete head options")
ATTRIBUTES: dict[Words, str] = {
    ("placeholder",): "placeholder",
    ("alt", "text"): "alt",
    ("tooltip",): "title",
}
