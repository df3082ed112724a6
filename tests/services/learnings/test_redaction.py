from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.learnings.redaction.operations import (
    last_segment,
    mask_secrets,
    redact,
    redact_json,
    redact_metadata,
)

# Put together here, so that no scanner takes the samples for keys that leaked.
A40 = "aB3" * 13 + "x"
SECRETS = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ASIA" + "IOSFODNN7EXAMPLE",
    "ghp" + "_" + A40[:36],
    "gho" + "_" + A40[:36],
    "ghs" + "_" + A40[:36],
    "github" + "_pat_" + A40 + "_" + A40,
    "glpat" + "-" + A40[:20],
    "glptt" + "-" + A40,
    "xoxb" + "-123456789012-1234567890123-" + A40[:24],
    "xoxp" + "-123456789012-" + A40[:24],
    "xapp" + "-1-A01234-" + A40,
    "AIza" + A40[:35],
    "ya29" + "." + A40,
    "GOCSPX" + "-" + A40[:28],
    "sk" + "-" + A40 + "Zz9",
    "sk" + "-proj-" + A40 + "_" + A40,
    "sk" + "-svcacct-" + A40,
    "sk" + "-ant-api03-" + A40 + "-" + A40 + "AA",
    "sk" + "_live_" + A40[:24],
    "rk" + "_test_" + A40[:24],
    "trw" + "_live_" + A40,
    "trw" + "_dk_" + A40 + "-_x",
    "tw" + "_" + A40 + "Ab4",
    "trc" + "_ak_" + A40 + "Ab4",
    "trc" + "_inv_" + A40[:24],
    "npm" + "_" + A40[:36],
    "pypi" + "-AgEIcHlwaS5vcmc" + A40 + A40,
    "hf" + "_" + A40[:34],
    "dop" + "_v1_" + "0f" * 32,
    "SG" + "." + A40[:22] + "." + A40,
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0NTY3ODkwIn0.",
]
AROUND = ["{}", "use {} now", "KEY={}", "('{}',)", "x: {}, y", "https://a.b/?k={}&l=1", "`{}`"]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:9])
@pytest.mark.parametrize("around", AROUND)
def test_known_forms_of_secrets_go(secret: str, around: str) -> None:
    text = redact(around.format(secret))
    assert "<secret>" in text
    assert secret[8:20] not in text
    assert "<secret>" in mask_secrets(around.format(secret))


TAKEN = [
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----", "<secret>"),
    ("a -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- b", "a <secret> b"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb", "<secret>"),
    (
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----",
        "<secret>",
    ),
    ("Authorization: Bearer abc.def-12345", "Authorization: Bearer <secret>"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic <secret>"),
    ('{"authorization": "token abcdef"}', '{"authorization": "token <secret>"}'),
    ("curl -H 'X-Api-Key: abcdefghi'", "curl -H 'X-Api-Key: <secret>'"),
    ("a bearer 0123456789abcdef b", "a bearer <secret> b"),
    ("password=hunter2", "password=<secret>"),
    ("PASSWORD = hunter2", "PASSWORD = <secret>"),
    ("DB_PASSWORD=hunter2 next", "DB_PASSWORD=<secret> next"),
    ("passwd:hunter2", "passwd:<secret>"),
    ("password: 'correct horse'", "password: '<secret>'"),
    ('{"password": "hunter2", "a": 1}', '{"password": "<secret>", "a": 1}'),
    ("api_key='abcdefgh'", "api_key='<secret>'"),
    ("client_secret=abcdefgh&x=1", "client_secret=<secret>&x=1"),
    ("AWS_SECRET_ACCESS_KEY=abc/def+ghi", "AWS_SECRET_ACCESS_KEY=<secret>"),
    ("?access_token=abcdefgh&x=1", "?access_token=<secret>&x=1"),
    ("mysql --password hunter2 x", "mysql --password <secret> x"),
    ("tool --api-key abcdefgh", "tool --api-key <secret>"),
    ("postgres://bob:hunter2@db:5432/x", "postgres://<secret>@db:5432/x"),
    ("redis://:hunter2@cache/0", "redis://<secret>@cache/0"),
    ("https://u:p@ss@host.com/x?y=1", "https://<secret>@host.com/x?y=1"),
    ("bob@example.com", "<email>"),
    ("Mail bob.o'neil+x@mail.example.co.uk!", "Mail bob.o'<email>!"),
    ("<bob_1@example.com>", "<<email>>"),
    ("mailto:bob@example.com?x", "mailto:<email>?x"),
    ("bob@bücher.example", "<email>"),
    ("bob@example.com,eve@example.org", "<email>,<email>"),
    ("call +49 171 1234567 now", "call <phone> now"),
    ("+14155552671", "<phone>"),
    ("+1 (415) 555-2671", "<phone>"),
    ("(415) 555-2671", "<phone>"),
    ("415-555-2671", "<phone>"),
    ("415.555.2671", "<phone>"),
    ("1-800-555-2671.", "<phone>."),
    ("tel: 030 12345678", "tel: <phone>"),
    ("0171/1234567", "<phone>"),
    ("+45 12 34 56 78", "<phone>"),
    ("+49 (0)30 123456", "<phone>"),
    ("/home/alice/shop/x.py", "<path>x.py"),
    ("in /home/alice/shop/x.py:12: error", "in <path>x.py:12: error"),
    ('File "/usr/lib/python3/x.py", line 3', 'File "<path>x.py", line 3'),
    ("/Users/bob/shop/", "<path>shop"),
    ("cwd=/srv/app/current", "cwd=<path>current"),
    ("PATH=/opt/a/bin:/home/b/bin", "PATH=<path>bin:<path>bin"),
    ("(/tmp/x/y)", "(<path>y)"),
    ("file:///home/alice/x.py", "<path>x.py"),
    ("host:/var/www/x", "host:<path>x"),
    ("/home/bob@example.com/x", "<path>x"),
    ("/home/alice/bob@example.com", "<path><email>"),
    ("C:\\Users\\bob\\x.py", "<path>x.py"),
    ("c:/Users/bob/x.py", "<path>x.py"),
    ("'C:\\\\Users\\\\bob\\\\x.py'", "'<path>x.py'"),
    ("C:\\Program Files\\Tool\\x.exe /q", "<path>x.exe /q"),
    ("\\\\server\\share\\x.txt", "<path>x.txt"),
    ('"\\\\\\\\server\\\\share\\\\x.txt"', '"<path>x.txt"'),
]


@pytest.mark.parametrize(("text", "left"), TAKEN)
def test_what_goes(text: str, left: str) -> None:
    assert redact(text) == left
    assert redact(left) == left


KEPT = [
    "",
    "Use asyncio.gather instead of a loop; it is 3.5 times faster.",
    "1699999999.746014",
    "ts=1699999999.746014, took 0.123456789 s, -1.5e-07, +1.699999999",
    "1699999999",
    "1699999999746",
    "1699999999746014000",
    "2026-01-02T10:00:00.123456Z",
    "2026-01-02 10:00:00+02:00 and 2026-01-02T10:00:00.000+0000",
    "20260102T100000Z",
    "12/31/2026, 31.12.2026 and 01-02-2026",
    "550e8400-e29b-41d4-a716-446655440000",
    "01234567-0123-0123-0123-012345678901",
    "00000000-0000-0000-0000-000000000000",
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "0123456789012345678901234567890123456789",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "L-4fZa M-0123456789abcdef git:0123456789abcdef sync-claude-code-0123456789abcdef",
    "1.2.3 v27.6_TRW 3.11.0rc1 >=2.0,<3 2026.11.22",
    "192.168.100.200:8080 10.0.0.1 [::1]:8000 2001:db8::1",
    "https://example.com/home/alice/x.py?a=/b#c",
    "https://github.com/org/repo/blob/main/src/x.py#L10",
    "http://127.0.0.1:8000/v1/learnings",
    "GET /v1/learnings/L-1 and POST /api/v1/suites/x",
    "GET /shops/7/orders answers 200",
    "the route /v1/sync/learnings or /api/teams/x",
    "/users/{id}/orders and /tmp",
    "~/projects/x and ./src/x.py and ../x/y and src/a/b.py",
    "and/or, 1/2/3, a/b testing, n/a, TCP/IP, application/json, America/New_York",
    "// a comment /* another */ </div></p> s/a/b/ <br/>",
    "a\\b \\d+\\.\\w{2,} \\n \\\\d+\\\\w",
    "x @ y, @pytest.fixture, user@localhost, lodash@4.17.21, a@b, uses: actions/checkout@v4",
    "A@B.transpose()",
    "git@github.com:org/repo.git and ssh://git@example.com/org/repo",
    "s3://bucket/folder/file and git+https://example.com/a/b@main",
    "task-management-and-scheduling-of-work sk-learn-compatible-estimators",
    "tw_some_long_snake_case_function_name trw_mcp_version trc_",
    "bearer token authentication and basic authentication",
    "def f(password=None, token=get_token(), secret: str = '') -> None",
    "The password: must be long. A token: see below. secret key handling.",
    "tokens=4096 max_tokens: 4096 token_count=12",
    "10 000 000 rows, 1,000,000 rows, 1_000_000, 5.5 GB, 12:34:56",
    "<email> <phone> <secret> <path>x.py",
    "Fenster schließen 窓を閉じる 😀 \u200d",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_stays(text: str) -> None:
    assert redact(text) is text


_pieces = st.sampled_from(
    [
        *(text for text, _ in TAKEN),
        *KEPT,
        *SECRETS,
        *("<secret>", "<path>", "<email>", "<phone>", "/", "\\", "@", ".", ":", "=", " ", "-", "+"),
        *(
            "a",
            "0",
            '"',
            "'",
            "password",
            "token",
            "Bearer ",
            "file:",
            "//",
            "://",
            "C:",
            "\n",
            ">",
        ),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_pieces, max_size=12).map("".join) | st.text(max_size=200))
@example("Authorization: Bearer abcdefgh12345678")
@example("a@b.co/home/x/y")
def test_a_second_time_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    masked = mask_secrets(text)
    assert mask_secrets(masked) == masked


HOSTILE = [
    *(
        "a",
        "/",
        "\\",
        "0",
        "-",
        "@",
        "/a",
        "a@",
        "a@b.",
        "a@b.c-",
        "sk-",
        "eyJ",
        "eyJ.",
        "+1 ",
        "1 ",
    ),
    *("password=", "password:", "token", "token: ", "--token ", "://", "://a:", "c:\\", "c:/a b"),
    *("bearer ", "authorization:", "0123 ", "( ", " /x", "-----BEGIN ", "/a/b:", "a.b@c.de"),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "+1 415 555 2671",
        "AKIA",
        "ghp_",
        "xoxb-",
        "SG.aaaa",
        "\\\\a\\b",
    ),
    *("file://", "file:", "tw_a-", "trc_", "a_", "%", "+49 ", "hooks.slack.com/services/", "//a/"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_texts_come_to_an_end(piece: str) -> None:
    """Takes a fraction of a second; with cost that grew as a square it would take minutes."""
    text = piece * (262_144 // len(piece))
    once = redact(text)
    assert redact(once) == once


def test_names_in_json_stay_and_texts_go() -> None:
    value = {"bob@example.com": ["bob@example.com", {"a": "/home/alice/x"}, 1.5, None, True]}
    assert redact_json(value) == {"bob@example.com": ["<email>", {"a": "<path>x"}, 1.5, None, True]}
    assert redact_json("bob@example.com") == "<email>"


def test_clean_json_comes_back_itself() -> None:
    value = {"a": ["b", {"c": 1699999999.746014}], "run_dir": "run-1"}
    assert redact_json(value) is value


def test_the_folder_of_a_run_keeps_its_last_part() -> None:
    assert redact_json({"run_dir": "/home/alice/runs/run-1"}) == {"run_dir": "run-1"}
    assert last_segment("/home/alice/runs/run-1/") == "run-1"
    assert last_segment("C:\\a\\run-2") == "run-2"
    assert last_segment("relative/alice/run-3") == "run-3"
    assert last_segment("") == ""


@pytest.mark.parametrize(
    "name", ["password", "PASSWORD", "api_key", "apiKey", "x.token", "client-secret", "db_passwd"]
)
def test_what_stands_under_the_name_of_a_secret_goes(name: str) -> None:
    assert redact_json({name: "plain"}) == {name: "<secret>"}


@pytest.mark.parametrize("name", ["tokens", "token_count", "key", "input_tokens", "passed"])
def test_other_names_are_none(name: str) -> None:
    assert redact_json({name: "plain", "n": {name: 5}}) == {name: "plain", "n": {name: 5}}


def test_what_lies_too_deep_is_dropped() -> None:
    value: Any = "bob@example.com"
    for _ in range(5000):
        value = [value]
    found = redact_json(value)
    depth = 0
    while found is not None:
        [found] = found
        depth += 1
    assert depth == 32


def test_what_is_signed_or_identifies_a_learning_stays() -> None:
    kept = {
        "provenance_author": "bob@example.com",
        "provenance_signature": "/home/alice/x",
        "origin_project": "ns:0123456789abcdef",
        "installation_id": "415-555-2671",
        "pii_types": "email,file_path",
        "system_canary": "true",
        "source": "company_sync",
        "sync_hash": "a" * 64,
    }
    assert redact_metadata(kept) is kept
    found = redact_metadata(kept | {"note": "bob@example.com", "n": 5, "more": ["/home/a/b"]})
    assert found == kept | {"note": "<email>", "n": 5, "more": ["<path>b"]}
