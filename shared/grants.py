"""What a rule of a role means, read equally by auth and by agents (agents contract, section 7).

Auth decides on accounts, roles and bindings, agents on agents and sessions from its own copy: were
the rules read differently, a role would mean two things (ADR 23). Pure functions; ``*`` stands for
each group, resource or verb there is or will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from shared.api import Answer, Body

API: Final = "api"
"""The group of every check; ``""`` in a rule means the same."""

ANY: Final = "*"
ROLE_BINDINGS: Final = "role-bindings"
_RBAC: Final = "rbac"
_NAMELESS: Final = frozenset({"list", "create"})

Word = Annotated[str, StringConstraints(max_length=255)]
Words = Annotated[tuple[Word, ...], Field(max_length=100)]


class Rule(Body):
    """One rule of a role: any of its groups, resources and verbs together; ``*`` is each."""

    api_groups: Words
    resources: Words
    verbs: Words
    resource_names: Words | None = None

    @model_serializer(mode="wrap")
    def _without_null(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.resource_names is None:
            del written["resource_names"]
        return written

    @property
    def combinations(self) -> int:
        """How many single permissions the rule spells out."""
        names = max(1, len(self.resource_names or ()))
        return len(self.api_groups) * len(self.resources) * len(self.verbs) * names


class Grant(Answer):
    """Rules that somebody holds in a namespace, or everywhere if that is None."""

    role: str
    namespace: str | None
    rules: tuple[Rule, ...]


EVERYTHING: Final = Rule(api_groups=(ANY,), resources=(ANY,), verbs=(ANY,))


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


def has_group(rule: Rule, group: str, resource: str) -> bool:
    """Match a group: ``""`` is ``api``, and for role bindings so is ``rbac``."""
    groups = rule.api_groups
    if ANY in groups or group in groups:
        return True
    same = {API, ""} if resource != ROLE_BINDINGS else {API, "", _RBAC}
    return group in same and not same.isdisjoint(groups)


def _permits(rule: Rule, group: str, resource: str, verb: str, names: Sequence[str]) -> bool:
    return (
        (ANY in rule.resources or resource in rule.resources)
        and (ANY in rule.verbs or verb in rule.verbs)
        and has_group(rule, group, resource)
        and _has_name(rule, verb, names)
    )


def _has_name(rule: Rule, verb: str, names: Sequence[str]) -> bool:
    if rule.resource_names is None:
        return True
    return verb not in _NAMELESS and any(name in rule.resource_names for name in names)
