"""The first roles, and whether somebody holds enough to hand rules on (agents contract, section 7).

Pure functions over grants; what a rule allows is said in ``shared.grants``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Final

from shared.grants import ANY, API, EVERYTHING, ROLE_BINDINGS, Grant, Rule, has_group, reaches
from shared.principal import Role as Standing


def _of_api(resources: tuple[str, ...], *verbs: str) -> Rule:
    return Rule(api_groups=(API,), resources=resources, verbs=verbs)


ORG_ADMIN: Final = (_of_api(("agents", "sessions", ROLE_BINDINGS), ANY),)
DEVELOPER: Final = (_of_api(("agents", "sessions"), "get", "list", "create", "update", "delete"),)

SEEDS: Final[dict[str, tuple[tuple[Rule, ...], str]]] = {
    "admin": ((EVERYTHING,), "Everything, everywhere it is bound"),
    "cluster-admin": ((EVERYTHING,), "Everything, everywhere it is bound"),
    "developer": (DEVELOPER, "Works with agents and sessions"),
    "operator": (
        (_of_api(("sessions",), ANY), _of_api(("agents",), "get", "list")),
        "Runs sessions of agents that others make",
    ),
    "viewer": ((_of_api((ANY,), "get", "list"),), "Sees everything, changes nothing"),
    "org-admin": (ORG_ADMIN, "Administers a namespace"),
}
"""The roles that are there from the start, with a description (section 3)."""

BY_STANDING: Final[dict[str, tuple[str, tuple[Rule, ...]]]] = {
    Standing.OWNER: ("org-admin", ORG_ADMIN),
    Standing.ADMIN: ("org-admin", ORG_ADMIN),
    Standing.MEMBER: ("developer", DEVELOPER),
}
"""What a membership gives in the organization's namespace, without rows: the role whose rules these
are from the start. The rows may be deleted and made anew with other rules; this stays."""


def by_standing(standing: str, namespace: str | None) -> tuple[Grant, ...]:
    """Give what a person holds through their standing.

    Args:
        standing: the role in the active organization, or ``platform_admin``.
        namespace: the organization's slug, or None if it has gone.
    """
    if standing == Standing.PLATFORM_ADMIN:
        return (Grant(role="admin", namespace=None, rules=(EVERYTHING,)),)
    if namespace is None or standing not in BY_STANDING:
        return ()
    role, rules = BY_STANDING[standing]
    return (Grant(role=role, namespace=namespace, rules=rules),)


def covers(holder: Iterable[Grant], wanted: Iterable[Rule], namespace: str | None) -> bool:
    """Tell whether somebody holds all that some rules give in a namespace, or everywhere if None.

    A wanted ``*`` needs a held ``*``: an enumeration, however long, lacks what is yet to come.
    """
    held = [rule for grant in holder if reaches(grant, namespace) for rule in grant.rules]
    if EVERYTHING in held:
        return True
    return all(
        any(_includes(rule, single) for rule in held) for one in wanted for single in _singles(one)
    )


def is_takeover_safe(holder: Sequence[Grant], target: Iterable[Grant]) -> bool:
    """Tell whether acting as the target would give the holder nothing new."""
    return all(covers(holder, grant.rules, grant.namespace) for grant in target)


def gives_everything(rules: Iterable[Rule]) -> bool:
    """Tell whether rules hold one that allows everything."""
    return any(
        ANY in rule.api_groups
        and ANY in rule.resources
        and ANY in rule.verbs
        and rule.resource_names is None
        for rule in rules
    )


_Single = tuple[str, str, str, str | None]


def _singles(rule: Rule) -> Iterator[_Single]:
    """Take a rule apart into group, resource, verb and name; the name is None for every object."""
    names = (None,) if rule.resource_names is None else rule.resource_names
    return product(
        dict.fromkeys(rule.api_groups),
        dict.fromkeys(rule.resources),
        dict.fromkeys(rule.verbs),
        dict.fromkeys(names),
    )


def _includes(rule: Rule, single: _Single) -> bool:
    """Tell whether a rule gives a single permission; a wanted ``*`` is matched by ``*`` alone."""
    group, resource, verb, name = single
    return (
        (ANY in rule.resources or resource in rule.resources)
        and (ANY in rule.verbs or verb in rule.verbs)
        and has_group(rule, group, resource)
        and (rule.resource_names is None or name in rule.resource_names)
    )
