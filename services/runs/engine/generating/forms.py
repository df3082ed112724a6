"""Cases of a form: sent as it should be, and in the ways in which it must not be taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from services.runs.engine.generating import filling
from services.runs.engine.generating.filling import is_confirmation, is_email, is_password
from services.runs.engine.generating.models import Account, Case, SeenField, SeenForm, SeenPage
from services.runs.engine.generating.words import (
    claim,
    clean,
    is_dangerous,
    is_openable,
    path_of,
    quoted,
    slug,
)

PASSWORD: Final = "LOGIN_PASSWORD"  # noqa: S105 - the name of a variable
"""The variable that holds the password of the account to log in with."""

_MOST_NEGATIVES: Final = 12
"""Of one form."""

_Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A value that a form must not take.

    Attributes:
        what: for ids and titles.
        at: the field.
        steps: that bring it about.
        native: the browser itself refuses it.
    """

    what: str
    at: SeenField
    steps: tuple[_Step, ...]
    native: bool


class FormCases:
    """Makes the cases of one form.

    Args:
        page: where it stands.
        form: what is known of it.
        area: of the cases.
    """

    def __init__(self, page: SeenPage, form: SeenForm, area: str) -> None:
        self._page, self._form, self._area = page, form, area
        self._submit = quoted(form.submit)
        self._label = clean(form.name) or clean(form.submit) or "form"
        self._action = path_of(form.action).partition("?")[0] if form.action else ""

    @property
    def is_safe(self) -> bool:
        """Whether it may be sent, and can be: nothing is deleted, paid or ended by it."""
        form = self._form
        if form.danger or form.method == "dialog" or filling.takes_payment(form):
            return False
        words = (form.submit, urlsplit(self._action).path) if form.kind != "login" else ()
        changes_password = self._page.behind_login and self._asks_password
        if is_dangerous(*words) or (changes_password and form.kind not in ("login", "signup")):
            return False
        return self._can_be_sent and is_openable(self._page.path)

    @property
    def _asks_password(self) -> bool:
        return any(is_password(one) for one in self._form.fields)

    @property
    def _can_be_sent(self) -> bool:
        if self._submit:
            # Two of one name are not told apart by a step.
            return sum(clean(one) == clean(self._form.submit) for one in self._page.buttons) <= 1
        return any(one.type in filling.TYPED and filling.name_in_step(one) for one in self._fields)

    @property
    def _fields(self) -> list[SeenField]:
        """Fields that a step can name without meaning another one."""
        there = [clean(one.label) for form in self._page.forms for one in form.fields]
        return [
            one
            for one in self._form.fields
            if one.type == "radio" or there.count(clean(one.label)) == 1
        ]

    def presence(self) -> Iterator[Mapping[str, Any]]:
        """Claim that the form is there; only forms with fields are sure to be."""
        if not self._fields:
            return
        if self._submit:
            yield claim(
                f"There is a {self._submit} button",
                {"kind": "element_visible", "selector_hint": f"the {self._submit} button"},
            )
        first = next((one for one in self._fields if one.type in filling.TYPED), None)
        if first is not None and filling.name_in_step(first):
            yield self._shown(first)

    def _shown(self, seen: SeenField) -> Mapping[str, Any]:
        name = f"the {filling.name_in_step(seen)} field"
        check = {"kind": "element_visible", "selector_hint": name}
        return claim(f"The {filling.name_in_step(seen)} field is visible", check)

    def _open(self) -> _Step:
        return {"do": f"Open {self._page.path}"}

    def _send(self) -> _Step:
        if self._submit:
            return {"do": f"Click the {self._submit} button"}
        last = [one for one in self._fields if one.type in filling.TYPED][-1]
        return {"do": f"Press Enter in the {filling.name_in_step(last)} field"}

    def _filled(
        self, without: SeenField | None = None, *, optional: bool = True
    ) -> tuple[list[_Step], dict[str, Mapping[str, Any]]] | None:
        """Fill what is to be filled; None where something needed cannot be."""
        steps: list[_Step] = []
        fixtures: dict[str, Mapping[str, Any]] = {}
        for one in self._form.fields:
            needed = filling.is_needed(one, self._form)
            if one is without or (one.value and one.type != "search"):
                continue
            if not needed and (not optional or one.type in ("checkbox", "file", "radio")):
                continue
            made = filling.filled(one, self._form) if one in self._fields else None
            if made is None and needed:
                return None
            if made is not None:
                steps += made.steps
                fixtures.update(made.fixtures)
        return steps, fixtures

    def _case(self, kind: str, title: str, steps: Sequence[_Step], **more: Any) -> Case:
        where = slug(self._page.path.partition("?")[0])
        own = f"{where}-{slug(self._label, 30)}-{slug(kind, 60)}"
        page = clean(self._page.headings[0] if self._page.headings else self._page.path)[:80]
        return Case(
            id=own,
            title=f"{page}: {title}"[:180],
            area=self._area,
            steps=(self._open(), *steps, self._send()),
            **more,
        )

    def happy(self) -> Case | None:
        """Fill the form as it should be, and send it."""
        form = self._form
        if not self.is_safe or form.kind == "login":
            return None
        made = self._filled()
        if made is None:
            return None
        expect = list(self._taken())
        if not expect:
            return None
        steps, fixtures = made
        title = f"{self._label} takes what it asks for"
        return self._case(
            "sent", title, steps, expect=tuple(expect), tags=("happy-path",), fixtures=fixtures
        )

    def _taken(self) -> Iterator[Mapping[str, Any]]:
        """Claim what holds of a form that was taken."""
        form = self._form
        if form.method == "get":
            term = next((one for one in form.fields if one.type in ("search", "text")), None)
            if self._action and term is not None and term.name and slug(term.name) == term.name:
                yield {"check": {"kind": "url", "contains": f"{term.name}=test"}}
        elif self._action:
            sent = {"kind": "request", "method": "POST", "url": self._action}
            yield claim(f"A POST request to {self._action} is sent", sent)
            yield {"check": {**sent, "status": 500, "not": True}}
        yield {"check": {"kind": "absent_text", "any_of": ["Internal Server Error"]}}
        yield {"assert": "No error is shown"}
        if form.kind == "signup" and self._submit:
            hint = f"the {self._submit} button"
            gone = {"kind": "element_visible", "selector_hint": hint, "not": True}
            yield claim(f"There is no {self._submit} button", gone)

    def log_in(self, account: Account) -> Case | None:
        """Log in with the account that was given."""
        names = [one for one in self._fields if one.type in filling.TYPED and not is_password(one)]
        secrets = [one for one in self._fields if is_password(one)]
        if self._form.kind != "login" or not self.is_safe or len(names) != 1 or len(secrets) != 1:
            return None
        if not quoted(account.username) or '"' in account.username:
            return None
        steps = (
            filling.typed(names[0], account.username),
            filling.typed(secrets[0], f"${{{PASSWORD}}}", secret=True),
        )
        hint = f"the {filling.name_in_step(secrets[0])} field"
        gone = {"kind": "element_visible", "selector_hint": hint, "not": True}
        expect = (
            claim(f"There is no {filling.name_in_step(secrets[0])} field", gone),
            {"assert": "No error is shown"},
        )
        tags = ("smoke", "happy-path")
        return self._case("log-in", "the account logs in", steps, expect=expect, tags=tags)

    def negatives(self) -> Iterator[Case]:
        """Send the form in the ways in which it must not be taken: one thing wrong at a time."""
        if not self.is_safe or self._form.kind == "search" or self._form.method == "get":
            return
        for wrong in [*self._wrongs()][:_MOST_NEGATIVES]:
            made = self._filled(wrong.at, optional=False)
            if made is None:
                continue
            steps, fixtures = self._confirmed(made[0], wrong), made[1]
            used = {name: how for name, how in fixtures.items() if _uses(steps, name)}
            for step in wrong.steps:
                used |= {name: how for name, how in _KNOWN.items() if _uses([step], name)}
            yield self._case(
                wrong.what,
                f"{self._label} is refused {wrong.what}",
                [*steps, *wrong.steps],
                expect=tuple(self._refused(wrong)),
                tags=("negative",),
                fixtures=used,
            )

    def _confirmed(self, steps: list[_Step], wrong: _Wrong) -> list[_Step]:
        """Repeat a wrong password, lest the form be refused because two differ."""
        if not is_password(wrong.at) or is_confirmation(wrong.at):
            return steps
        again = [one for one in self._fields if is_confirmation(one)]
        names = tuple(filling.name_in_step(one) for one in again)
        kept = [step for step in steps if not str(step["do"]).endswith(names or ("\0",))]
        values = (str(step["do"]).split(" into ")[0] for step in wrong.steps)
        told = [
            {"do": f"{value} into {name}", "secret": True} for value in values for name in names
        ]
        return [*kept, *told]

    def _refused(self, wrong: _Wrong) -> Iterator[Mapping[str, Any]]:
        """Claim what holds of a form that was not taken."""
        yield self._shown(wrong.at)
        path = self._page.path.partition("?")[0]
        if wrong.native or self._action == path:
            yield claim(f"I am still on {path}", {"kind": "url", "path_is": path})
        if wrong.native:
            yield {"assert": "An error is shown"}
            if self._action and self._form.method == "post":
                sent = {"kind": "request", "method": "POST", "url": self._action, "not": True}
                yield {"check": sent}
        if self._form.kind == "login":
            yield {"assert": "The user is not logged in"}

    def _wrongs(self) -> Iterator[_Wrong]:
        checked = self._form.validates
        yield from self._missing(checked)
        if self._form.kind == "login":
            yield from self._wrong_login()
            return
        for one in self._fields:
            if one.type not in filling.TYPED or not filling.name_in_step(one):
                continue
            yield from _misfits(one, checked, is_account=self._form.kind == "signup")
        if self._form.kind == "signup":
            yield from self._mismatch()

    def _missing(self, checked: bool) -> Iterator[_Wrong]:
        for one in self._fields:
            native = one.required and checked
            empty_counts = filling.is_needed(one, self._form) and one.type in filling.TYPED
            known = native or self._form.kind in ("login", "signup")
            if empty_counts and known and filling.name_in_step(one):
                yield _Wrong(f"without {clean(one.label)}", one, filling.emptied(one), native)

    def _wrong_login(self) -> Iterator[_Wrong]:
        secrets = [one for one in self._fields if is_password(one)]
        if len(secrets) == 1 and filling.name_in_step(secrets[0]):
            step = filling.typed(secrets[0], "${password}", secret=True)
            yield _Wrong("with a wrong password", secrets[0], (step,), native=False)

    def _mismatch(self) -> Iterator[_Wrong]:
        secrets = [one for one in self._fields if is_password(one)]
        again = [one for one in secrets if is_confirmation(one)]
        if len(secrets) == 2 and len(again) == 1 and filling.name_in_step(again[0]):
            step = filling.typed(again[0], "${other_password}", secret=True)
            yield _Wrong("with passwords that differ", again[0], (step,), native=False)


_KNOWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "password": {"gen": "password"},
    "other_password": {"gen": "password"},
}


def _uses(steps: Sequence[_Step], name: str) -> bool:
    return any(f"${{{name}}}" in str(step["do"]) for step in steps)


def _misfits(one: SeenField, checked: bool, *, is_account: bool) -> Iterator[_Wrong]:
    """Give values that a field itself must refuse."""
    label = clean(one.label)
    if is_email(one) and (is_account or (one.type == "email" and checked)):
        native = one.type == "email" and checked
        step = filling.typed(one, "not-an-address")
        yield _Wrong(f"with a malformed {label}", one, (step,), native)
    if one.minlength and one.minlength > 1 and checked and one.type != "number":
        short = "x" * (one.minlength - 1)
        if len(short) <= 200:
            step = filling.typed(one, short)
            yield _Wrong(f"with too few characters in {label}", one, (step,), native=True)
    elif is_password(one) and is_account and not is_confirmation(one):
        step = filling.typed(one, "x")
        yield _Wrong(f"with one character in {label}", one, (step,), native=False)
    if one.type == "number" and checked:
        yield from _beyond(one, label)
    if one.pattern and checked and one.type in ("text", "tel", "search", "url", "password"):
        # No plain pattern takes a lone mark that stands nowhere in it.
        mark = next((sign for sign in "¤§¶" if sign not in one.pattern), "")
        if mark and "." not in one.pattern and "^" not in one.pattern[1:]:
            step = filling.typed(one, mark)
            yield _Wrong(f"with another pattern in {label}", one, (step,), native=True)


def _beyond(one: SeenField, label: str) -> Iterator[_Wrong]:
    for limit, by, words in ((one.max, 1, "too large"), (one.min, -1, "too small")):
        if limit and limit.lstrip("-").isascii() and limit.lstrip("-").isdigit():
            step = filling.typed(one, str(int(limit[:9]) + by))
            yield _Wrong(f"with {words} a number in {label}", one, (step,), native=True)


def edges(page: SeenPage, form: SeenForm, area: str) -> Iterator[Case]:
    """See that fields of a limited length keep their limit, and that the longest text fits."""
    made = FormCases(page, form, area)
    for one in made._fields:
        most = one.maxlength
        plain = one.type in ("text", "textarea", "search") and not one.pattern
        if not plain or not most or not 0 < most <= 200 or not filling.name_in_step(one):
            continue
        name = filling.name_in_step(one)
        longest = "x" * most
        limit = {"kind": "attribute", "selector_hint": f"the {name} field", "name": "maxlength"}
        yield Case(
            id=f"{slug(page.path.partition('?')[0])}-{slug(one.label, 40)}-longest",
            title=f"{clean(one.label)} takes {most} characters and no more",
            area=area,
            steps=({"do": f"Open {page.path}"}, filling.typed(one, longest)),
            expect=(
                claim(
                    f'The {name} field is "{longest}"',
                    {"kind": "value", "selector_hint": f"the {name} field", "equals": longest},
                ),
                {"check": {**limit, "equals": str(most)}},
            ),
            tags=("edge",),
        )
