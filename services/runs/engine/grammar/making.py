"""Making fixtures: values once per run, the same for the same source of chance (section 4)."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from services.runs.engine.grammar.fixtures import bounds
from services.runs.engine.grammar.models import Fixture, Suite

PASSWORD_LENGTH: Final = 16

# Letters that forms, shells and CSV files leave alone.
_SYMBOLS: Final = "!@#%*-_=+?"
_LOWER_OR_DIGIT: Final = string.ascii_lowercase + string.digits

_FIRST: Final = (
    *("Ada", "Amir", "Bruno", "Carla", "Dana", "Elif", "Emil", "Farah", "Greta", "Hana", "Ivan"),
    *("Jonas", "Kofi", "Lena", "Mara", "Nils", "Olga", "Pablo", "Rosa", "Samir", "Tara", "Yuki"),
)
_LAST: Final = (
    *("Abel", "Becker", "Costa", "Diaz", "Evans", "Fischer", "Garcia", "Hansen", "Ito", "Jensen"),
    *("Kaya", "Lopez", "Meyer", "Novak", "Okafor", "Perez", "Quinn", "Rossi", "Silva", "Tanaka"),
)
_STREETS: Final = ("Birch Lane", "Harbour Street", "Hill Road", "Maple Avenue", "Mill Street")
_CITIES: Final = ("Springfield", "Riverton", "Lakewood", "Fairview", "Georgetown")
_TRADES: Final = ("Analytics", "Foods", "Logistics", "Partners", "Software", "Works")
_FORMS: Final = ("GmbH", "Inc", "LLC", "Ltd")
_WHO: Final = ("A quiet river", "The early train", "Our small team", "The old library")
_WHAT: Final = ("crosses the valley", "opens a new door", "keeps a good record", "waits for rain")
_WHEN: Final = ("before noon", "every Monday", "in late summer", "once a year")

_Maker: TypeAlias = Callable[[random.Random, Mapping[str, Any], datetime], str]


def make_fixtures(
    suite: Suite, source: random.Random, now: datetime | None = None
) -> dict[str, str]:
    """Make all fixtures of a suite.

    Args:
        suite: whose fixtures.
        source: of chance; seeded the same, it gives the same values.
        now: what ``date`` and ``timestamp`` go by; the clock if absent.
    """
    at = now or datetime.now(UTC)
    return {name: _make(fixture, source, at) for name, fixture in suite.fixtures.items()}


def _make(fixture: Fixture, source: random.Random, now: datetime) -> str:
    return _MAKERS[fixture.kind](source, fixture.parameters, now)


def _letters(source: random.Random, alphabet: str, length: int) -> str:
    return "".join(source.choices(alphabet, k=length))


def _email(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    # A domain that is reserved for examples (RFC 2606): no mail ever reaches a stranger.
    return f"tester-{_letters(source, _LOWER_OR_DIGIT, 16)}@example.com"


def _password(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _SYMBOLS)
    letters = [source.choice(kind) for kind in kinds]
    letters += source.choices("".join(kinds), k=PASSWORD_LENGTH - len(letters))
    source.shuffle(letters)
    return "".join(letters)


def _first(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return source.choice(_FIRST)


def _last(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return source.choice(_LAST)


def _name(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    suffix = _letters(source, string.ascii_lowercase, 8).capitalize()
    return f"{source.choice(_FIRST)} {source.choice(_LAST)} {suffix}"


def _username(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return f"user{_letters(source, _LOWER_OR_DIGIT, 10)}"


def _phone(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    # 555-01xx is reserved for fiction; the area code makes them differ.
    return f"+1{source.randint(201, 989)}55501{source.randint(0, 99):02d}"


def _number(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    least, most = bounds(given)
    return str(source.randint(least, most))


def _string(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return _letters(source, string.ascii_letters, 1) + _letters(
        source, string.ascii_letters + string.digits, int(given.get("length", 12)) - 1
    )


def _uuid(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


_DIRECTIVES: Final = {
    "YYYY": "%Y",
    "MM": "%m",
    "DD": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
}


def _date(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    day = now + timedelta(days=int(given.get("offset_days", 0)))
    wanted = str(given.get("format", "YYYY-MM-DD"))
    for word, directive in _DIRECTIVES.items():
        value = f"{day.year:04d}" if directive == "%Y" else day.strftime(directive)
        wanted = wanted.replace(word, value).replace(directive, value)
    return wanted


def _timestamp(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return str(int(now.timestamp()))


def _company(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return f"{source.choice(_LAST)} {source.choice(_TRADES)} {source.choice(_FORMS)}"


def _address(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    street, city = source.choice(_STREETS), source.choice(_CITIES)
    return f"{source.randint(1, 199)} {street}, {city} {source.randint(10_000, 99_999)}"


def _sentence(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return f"{source.choice(_WHO)} {source.choice(_WHAT)} {source.choice(_WHEN)}."


def _literal(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return str(given["value"])


def _pick(source: random.Random, given: Mapping[str, Any], now: datetime) -> str:
    return str(source.choice(given["from"]))


_MAKERS: Final[Mapping[str, _Maker]] = {
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
    "pick": _pick,
}
