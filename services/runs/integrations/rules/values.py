"""Decisions about settings: what holds, how it is shown, which values make sense."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from services.runs.integrations.models.keys import (
    KEYS,
    LOG_BACKENDS,
    LONGEST,
    MASK,
    NOTIFY_WORDS,
    NOWHERE,
    SECRETS,
    TRACKERS,
)
from shared.errors import Invalid

SHOWN: Final = 4
"""Characters of a secret's end that are shown."""

LONG_ENOUGH: Final = 12
"""Characters that a secret must have before any of them is shown."""

_SITE: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_REPOSITORY: Final = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}", re.ASCII)


def holding(stored: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Give what holds: what is stored, then what the environment says.

    Args:
        stored: by the organization.
        environment: of the installation; its secrets serve its own addresses and projects only,
            because any organization may write down others.
    """
    held = {**environment, **stored}
    for key in KEYS:
        if key.name in stored or key.name not in held:
            continue
        if any(name in stored and stored[name] != environment.get(name) for name in key.goes_to):
            del held[key.name]
    return held


def shown(name: str, value: str) -> str:
    """Give a value as it may be shown."""
    if name not in SECRETS:
        return value[:LONGEST]  # of the environment it may be longer
    return MASK + (value[-SHOWN:] if len(value) >= LONG_ENOUGH else "")


def trackers(values: Mapping[str, str]) -> dict[str, bool]:
    """Tell which trackers have complete credentials."""

    def has(*names: str) -> bool:
        return all(values.get(name) for name in names)

    return {
        "github": has("GITHUB_TOKEN", "GITHUB_REPO"),
        "gitlab": has("GITLAB_TOKEN", "GITLAB_PROJECT"),
        "jira": has("JIRA_BASE", "JIRA_EMAIL", "JIRA_TOKEN", "JIRA_PROJECT"),
    }


def checked(name: str, value: str) -> str:
    """Give a value in the form in which it is stored; addresses are looked at elsewhere.

    Raises:
        Invalid: naming the key.
    """
    if not value.isprintable():
        raise _wrong(name, "must be one line")
    if name in SECRETS and not value.isascii():
        raise _wrong(name, "must be ASCII")
    if name == "LOG_BACKEND":
        return _word(name, value, LOG_BACKENDS)
    if name == "NOTIFY_ON":
        return _word(name, value, NOTIFY_WORDS)
    if name == "FILE_ISSUES":
        return _places(name, value)
    if name == "DD_SITE":
        if not _SITE.fullmatch(value.lower()):
            raise _wrong(name, "must be a host, such as datadoghq.eu")
        return value.lower()
    if name == "GITHUB_REPO" and not _REPOSITORY.fullmatch(value):
        raise _wrong(name, "must be owner/name")
    return value


def _word(name: str, value: str, known: tuple[str, ...]) -> str:
    if value.lower() not in known:
        raise _wrong(name, "must be one of " + ", ".join(known))
    return value.lower()


def _places(name: str, value: str) -> str:
    words = list(dict.fromkeys(filter(None, (word.strip() for word in value.lower().split(",")))))
    if not words or any(word not in (*TRACKERS, NOWHERE) for word in words):
        raise _wrong(name, "must be some of " + ", ".join((*TRACKERS, NOWHERE)) + ", with commas")
    if NOWHERE in words and len(words) > 1:
        raise _wrong(name, "none stands alone")
    return ",".join(words)


def _wrong(name: str, why: str) -> Invalid:
    return Invalid.field("body", name, msg=f"{name} {why}")
