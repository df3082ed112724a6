"""What rules allow, against a model that tries everything in a small world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.auth.roles.models import NewRole
from services.auth.roles.rules import (
    BY_STANDING,
    SEEDS,
    by_standing,
    covers,
    gives_everything,
    is_takeover_safe,
)
from shared.grants import EVERYTHING, Grant, Rule, allows, is_bound, namespaces

Ask = tuple[str, str, str, str | None, tuple[str, ...]]

# Of each kind of word one that no rule names, so that * means more than all names together.
GROUPS = ("api", "rbac", "apps", "unheard")
RESOURCES = ("agents", "roles", "role-bindings", "unheard")
VERBS = ("get", "list", "create", "unheard")
NAMESPACES = (None, "acme", "other")
OBJECTS: tuple[tuple[str, ...], ...] = ((), ("a",), ("b",), ("a", "b"), ("unheard",))


def asks(*, nameless: bool = True) -> Iterator[Ask]:
    for ask in product(GROUPS, RESOURCES, VERBS, NAMESPACES, OBJECTS):
        if nameless or ask[4] == () or ask[2] not in ("list", "create"):
            yield ask


def rule_of(groups: str, resources: str, verbs: str, names: Sequence[str] | None = None) -> Rule:
    return Rule(
        api_groups=tuple(groups.split()),
        resources=tuple(resources.split()),
        verbs=tuple(verbs.split()),
        resource_names=None if names is None else tuple(names),
    )


def model_allows(grants: Iterable[Grant], ask: Ask) -> bool:
    """Section 7 word by word, with nothing clever."""
    group, resource, verb, namespace, names = ask
    for grant in grants:
        if grant.namespace is not None and grant.namespace != namespace:
            continue
        for rule in grant.rules:
            groups = {"api" if word == "" else word for word in rule.api_groups}
            if resource == "role-bindings" and groups & {"api", "rbac"}:
                groups |= {"api", "rbac"}
            if not groups & {"*", group}:
                continue
            if not set(rule.resources) & {"*", resource} or not set(rule.verbs) & {"*", verb}:
                continue
            if rule.resource_names is not None and (
                verb in ("list", "create") or not set(rule.resource_names) & set(names)
            ):
                continue
            return True
    return False


def words(*choices: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(choices), max_size=3).map(tuple)


RULES = st.builds(
    Rule,
    api_groups=words("*", "api", "", "rbac", "apps"),
    resources=words("*", "agents", "roles", "role-bindings"),
    verbs=words("*", "get", "list", "create"),
    resource_names=st.none() | words("a", "b"),
)
GRANTS = st.lists(
    st.builds(
        Grant,
        role=st.just("r"),
        namespace=st.sampled_from(NAMESPACES),
        rules=st.lists(RULES, max_size=3).map(tuple),
    ),
    max_size=4,
)


@given(GRANTS)
def test_what_is_allowed_is_what_the_contract_says(grants: list[Grant]) -> None:
    for ask in asks():
        assert allows(grants, *ask) == model_allows(grants, ask), ask


@settings(max_examples=150)
@given(GRANTS, st.lists(RULES, max_size=3), st.sampled_from(NAMESPACES))
def test_nobody_grants_what_they_do_not_hold(
    holder: list[Grant], wanted: list[Rule], namespace: str | None
) -> None:
    if not covers(holder, wanted, namespace):
        return
    given_on = [Grant(role="w", namespace=namespace, rules=tuple(wanted))]
    for ask in asks():
        assert not model_allows(given_on, ask) or model_allows(holder, ask), ask


@settings(max_examples=150)
@given(GRANTS, RULES, st.sampled_from(NAMESPACES))
def test_everybody_may_grant_what_they_hold(
    holder: list[Grant], wanted: Rule, namespace: str | None
) -> None:
    # What gives nothing today (a named list) must still be held word by word.
    if wanted.resource_names is not None and {"list", "create"} & set(wanted.verbs):
        return
    given_on = [Grant(role="w", namespace=namespace, rules=(wanted,))]
    if all(model_allows(holder, ask) for ask in asks() if model_allows(given_on, ask)):
        assert covers(holder, [wanted], namespace)


@given(GRANTS, GRANTS)
def test_signing_in_as_another_gives_nothing_new(holder: list[Grant], target: list[Grant]) -> None:
    if is_takeover_safe(holder, target):
        for ask in asks():
            assert not model_allows(target, ask) or model_allows(holder, ask), ask


@given(GRANTS, st.sampled_from(RESOURCES), st.sampled_from(VERBS))
def test_a_list_shows_the_namespaces_where_one_may(
    grants: list[Grant], resource: str, verb: str
) -> None:
    found = namespaces(grants, "api", resource, verb)
    for namespace in NAMESPACES:
        may = model_allows(grants, ("api", resource, verb, namespace, ()))
        assert may == (found is None or namespace in found)


@given(GRANTS)
def test_whoever_may_anything_is_bound(grants: list[Grant]) -> None:
    for group, resource, verb, namespace, names in asks():
        if allows(grants, group, resource, verb, namespace, names):
            assert is_bound(grants, namespace)


def test_an_enumeration_is_not_everything() -> None:
    listed = Grant(
        role="r", namespace=None, rules=(rule_of("api", "agents sessions", "get list create"),)
    )
    assert covers([listed], [rule_of("api", "agents", "get")], None)
    assert covers([listed], [rule_of("", "sessions", "list create")], "acme")
    assert not covers([listed], [rule_of("api", "agents", "*")], None)
    assert not covers([listed], [rule_of("api", "*", "get")], None)
    assert not covers([listed], [rule_of("*", "agents", "get")], None)


def test_rules_of_several_roles_cover_together() -> None:
    held = [
        Grant(role="a", namespace=None, rules=(rule_of("api", "agents", "get"),)),
        Grant(role="b", namespace="acme", rules=(rule_of("api", "agents", "list"),)),
    ]
    assert covers(held, [rule_of("api", "agents", "get list")], "acme")
    assert not covers(held, [rule_of("api", "agents", "get list")], None)
    assert not covers(held, [rule_of("api", "agents", "get list")], "other")


def test_named_objects_are_not_all_objects() -> None:
    held = [Grant(role="a", namespace=None, rules=(rule_of("api", "roles", "get", ["a"]),))]
    assert covers(held, [rule_of("api", "roles", "get", ["a"])], None)
    assert not covers(held, [rule_of("api", "roles", "get", ["a", "b"])], None)
    assert not covers(held, [rule_of("api", "roles", "get")], None)


@pytest.mark.parametrize("resource", ["agents", "sessions", "service-accounts", "roles", "x"])
def test_the_group_rbac_is_for_role_bindings_alone(resource: str) -> None:
    held = [Grant(role="a", namespace=None, rules=(rule_of("rbac", "*", "*"),))]
    assert allows(held, "api", "role-bindings", "create", None)
    assert not allows(held, "api", resource, "get", None)


def test_the_first_roles_are_the_contracts() -> None:
    assert set(SEEDS) == {"admin", "cluster-admin", "developer", "operator", "viewer", "org-admin"}
    assert gives_everything(SEEDS["admin"][0])
    assert gives_everything(SEEDS["cluster-admin"][0])
    assert not any(gives_everything(rules) for rules, _ in list(SEEDS.values())[2:])
    viewer = [Grant(role="viewer", namespace="acme", rules=SEEDS["viewer"][0])]
    assert allows(viewer, "api", "agents", "list", "acme")
    assert not allows(viewer, "api", "agents", "list", "other")
    assert not allows(viewer, "api", "service-accounts", "list", None)
    assert not allows(viewer, "api", "agents", "update", "acme")


def test_a_named_everything_is_not_everything() -> None:
    assert not gives_everything([rule_of("*", "*", "*", ["a"])])
    assert not gives_everything([rule_of("*", "*", "*", [])])
    assert not gives_everything([rule_of("*", "*", "get"), rule_of("api", "*", "*")])


def test_people_hold_by_their_standing() -> None:
    assert by_standing("platform_admin", None)[0].rules == (EVERYTHING,)
    assert by_standing("platform_admin", "acme")[0].namespace is None
    assert by_standing("owner", "acme") == by_standing("admin", "acme")
    assert by_standing("member", "acme")[0].role == "developer"
    assert by_standing("owner", None) == by_standing("", "acme") == by_standing("x", "acme") == ()
    for standing, (role, rules) in BY_STANDING.items():
        assert SEEDS[role][0] == rules, standing


def test_a_role_that_takes_long_to_compare_is_refused() -> None:
    many = {
        "api_groups": [f"g{number}" for number in range(11)],
        "resources": [f"r{number}" for number in range(50)],
        "verbs": [f"v{number}" for number in range(20)],
    }
    with pytest.raises(ValidationError, match="too many combinations"):
        NewRole.model_validate({"name": "many", "rules": [many]})
