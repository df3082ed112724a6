from __future__ import annotations

import json
import logging

import pytest
import structlog
from markdown_it import MarkdownIt
from pydantic import TypeAdapter, ValidationError

from shared.log import configure, get_logger, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key trw_live_abc-DEF_1 used", "key *** used"),
        ("trw_dk_abc", "***"),
        ("GET /api/teams/trc_ak_ABCDEFGHIJK/head", "GET /api/teams/trc_ak_ABCDE***/head"),
        ("Bearer eyJhbGciOi.eyJzdWIi.c2ln", "Bearer ***"),
        ("postgres://role:s3cret@host/db", "postgres://role:***@host/db"),
        ("invite trc_inv_abc and tw_abc", "invite *** and ***"),
        ("nothing here, not even twice", "nothing here, not even twice"),
    ],
)
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_lines_are_json_with_the_request_id_and_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    before_structlog = structlog.get_config()
    try:
        configure("auth", "info", "json")
        with structlog.contextvars.bound_contextvars(request_id="req_1"):
            get_logger().info("hello", key="trw_live_abc")
            get_logger().debug("quiet")
            logging.getLogger("library").warning("from trw_live_abc")
    finally:
        structlog.configure(**before_structlog)
        structlog.contextvars.clear_contextvars()
        root.handlers, root.level = before
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["request_id"], first["process"]) == ("hello", "req_1", "auth")
    assert first["key"] == "***"
    assert second["event"] == "from ***"


def test_drawing_markdown_is_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    before_structlog = structlog.get_config()
    try:
        configure("teams", "debug", "json")
        MarkdownIt("commonmark").render("# a\n\nb\n")
    finally:
        structlog.configure(**before_structlog)
        structlog.contextvars.clear_contextvars()
        root.handlers, root.level = before
    assert capsys.readouterr().err == ""


SECRET = "s3cret"


class _Refused(Exception):
    """What a database says of a row; asyncpg's errors are like this."""

    detail = "Failing row contains (s3cret, 1)."

    def __str__(self) -> str:
        return f"refused\nDETAIL:  {self.detail}"


def _written(error: BaseException, capsys: pytest.CaptureFixture[str], form: str) -> str:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    before_structlog = structlog.get_config()
    try:
        configure("auth", "info", form)
        get_logger().error("failed", exc_info=error)
        logging.getLogger("library").error("failed", exc_info=error)
    finally:
        structlog.configure(**before_structlog)
        structlog.contextvars.clear_contextvars()
        root.handlers, root.level = before
    return capsys.readouterr().err


def _raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as raised:
        return raised


def _misread() -> Exception:
    try:
        TypeAdapter(dict[str, int]).validate_python({"count": SECRET})
    except ValidationError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (_raised(_Refused()), "refused"),
        (_raised(RuntimeError("above"), _raised(_Refused())), "above"),
        (_raised(ExceptionGroup("many", [_Refused(), ValueError("also")])), "also"),
        (_raised(ValueError("invalid input for query argument $1: 's3cret'")), "$1: ***"),
        (_raised(ValueError('invalid input syntax for type uuid: "s3cret"')), "uuid: ***"),
        (_misread(), "count\\n  Input should be a valid integer"),
        (_raised(RuntimeError("above"), _misread()), "input_value=***"),
    ],
)
def test_exceptions_do_not_quote_values(
    error: BaseException, kept: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _written(error, capsys, form)
    kept = kept if form == "json" else kept.replace("\\n", "\n")
    assert "s3cret" not in text
    assert text.count(kept) >= 2
    assert text.count("Traceback") >= 2
