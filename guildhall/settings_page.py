"""``python -m guildhall.settings_page``: write docs/settings.md from the settings classes."""

from __future__ import annotations

import sys
from typing import Final, Literal, get_args, get_origin

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from guildhall.processes import settings_class
from guildhall.settings import CommandSettings
from shared.settings import PREFIX, SERVICES, ServiceSettings, Settings, variable_names
from shared.targets import TargetSettings

_HEAD: Final = """\
# Settings

Generated from the code by `make settings-page`; do not edit.

Every setting is an environment variable, read once at start. A missing or bad one stops the
process, with every problem named. An empty variable counts as absent.

Each can also be given to one process alone, by the process's name after `GUILDHALL_`:
`GUILDHALL_AUTH_LOG_LEVEL` wins over `GUILDHALL_LOG_LEVEL` for the auth service. So one environment
can hold the settings of all processes and still give each its own database, key and port. The
names are `GATEWAY`, `AUTH`, `LEARNINGS`, `RUNS`, `TEAMS` and `AGENTS`; the command line has none.
"""


def page() -> str:
    """Give the page as Markdown."""
    sections = [
        _section("Every process", "The command line included.", Settings),
        _section(
            "The command line",
            "`guildhall up`, `migrate`, `doctor`, `events`. `up` works out the ports, logins and "
            "keys of all processes, and hands each of them, from what is below, what is its own.",
            CommandSettings,
        ),
        _section("The gateway", "`python -m gateway`", settings_class("gateway")),
        _section(
            "Every service", "`python -m services.<name> serve|work|migrate`", ServiceSettings
        ),
        _section(
            "Services that reach addresses which somebody else wrote down",
            "auth (issuers), learnings (webhooks), runs (suites and checks), agents (tools)",
            TargetSettings,
        ),
        *(
            _section(f"The {service} service", "", settings_class(service))
            for service in SERVICES
            if settings_class(service).__annotations__.keys() - {"service"}
        ),
    ]
    return _HEAD + "".join(sections)


def _section(title: str, introduction: str, cls: type[Settings]) -> str:
    """Describe the fields that this class adds or changes, itself or by what no section shows."""
    shown = {Settings, ServiceSettings, TargetSettings} - {cls}
    bases = [base for base in cls.__mro__ if issubclass(base, Settings) and base not in shown]
    own = {name for base in bases for name in base.__annotations__}
    lines = ["", f"## {title}", ""]
    if introduction:
        lines += [introduction, ""]
    lines += ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in cls.model_fields.items():
        if name in own:
            variables = [v for v in variable_names(cls, name) if not _is_of_one(v, name)]
            named = "<br>".join(f"`{variable}`" for variable in variables)
            meaning = (field.description or "").replace("|", "\\|")
            lines.append(f"| {named} | {_default(field)} | {meaning}{_choices(field)} |")
    return "\n".join(lines) + "\n"


def _is_of_one(variable: str, field: str) -> bool:
    owners = ("gateway", *SERVICES)
    return variable in {f"{PREFIX}{owner.upper()}_{field.upper()}" for owner in owners}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default()
    if value is None or value == "":
        return ""
    assert not isinstance(value, SecretStr | SecretBytes)  # no secret has a default
    if isinstance(value, bool):
        value = int(value)
    return f"`{value}`"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        words = ", ".join(f"`{word}`" for word in get_args(field.annotation))
        return f" One of {words}."
    return ""


if __name__ == "__main__":
    sys.stdout.write(page())
