"""What stands in learnings' tables while its doors are tried; put back before each try."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.app import SERVICE
from tests.services.authorization.doors import World
from tests.services.learnings.conftest import learnings_settings

PARAMETERS: Final[dict[str, str]] = {
    "/v1/learnings/{id}:id": "L-one",
    "/v1/learnings/{id}/status:id": "L-one",
    "/v1/installations/{id}:id": "inst_one",
    "key_id": "key_one",
    "version": "1.2.3",
    "org_id": "org_one",
    "package": "something",
    "delivery_id": "dlv_one",
    **{
        f"/v1/webhooks/{{id}}{rest}:id": "whk_one"
        for rest in ("", "/rotate", "/test", "/deliveries", "/deliveries/{delivery_id}/redeliver")
    },
}
"""The path parameters of ``org_one``'s things."""

_DIGEST: Final = "0" * 64

BODIES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("PATCH", "/v1/learnings/{id}"): {"impact": 0.7},
    ("PATCH", "/v1/learnings/{id}/status"): {"status": "resolved"},
    ("POST", "/v1/sync/learnings"): {"entries": [], "client_id": "sync-x-0123456789abcdef"},
    ("POST", "/v1/submissions"): {"category": "other", "message": "long enough"},
    ("POST", "/v1/releases"): {"version": "1.2.4", "artifact_checksum": _DIGEST},
    ("POST", "/v1/backup/presign"): {"sha256": _DIGEST, "size_bytes": 5},
    ("POST", "/v1/webhooks"): {"url": "https://hooks.example/"},
    ("PATCH", "/v1/webhooks/{id}"): {"description": "something"},
}
"""Fields of bodies that cannot be guessed from the models, by method and path."""

SECRET: Final = "only for one"

RESET: Final = f"""
DELETE FROM learnings.learning;
DELETE FROM learnings.organization;
DELETE FROM learnings.installation;
DELETE FROM learnings.key_policy;
DELETE FROM learnings.submission;
DELETE FROM learnings.release;
DELETE FROM learnings.license;
DELETE FROM learnings.entitlement;
DELETE FROM learnings.backup;
DELETE FROM learnings.webhook;
DELETE FROM learnings.webhook_message;
DELETE FROM learnings.outbox;
INSERT INTO learnings.organization (org_id, name, learning_count, sequence)
VALUES ('org_one', '{SECRET}', 1, 1);
INSERT INTO learnings.learning (org_id, id, feed_id, summary, detail, tags, impact, status, type,
       origin, recorded_by, account_id, sync_seq, created_at, updated_at)
VALUES ('org_one', 'L-one', 'L-one', '{SECRET}', '', '{{}}', 0.5, 'active', 'pattern', 'key_one',
        'key_one', 'usr_admin', 1, now(), now());
INSERT INTO learnings.installation (org_id, id, identity, installation_id, project)
VALUES ('org_one', 'inst_one', 'one', 'one', '{SECRET}');
INSERT INTO learnings.key_policy (org_id, key_id, tags)
VALUES ('org_one', 'key_one', ARRAY['{SECRET}']);
INSERT INTO learnings.submission (org_id, id, principal, category, subject, message, digest)
VALUES ('org_one', 'sub_one', 'key_one', 'other', '{SECRET}', '{SECRET}', sha256('one'));
INSERT INTO learnings.entitlement (org_id, package) VALUES ('org_one', '{SECRET}');
INSERT INTO learnings.release (version, channel, built_at, artifact_checksum,
       artifact_size_bytes, min_compatible_version, framework_version, changelog_url, changelog)
VALUES ('1.2.3', 'latest', '', '{_DIGEST}', 5, '0.0.0', '', '', '');
INSERT INTO learnings.webhook (org_id, id, url, description, events, secret)
VALUES ('org_one', 'whk_one', 'https://hooks.example/', '{SECRET}', '{{learning.recorded}}', '');
INSERT INTO learnings.webhook_message (org_id, id, type, body)
VALUES ('org_one', 'msg_one', 'learning.recorded', '{{}}');
INSERT INTO learnings.webhook_delivery (org_id, id, webhook_id, message_id, error)
VALUES ('org_one', 'dlv_one', 'whk_one', 'msg_one', '{SECRET}');
"""  # noqa: S608 - made of constants

WORLD: Final = World(
    service=SERVICE,
    settings=learnings_settings,
    reset=RESET,
    parameters=PARAMETERS,
    bodies=BODIES,
    secrets=(SECRET, "usr_admin", "inst_one", "L-one", "dlv_one"),
)
