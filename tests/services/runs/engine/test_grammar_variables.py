"""Names and their values: filling in, origins, secrets, the process environment."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest
from pydantic_settings import BaseSettings

from services.runs.engine.grammar import (
    Variables,
    allowed_environment_name,
    environment_names,
    masked_values,
    references,
    secrets_of_step,
)
from services.runs.engine.grammar.models import Origin, Step, UnknownName
from services.runs.engine.grammar.variables import is_secret_name
from shared.settings import SERVICES
from tests.services.runs.engine.grammar_support import HEAD, good

EMPTY: dict[str, str] = {}


def test_the_order_of_names() -> None:
    captures = {"a": "capture"}
    fixtures = {"a": "fixture", "b": "fixture"}
    row = {"a": "row", "b": "row", "c": "row"}
    given = {"c": "given", "d": "given"}
    env = {"a": "env", "b": "env", "c": "env", "d": "env", "e": "env"}
    variables = Variables(
        captures, fixtures, env, row, given=given, generators={"b": "unique_email"}
    )
    assert variables.fill("${a} ${b} ${c} ${d} ${e}") == "capture fixture row given env"
    assert variables.origin("a") == Origin("capture")
    assert variables.origin("b") == Origin("fixture", "unique_email")
    assert variables.origin("c") == Origin("row")
    assert variables.origin("d") == variables.origin("e") == Origin("env")
    assert variables.origin("f") is None


def test_a_capture_is_seen_as_soon_as_it_is_bound() -> None:
    captures: dict[str, str] = {}
    variables = Variables(captures, EMPTY, EMPTY, EMPTY)
    with pytest.raises(UnknownName) as error:
        variables.fill("Open ${order}")
    assert error.value.name == "order"
    captures["order"] = "7"
    assert variables.fill("Open ${order}") == "Open 7"


@pytest.mark.parametrize("value", ["${b}", "$", "}", "\\1", "\\g<0>", "'\"", "{{x}}", "${a}"])
def test_a_value_is_put_in_as_it_is(value: str) -> None:
    variables = Variables({"a": value, "b": "SECRET"}, EMPTY, EMPTY, EMPTY)
    assert variables.fill("<${a}>") == f"<{value}>"


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("", ()),
        ("$a {b} ${}", ()),
        ("${a}${b} ${a}", ("a", "b")),
        ("${ a }", ("a",)),
        ("${order no}", ("order no",)),
        ("$${a}", ("a",)),
        ("${${a}}", ("a",)),
        ("${a\n}", ()),
        ("${" + "x" * 121 + "}", ()),
        ("${ }", ()),
    ],
)
def test_what_a_template_mentions(template: str, names: tuple[str, ...]) -> None:
    assert references(template) == names


def test_no_name_is_ever_left_behind() -> None:
    with pytest.raises(UnknownName):
        Variables(EMPTY, EMPTY, EMPTY, EMPTY).fill("type ${what} now")
    assert Variables(EMPTY, EMPTY, EMPTY, EMPTY).fill("${} $x") == "${} $x"


def test_env_takes_fixtures_and_the_process_environment() -> None:
    env = {
        "USER": "${mail}",
        "PASS": "p-${APP_PASS}",
        "LOOP": "${LOOP}",
        "OURS": "${GUILDHALL_ROOT_SECRET}",
        "CAPTURED": "${c}",
    }
    environment = {"APP_PASS": "hunter", "GUILDHALL_ROOT_SECRET": "never", "PATH": "/bin"}
    variables = Variables(
        {"c": "late"}, {"mail": "a@x"}, env, EMPTY, environment=environment, given={}
    )
    assert variables.fill("${USER} ${PASS}") == "a@x p-hunter"
    for name, blamed in [("LOOP", "LOOP"), ("OURS", "GUILDHALL_ROOT_SECRET"), ("CAPTURED", "c")]:
        with pytest.raises(UnknownName) as error:
            variables.fill(f"${{{name}}}")
        assert error.value.name == blamed
    # Outside of env values, the process environment has no names.
    with pytest.raises(UnknownName):
        variables.fill("${APP_PASS}")
    given = Variables(EMPTY, EMPTY, env, EMPTY, given={"OURS": "${x}"}, environment=environment)
    assert given.fill("${OURS}") == "${x}"


def test_which_values_are_secret() -> None:
    variables = Variables(
        {"token": "captured"},
        {"pw": "fixture-pw", "mail": "mail"},
        {"API_TOKEN": "t-1", "HOST": "host", "X": "x-${APP_SECRET}", "KEY": "${MISSING}"},
        {"password": "row-pw", "name": "ann"},
        given={"MY_PASSWORD": "given-pw", "COLOR": "red"},
        environment={"APP_SECRET": "inner"},
        generators={"pw": "password", "mail": "unique_email"},
    )
    assert variables.secrets() == {
        *("fixture-pw", "t-1", "x-inner", "inner", "row-pw", "given-pw"),
    }


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *((name, True) for name in ("PASSWORD", "userPassword", "API_KEY", "apiKey", "db_pass")),
        *(
            (name, True)
            for name in ("accessToken", "client-secret", "PIN", "otp", "AWS_CREDENTIALS")
        ),
        *((name, False) for name in ("MONKEY", "spinner", "passenger", "BASE_URL", "", "käse")),
    ],
)
def test_names_of_secrets(name: str, is_secret: bool) -> None:
    assert is_secret_name(name) is is_secret


def test_logins_and_secret_steps_are_masked() -> None:
    suite = good(
        f"{HEAD}auth: {{username: ann, password: 'pw-${{n}}'}}\nenv: {{n: 7}}\ncases:\n"
        "- id: a\n  title: A\n  steps:\n"
        '  - {do: \'Enter "open sesame" into "Code"\', secret: true}\n'
        '  - {do: \'Enter "public" into "Name"\'}\n'
        "  - {do: 'Enter ${n} and ${later}', secret: true}\n"
    )
    variables = Variables(EMPTY, EMPTY, suite.env, EMPTY)

    def typed(do: str) -> list[str] | None:
        return ["open sesame"] if "sesame" in do else None

    assert masked_values(suite, variables, typed) == {"pw-7", "open sesame", "7"}
    assert masked_values(suite, variables) == {"pw-7", "open sesame", "Code", "7"}
    step = Step("s1", "Enter “a b” or `c` or 'd ${x}'", secret=True)
    bound = Variables({"x": "1"}, EMPTY, EMPTY, EMPTY)
    assert secrets_of_step(step, bound) == {"1", "a b", "c", "d 1"}


def settings_classes(base: type[BaseSettings] = BaseSettings) -> Iterator[type[BaseSettings]]:
    for kind in base.__subclasses__():
        yield kind
        yield from settings_classes(kind)


def test_no_variable_that_a_process_of_ours_reads_is_for_suites() -> None:
    for module in (*(f"services.{name}.settings" for name in SERVICES), "gateway.settings"):
        importlib.import_module(module)
    importlib.import_module("guildhall.settings")
    found = set()
    for kind in settings_classes():
        if not kind.__module__.startswith(("services.", "shared.", "gateway.", "guildhall.")):
            continue
        for name, field in kind.model_fields.items():
            choices = getattr(field.validation_alias, "choices", [field.validation_alias or name])
            found |= {str(choice) for choice in choices}
    assert "GUILDHALL_DATABASE_URL" in found
    assert len(found) > 100
    assert {name for name in found if allowed_environment_name(name)} == set()


@pytest.mark.parametrize(
    "name",
    [
        *("GUILDHALL_X", "guildhall_root_secret", "TRIPWIRE_SECRET_KEY", "UPLIFTR_JWT_SECRET"),
        *("DATABASE_URL", "APP_DATABASE_URL", "AMQP_URL", "PGPASSWORD", "POSTGRES_PASSWORD"),
        *("AWS_SECRET_ACCESS_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY"),
        *("GITHUB_TOKEN", "GITLAB_TOKEN", "JIRA_TOKEN", "SLACK_WEBHOOK_URL", "WEBHOOK_SECRET"),
        *("DD_API_KEY", "ES_API_KEY", "LOG_HTTP_TOKEN", "LOKI_URL", "GIT_SHA", "FILE_ISSUES"),
        *("TOKEN", "PASSWORD", "SECRET_KEY", "a b", "", "ä", "A=B", "1A", "A\n", "x" * 200),
    ],
)
def test_what_suites_may_not_read(name: str) -> None:
    assert not allowed_environment_name(name)


@pytest.mark.parametrize(
    "name", ["APP_PASSWORD", "E2E_TOKEN", "SHOP_API_KEY", "BASE_URL", "HOME", "MY_SECRET", "user"]
)
def test_what_suites_may_read(name: str) -> None:
    assert allowed_environment_name(name)


def test_what_a_suite_asks_of_the_environment() -> None:
    suite = good(
        f"{HEAD}fixtures: {{f: 1}}\n"
        "env: {A: '${APP_USER} ${APP_PASS}', B: '${f} ${GITHUB_TOKEN}', C: '${a b}'}\n"
        "cases: [{id: a, title: A, steps: [{do: '${NOT_ASKED}'}]}]\n"
    )
    assert environment_names(suite) == {"APP_USER", "APP_PASS"}
