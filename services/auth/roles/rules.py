"""What rules allow, and whether somebody holds enough to hand them on (agents contract, section 7).

Pure functions over grants. ``*`` stands for each group, resource or verb there is or will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Final

from services.auth.roles.models import Grant, Rule
from shared.principal import Role as Standing

API: Final = "api"
"""The group of every check; ``""`` in a rule means the same."""

ROLE_BINDINGS: Final = "role-bindings"
_RBAC: Final = "rbac"
_ANY: Final = "*"
_NAMELESS: Final = frozenset({"list", "create"})

EVERYTHING: Final = Rule(api_groups=(_ANY,), resources=(_ANY,), verbs=(_ANY,))


def _of_api(resources: tuple[str, ...], *verbs: str) -> Rule:
    return Rule(api_groups=(API,), resources=resources, verbs=verbs)


ORG_ADMIN: Final = (_of_api(("agents", "sessions", ROLE_BINDINGS), _ANY),)
DEVELOPER: Final = (_of_api(("agents", "sessions"), "get", "list", "create", "update", "delete"),)

SEEDS: Final[dict[str, tuple[tuple[Rule, ...], str]]] = {
    "admin": ((EVERYTHING,), "Everything, everywhere it is bound"),
    "cluster-admin": ((EVERYTHING,), "Everything, everywhere it is bound"),
    "developer": (DEVELOPER, "Works with agents and sessions"),
    "operator": (
        (_of_api(("sessions",), _ANY), _of_api(("agents",), "get", "list")),
        "Runs sessions of agents that others make",
    ),
    "viewer": ((_of_api((_ANY,), "get", "list"),), "Sees everything, changes nothing"),
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


def allows(
    grants: Iterable[Grant],
    api_group: str,
    resource: str,
    verb: str,
    namespace: str | None,
    names: Sequence[str] = (),
) -> bool:
    """Tell whether any grant allows something.

    Args:
        grants: what the caller holds.
        api_group: ``api`` for all there is.
        resource: such as ``roles``.
        verb: such as ``get``.
        namespace: where, or None for what is global.
        names: name and id of the object, none for a list or a creation.
    """
    return any(
        _permits(rule, api_group, resource, verb, names)
        for grant in grants
        if reaches(grant, namespace)
        for rule in grant.rules
    )


def reaches(grant: Grant, namespace: str | None) -> bool:
    """Tell whether a grant holds in a namespace; in None, only what holds everywhere does."""
    return grant.namespace is None or grant.namespace == namespace


def is_bound(grants: Iterable[Grant], namespace: str | None) -> bool:
    """Tell whether somebody holds anything at all in a namespace."""
    return any(reaches(grant, namespace) for grant in grants)


def namespaces(
    grants: Sequence[Grant], api_group: str, resource: str, verb: str
) -> frozenset[str] | None:
    """Give the namespaces in which something is allowed; None if it is everywhere."""
    if allows(grants, api_group, resource, verb, None):
        return None
    wanted = {grant.namespace for grant in grants if grant.namespace is not None}
    return frozenset(one for one in wanted if allows(grants, api_group, resource, verb, one))


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
        _ANY in rule.api_groups
        and _ANY in rule.resources
        and _ANY in rule.verbs
        and rule.resource_names is None
        for rule in rules
    )


def _permits(rule: Rule, group: str, resource: str, verb: str, names: Sequence[str]) -> bool:
    return (
        (_ANY in rule.resources or resource in rule.resources)
        and (_ANY in rule.verbs or verb in rule.verbs)
        and _has_group(rule, group, resource)
        and _has_name(rule, verb, names)
    )


def _has_group(rule: Rule, group: str, resource: str) -> bool:
    """Match a group: ``""`` is ``api``, and for role bindings so is ``rbac``."""
    groups = rule.api_groups
    if _ANY in groups or group in groups:
        return True
    same = {API, ""} if resource != ROLE_BINDINGS else {API, "", _RBAC}
    return group in same and not same.isdisjoint(groups)


def _has_name(rule: Rule, verb: str, names: Sequence[str]) -> bool:
    if rule.resource_names is None:
        return True
    return verb not in _NAMELESS and any(name in rule.resource_names for name in names)


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
        (_ANY in rule.resources or resource in rule.resources)
        and (_ANY in rule.verbs or verb in rule.verbs)
        and _has_group(rule, group, resource)
        and (rule.resource_names is None or name in rule.resource_names)
    )
