"""Fixtures as constants that are made when the tests run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.runs.engine.grammar.fixtures import bounds
from services.runs.engine.grammar.models import Fixture
from services.runs.engine.grammar.variables import is_secret_name
from services.runs.engine.spec.texts import Texts
from services.runs.engine.spec.typescript import literal, variable_name

_FIRST: Final = ("Ada", "Bruno", "Dana", "Emil", "Greta", "Hana", "Kofi", "Lena", "Pablo", "Yuki")
_LAST: Final = ("Abel", "Costa", "Diaz", "Evans", "Ito", "Kaya", "Novak", "Okafor", "Silva")
_TRADES: Final = ("Foods", "Logistics", "Software", "Works")
_STREETS: Final = ("Birch Lane", "Hill Road", "Maple Avenue", "Mill Street")
_SENTENCES: Final = (
    "A quiet river crosses the valley before noon.",
    "The early train opens a new door once a year.",
    "Our small team keeps a good record every Monday.",
)

_Writer = Callable[[Texts, Mapping[str, Any]], str]


def is_hidden(name: str, fixture: Fixture) -> bool:
    """Tell whether a fixture's values stand in the suite's text and must not stand in a spec's."""
    return fixture.kind in ("literal", "pick") and is_secret_name(name)


def expression(texts: Texts, name: str, fixture: Fixture) -> str:
    """Write a fixture; one that is hidden comes from the environment."""
    if is_hidden(name, fixture):
        return texts.required(variable_name(name))
    return _WRITERS[fixture.kind](texts, fixture.parameters)


def _pick(texts: Texts, given: tuple[str, ...]) -> str:
    return texts.call("pick", f"[{', '.join(map(texts.fixed, given))}]")


def _email(texts: Texts, given: Mapping[str, Any]) -> str:
    return f"'tester-' + {texts.call('letters', '16')} + '@example.com'"


def _password(texts: Texts, given: Mapping[str, Any]) -> str:
    return texts.call("newPassword")


def _first(texts: Texts, given: Mapping[str, Any]) -> str:
    return _pick(texts, _FIRST)


def _last(texts: Texts, given: Mapping[str, Any]) -> str:
    return _pick(texts, _LAST)


def _name(texts: Texts, given: Mapping[str, Any]) -> str:
    parts = (_pick(texts, _FIRST), _pick(texts, _LAST), texts.call("letters", "8"))
    return " + ' ' + ".join(parts)


def _username(texts: Texts, given: Mapping[str, Any]) -> str:
    return f"'user' + {texts.call('letters', '10')}"


def _phone(texts: Texts, given: Mapping[str, Any]) -> str:
    area, number = texts.call("whole", "201", "989"), texts.call("whole", "10", "99")
    return f"'+1' + {area} + '55501' + {number}"


def _number(texts: Texts, given: Mapping[str, Any]) -> str:
    return texts.call("whole", *map(str, bounds(given)))


def _string(texts: Texts, given: Mapping[str, Any]) -> str:
    length = int(given.get("length", 12))
    return f"'s' + {texts.call('letters', str(length - 1))}"


def _uuid(texts: Texts, given: Mapping[str, Any]) -> str:
    return "globalThis.crypto.randomUUID()"


def _date(texts: Texts, given: Mapping[str, Any]) -> str:
    wanted = literal(str(given.get("format", "YYYY-MM-DD")))
    return texts.call("newDate", wanted, str(int(given.get("offset_days", 0))))


def _timestamp(texts: Texts, given: Mapping[str, Any]) -> str:
    return "String(Math.floor(Date.now() / 1000))"


def _company(texts: Texts, given: Mapping[str, Any]) -> str:
    return f"{_pick(texts, _LAST)} + ' ' + {_pick(texts, _TRADES)}"


def _address(texts: Texts, given: Mapping[str, Any]) -> str:
    return f"{texts.call('whole', '1', '199')} + ' ' + {_pick(texts, _STREETS)}"


def _sentence(texts: Texts, given: Mapping[str, Any]) -> str:
    return _pick(texts, _SENTENCES)


def _literal(texts: Texts, given: Mapping[str, Any]) -> str:
    # As it is: a fixture's value is not looked through for names.
    return texts.fixed(str(given["value"]))


def _picked(texts: Texts, given: Mapping[str, Any]) -> str:
    return _pick(texts, tuple(map(str, given["from"])))


_WRITERS: Final[Mapping[str, _Writer]] = {
    "unique_email": _email,
    "password": _password,
    "unique_name": _name,
    "name": _name,
    "first_name": _first,
    "last_name": _last,
    "username": _username,
    "phone": _phone,
    "number": _number,
    "string": _string,
    "uuid": _uuid,
    "date": _date,
    "timestamp": _timestamp,
    "company": _company,
    "address": _address,
    "sentence": _sentence,
    "literal": _literal,
    "pick": _picked,
}
