"""The vocabulary, as data: role nouns, ordinals, places, keys and words that forbid a reading."""

from __future__ import annotations

Words = tuple[str, ...]


def vocabulary(text: str) -> frozenset[str]:
    """A set of words from a text with blanks between them."""
    return frozenset(text.split())


def phrases(text: str) -> frozenset[str]:
    """A set of phrases from a text with commas between them."""
    return frozenset(text.split(","))


DETERMINERS = frozenset({"the", "a", "an", "this", "that", "my", "your", "his", "her", "their"})

_ROLES = {
    "button": "button, btn",
    "link": "link, hyperlink",
    "tab": "tab",
    "menu": "menu, context menu",
    "menuitem": "menu item, menu entry, menu option",
    "checkbox": "checkbox, check box, tick box, tickbox",
    "radio": "radio button, radio, radio option",
    "switch": "switch, toggle, toggle switch, toggle button",
    "field": "field, input, input field, box, input box, form field, date field, date picker",
    "textbox": "text box, textbox, text field, textarea, text area, text input",
    "searchbox": "search box, search field, search bar, search input, searchbox",
    "combobox": "dropdown, drop-down, drop down, select, select box, combobox, combo box,"
    " dropdown menu, dropdown list, list box, listbox, selector",
    "option": "option",
    "icon": "icon",
    "image": "image, picture, img, photo",
    "row": "row, table row",
    "cell": "cell, table cell",
    "column": "column, column header",
    "table": "table, grid, data table, calendar",
    "list": "list",
    "listitem": "item, list item, list entry",
    "card": "card",
    "dialog": "dialog, dialog box, modal, modal dialog, popup, pop-up, dialogue",
    "heading": "heading, headline, page heading",
    "form": "form",
    "section": "section, panel, area, accordion",
    "alert": "toast, toast message, notification, banner, snackbar, alert",
    "slider": "slider",
    "page": "page, screen",
}


def _plural(words: Words) -> Words:
    last = words[-1]
    ending = "es" if last.endswith(("x", "s", "ch", "sh")) else "s"
    return (*words[:-1], last + ending)


def _role_nouns() -> dict[Words, str]:
    nouns: dict[Words, str] = {}
    for role, phrases in _ROLES.items():
        for phrase in phrases.split(","):
            words = tuple(phrase.split())
            nouns[words] = role
            nouns[_plural(words)] = role
    nouns[("menu", "entries")] = "menuitem"
    nouns[("list", "entries")] = "listitem"
    return nouns


ROLE_NOUNS = _role_nouns()
LONGEST_ROLE_NOUN = max(map(len, ROLE_NOUNS))

FIELD_ROLES = frozenset({"field", "textbox", "searchbox", "combobox"})
TOGGLE_ROLES = frozenset({"checkbox", "radio", "switch"})
# "Select the Billing tab" is a click: these are not options of a field.
CLICKED_ROLES = frozenset({"tab", "link", "button", "row", "menuitem", "card", "cell", "icon"})
# "Open the Actions menu" is a click: these are not pages.
OPENED_BY_CLICK = CLICKED_ROLES | {"menu", "combobox", "section", "listitem", "image", "column"}

# Nouns that may stand beside a quoted name and add nothing to it: `the "Pro" plan`.
PLAIN_NOUNS = vocabulary(
    "product item plan user project task entry category filter day date file folder order "
    "language color colour size value time slot event team role article post comment "
    "label text tag badge address account channel board note document invoice ticket "
    "country city status version package month year shipping delivery payment"
)

# How a name is announced: `the button labelled "Save"`.
NAMINGS: tuple[Words, ...] = tuple(
    tuple(phrase.split())
    for phrase in sorted(
        phrases(
            "with the text,with text,with the label,with label,with the name,"
            "with name,with the title,with the placeholder,with placeholder,"
            "with the caption,that says,that reads,saying,reading,called,named,"
            "labelled,labeled,titled,marked"
        )
    )
)

ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "last": -1,
}
# "First name" is a name, "last 7 days" is a filter: no ordinals.
NO_ORDINAL_BEFORE = vocabulary(
    "name names initial initials login modified updated seen party aid class day days "
    "week weeks month months year years visit active changed edited used quarter hour "
    "hours minutes"
)
NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
}

RELATIONS: dict[Words, str] = {
    ("next", "to"): "next_to",
    ("beside",): "next_to",
    ("under",): "under",
    ("underneath",): "under",
    ("beneath",): "under",
    ("below",): "below",
    ("above",): "above",
    ("in",): "in",
    ("inside",): "in",
    ("inside", "of"): "in",
    ("within",): "in",
    ("on",): "in",
}

REGIONS: dict[Words, str] = {
    tuple(phrase.split()): region
    for region, phrases in {
        "header": "header,page header,top bar,topbar,top right,top right corner,top left,"
        "top left corner",
        "footer": "footer,page footer",
        "sidebar": "sidebar,side bar,side menu,side panel,side navigation",
        "navigation": "navigation,nav,navbar,nav bar,navigation bar,navigation menu,"
        "main navigation,top navigation",
        "main": "main content,main area,main section",
        "dialog": "dialog,modal,popup,pop-up,modal dialog,dialog box,dialogue",
    }.items()
    for phrase in phrases.split(",")
}
PAGES = frozenset(
    {"page", "screen", "site", "website", "app", "application", "web page", "webpage"}
)

# A name in plain words may hold none of these: they change what the sentence means.
FORBIDDEN = vocabulary(
    "via using through if unless or between either neither nor not never without except "
    "otherwise else whether until while because that which is are was were be should must "
    "both than only but instead depending either's outside respectively"
)
# A name in plain words may not begin with one of these.
NO_BEGINNING = vocabulary(
    "all every each any some many several most and or to with it them this those these "
    "both one something anything everything nothing there here thing things stuff of for"
)
# Inside a name these begin a claim: "Save and verify the layout".
CLAIMING = vocabulary("verify verifies ensure ensures assert asserts expect expects")
# Things outside the tested pages.
OUTSIDE = vocabulary("email e-mail mail inbox file download pdf browser terminal app cookies")
# Lower-case words that choose by a judgement: "the cheapest product".
CHOOSING = vocabulary(
    "cheapest newest latest oldest biggest largest smallest highest lowest fastest "
    "longest shortest best worst most least random any each every correct wrong "
    "appropriate relevant same other another"
)
# "In a new tab", "in 2 seconds", "in the right order" are no places.
NO_PLACES = vocabulary(
    "right left top bottom side order second seconds minute minutes ms moment url title "
    "address console background middle center centre time times future past"
)
# Signs that join names or begin a remark: "Settings → Billing".
SIGNS = vocabulary("→ > >> » -> => / | \u2013 \u2014 - * // <")
VAGUE = frozenset({"thing", "things", "stuff", "it", "them", "one", "ones", "there", "here"})

# Words that describe a value instead of being one: "enter a valid email".
NO_VALUES = vocabulary(
    "valid invalid wrong correct incorrect random existing new same different another "
    "other short long empty blank some any my your their his her a an the nothing "
    "something anything no credentials details data information email e-mail address "
    "password username name phone number date text value info code amount title "
    "description user it them this that these those too very more less lower higher "
    "enough today today's tomorrow yesterday all every each on off checked unchecked none "
    "login first last own matching both either or not"
)

KEYS = {
    "enter": "Enter",
    "return": "Enter",
    "tab": "Tab",
    "escape": "Escape",
    "esc": "Escape",
    "space": "Space",
    "spacebar": "Space",
    "backspace": "Backspace",
    "delete": "Delete",
    "del": "Delete",
    "insert": "Insert",
    "home": "Home",
    "end": "End",
    "pageup": "PageUp",
    "pagedown": "PageDown",
    "arrowdown": "ArrowDown",
    "arrowup": "ArrowUp",
    "arrowleft": "ArrowLeft",
    "arrowright": "ArrowRight",
    **{f"f{number}": f"F{number}" for number in range(1, 13)},
}
LONG_KEYS: dict[Words, str] = {
    ("page", "up"): "PageUp",
    ("page", "down"): "PageDown",
    ("space", "bar"): "Space",
    **{
        words: f"Arrow{side.capitalize()}"
        for side in ("down", "up", "left", "right")
        for words in (("arrow", side), (side, "arrow"), ("cursor", side))
    },
}
# Also names of buttons: keys only when the sentence says "key" or has just pressed another.
BUTTON_LIKE_KEYS = frozenset({"Delete", "Insert", "Home", "End", "Space"})
MODIFIERS = {
    "ctrl": "Control",
    "control": "Control",
    "strg": "Control",
    "cmd": "Meta",
    "command": "Meta",
    "meta": "Meta",
    "alt": "Alt",
    "option": "Alt",
    "shift": "Shift",
    "mod": "ControlOrMeta",
}
