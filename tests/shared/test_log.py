from __future__ import annotations

import json
import logging

import pytest
import structlog

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
