"""What stands in runs' tables while its doors are tried; put back before each try."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any, Final

from PIL import Image

from services.runs.app import SERVICE
from shared.principal import Kind, Principal, Role
from shared.secret import encode_base64url
from shared.settings import ServiceSettings
from shared.vault import Vault
from tests.services.authorization.callers import CALLERS
from tests.services.authorization.doors import World
from tests.services.runs.conftest import runs_settings
from tests.services.runs.suite_texts import SUITE
from tests.support.postgres import DatabaseUrls

SECRET: Final = "only for one"
SUITE_FILE: Final = "sign-up.tripwire.yaml"


def _key(name: str, *scopes: str) -> Principal:
    return Principal(
        Kind.API_KEY, f"key_{name}", "org_one", Role.ADMIN, scopes, f"key_{name}", "usr_admin"
    )


RUNS_CALLERS: Final[dict[str, Principal]] = {
    **CALLERS,
    "reader": _key("reader", "runs:read"),
    "writer": _key("writer", "runs:write"),
    "narrow": _key("narrow", "learnings:read", "learnings:write"),
}
"""On top of the usual ones, keys of the organization that may only read runs, only write them, or
neither."""

STRANGERS: Final = ("anonymous", "platform", "other", "machine", "account", "service", "narrow")
"""Those who may read nothing of the organization."""


def _picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (2, 2)).save(written, "PNG")
    return written.getvalue()


_PNG: Final = base64.b64encode(_picture()).decode()


def _recording(errand_id: str) -> str:
    return "rec_" + encode_base64url(json.dumps([errand_id, "http://127.0.0.1:9"]).encode())


PARAMETERS: Final[dict[str, str]] = {
    **{
        f"/api/v1/suites/{{name}}{rest}:name": SUITE_FILE
        for rest in ("", "/export", "/versions", "/versions/{n}")
    },
    "n": "1",
    **{f"/api/v1/issues/{{id}}{rest}:id": "TW-1" for rest in ("", "/comments")},
    **{f"/api/v1/heals/{{id}}/{word}:id": "heal_one" for word in ("accept", "reject")},
    **{
        f"/api/v1/record/sessions/{{id}}{rest}:id": _recording("err_open")
        for rest in (
            "",
            "/picture",
            "/input",
            "/live",
            "/live/picture",
            "/live/input",
            "/live/stop",
        )
    },
    "plan_id": "plan_one",
    "id": "run_one",
    # Of another run than the one that is deleted: no reset brings files back.
    "path": "run_two/report.json",
    "name": "home",
    "picture": "baseline",
}
"""The path parameters of ``org_one``'s things."""

_TEXT: Final = {
    "kind": "text",
    "base_url": "http://127.0.0.1:9",
    "text": 'Open /. The page shows "Hi".',
}

BODIES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("POST", "/api/v1/suites"): {"yaml": SUITE},
    ("POST", "/api/v1/suites/validate"): {"yaml": SUITE},
    ("PUT", "/api/v1/suites/{name}"): {"yaml": SUITE},
    ("POST", "/api/v1/runs"): {"suite": SUITE_FILE},
    ("POST", "/api/v1/plans"): {"name": "Nightly", "items": [{"suite": SUITE_FILE}]},
    ("POST", "/api/v1/generate"): _TEXT,
    ("POST", "/api/v1/generate/plan"): _TEXT,
    ("POST", "/api/v1/record/convert"): {
        "base_url": "http://127.0.0.1:9",
        "actions": [{"type": "goto", "url": "/"}],
    },
    ("POST", "/api/v1/record/start"): {"base_url": "http://127.0.0.1:9", "mode": "remote"},
    ("POST", "/api/v1/record/sessions/{id}/input"): {"do": "reload"},
    ("POST", "/api/v1/record/sessions/{id}/live/input"): {"inputs": [{"do": "reload"}]},
    ("POST", "/api/v1/record/stop"): {"record_id": _recording("err_done")},
    ("POST", "/api/v1/artifacts/token"): {"path": "run_two"},
    ("PUT", "/api/v1/resolutions"): {"suite": SUITE_FILE},
    ("PATCH", "/api/v1/issues/{id}"): {"status": "closed"},
    ("POST", "/api/v1/checks/api"): {"url": "http://127.0.0.1:9/"},
    ("PUT", "/api/v1/settings"): {"JIRA_PROJECT": "WEB"},
    ("POST", "/api/v1/checks/screenshot"): {"name": "cart", "image_b64": _PNG},
}
"""Fields of bodies that cannot be guessed from the models, by method and path."""

_CASES: Final = json.dumps(
    [{"id": "sign-up", "title": SECRET, "tags": [], "depends_on": [], "steps": 1, "expect": 1}]
)
_TARGET: Final = json.dumps({"frame": [], "role": "button", "name": SECRET})
_REPORT: Final = json.dumps({"suite": SECRET, "cases": []})
_VAULT: Final = Vault(bytes(range(32)))
_SECRET_SETTING: Final = _VAULT.seal(SECRET.encode()).hex()
_CHANNEL: Final = _VAULT.seal(b"http://127.0.0.1:9/").hex()
_RECORDED: Final = _VAULT.seal(
    json.dumps(
        {"actions": [{"type": "goto", "url": "/"}, {"type": "click", "text": SECRET}]}
    ).encode()
).hex()
_EVENT: Final = json.dumps({"seq": 1, "kind": "log", "ts": "2026-03-02T10:00:00Z", "text": SECRET})

RESET: Final = f"""
DELETE FROM runs.suite;
DELETE FROM runs.suite_version;
DELETE FROM runs.run;
DELETE FROM runs.plan;
DELETE FROM runs.issue;
DELETE FROM runs.issue_board;
DELETE FROM runs.heal;
DELETE FROM runs.resolution;
DELETE FROM runs.refused_target;
DELETE FROM runs.baseline;
DELETE FROM runs.analytics_case;
DELETE FROM runs.setting;
DELETE FROM runs.errand;
DELETE FROM runs.errand_wish;
DELETE FROM runs.outbox;
INSERT INTO runs.errand (org_id, id, kind, status, ends_by, patience_s, wanted_until)
VALUES ('org_one', 'err_open', 'record', 'running', now() + interval '1 day', 9999,
        now() + interval '1 day');
INSERT INTO runs.errand (org_id, id, kind, status, result, ends_by, patience_s, wanted_until,
       ended_at)
VALUES ('org_one', 'err_done', 'record', 'done', '\\x{_RECORDED}', now() + interval '1 day', 9999,
        now() + interval '1 day', now());
INSERT INTO runs.suite_version (org_id, file, n, etag, author, text)
VALUES ('org_one', '{SUITE_FILE}', 1, '"e"', 'usr_owner', '{SUITE.replace("'", "''")}# {SECRET}');
INSERT INTO runs.suite (org_id, file, suite_id, name, base_url, version, etag, case_count, cases,
       updated_by)
VALUES ('org_one', '{SUITE_FILE}', 'sign-up', '{SECRET}', 'http://127.0.0.1:8400', 1, '"e"', 1,
        '{_CASES}', 'usr_owner');
INSERT INTO runs.run (org_id, id, file, suite_id, suite_name, version, status, trigger, created_by,
       started_at, finished_at, seq)
SELECT 'org_one', id, '{SUITE_FILE}', 'sign-up', '{SECRET}', 1, 'passed', 'api', 'usr_owner',
       now(), now(), 1
  FROM unnest(ARRAY['run_one', 'run_two']) AS ids (id);
INSERT INTO runs.plan (org_id, id, name, items, updated_by)
VALUES ('org_one', 'plan_one', '{SECRET}', '[{{"suite": "{SUITE_FILE}", "cases": null}}]',
        'usr_owner');
INSERT INTO runs.run_event (org_id, run_id, seq, kind, body)
VALUES ('org_one', 'run_one', 1, 'log', '{_EVENT}');
INSERT INTO runs.run_report (org_id, run_id, report) VALUES ('org_one', 'run_one', '{_REPORT}');
INSERT INTO runs.issue_board (org_id, last_number) VALUES ('org_one', 1);
INSERT INTO runs.issue (org_id, number, fingerprint_hash, fingerprint, suite_id, case_id, file,
       title, severity, first_seen, last_seen, run_id, body_md, words)
VALUES ('org_one', 1, '', 'tw:sign-up:sign-up:0', 'sign-up', 'sign-up', '{SUITE_FILE}', '{SECRET}',
        'medium', now(), now(), 'run_one', '{SECRET}', '{SECRET}');
INSERT INTO runs.heal (org_id, id, suite_id, case_id, step_id, part, template, path, run_id,
       place_hash, before, after, score, confidence)
VALUES ('org_one', 'heal_one', 'sign-up', 'sign-up', 's1', 0, '{SECRET}', '/', 'run_one', '',
        '{_TARGET}', '{_TARGET}', 85, 0.85);
INSERT INTO runs.resolution (org_id, suite_id, case_id, step_id, part, template_hash, path_hash,
       template, path, target)
VALUES ('org_one', 'sign-up', 'sign-up', 's1', 0, '', '', '{SECRET}', '/', '{_TARGET}');
INSERT INTO runs.baseline (org_id, name, picture, latest, sha256, latest_sha256, width, height,
       status, observed, created_by)
VALUES ('org_one', 'home', 'checks/org_one/pic.png', 'checks/org_one/pic.png', '', '', 2, 2,
        'passed', '{SECRET}', 'usr_owner');
INSERT INTO runs.analytics_case (org_id, suite_id, case_id, title, runs, passed, total_ms,
       recent_at, recent_verdict, recent_flaky, durations, consecutive_failures)
VALUES ('org_one', 'sign-up', 'sign-up', '{SECRET}', 1, 1, 5, ARRAY[now()], ARRAY['passed'],
        ARRAY[false], ARRAY[5], 0);
INSERT INTO runs.setting (org_id, key, value)
VALUES ('org_one', 'JIRA_EMAIL', '\\x{_SECRET_SETTING}'),
       ('org_one', 'WEBHOOK_URL', '\\x{_CHANNEL}');
"""  # noqa: S608 - made of constants


def _settings(urls: DatabaseUrls, folder: Path) -> ServiceSettings:
    """Give the settings of a service whose store holds a report and a baseline."""
    for key, content in {
        "run_two/report.json": _REPORT.encode(),
        "checks/org_one/pic.png": _picture(),
    }.items():
        path = folder / "artifacts" / key
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    return runs_settings(urls, GUILDHALL_DATA_DIR=folder)


WORLD: Final = World(
    service=SERVICE,
    settings=_settings,
    reset=RESET,
    parameters=PARAMETERS,
    bodies=BODIES,
    secrets=(SECRET, "usr_owner"),
    callers=RUNS_CALLERS,
    strangers=STRANGERS,
    query={"suite": SUITE_FILE, "with": "run_two"},
)
