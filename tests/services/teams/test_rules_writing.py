from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from services.teams.teams.models import Content, Member, Skill
from services.teams.teams.rules import (
    clone_data,
    content_of,
    hashes_of,
    members_json,
    parts_of,
    platforms_json,
    preview_data,
    read_change,
    skills_json,
    team_data,
)
from services.teams.teams.rules.changing import create
from tests.services.teams.rules_support import contents, property_test

TEAM = Content(
    "One",
    (Member("ål", "dev", "D", "S\u2028\x01", ("b", "a")), Member("bo", "qa")),
    (
        Skill("full", "T", "D", False, ("*.ts",), True, "B", False, "[x]"),
        Skill("bare"),
    ),
    ("cursor", "codex"),
    'k "é"\n',
)
HASHES = hashes_of(TEAM)
HASHES_JSON = (
    f'"hash":"{HASHES.hash}","members_hash":"{HASHES.members_hash}",'
    f'"skills_hash":"{HASHES.skills_hash}","knowledge_hash":"{HASHES.knowledge_hash}"'
)
PARTS = parts_of("t-1", TEAM, HASHES)
EMPTY = parts_of("t-2", Content("Two", (Member("a", "dev"),)), hashes_of(Content("Two")))


def test_parts_have_the_keys_of_the_contract_in_its_order() -> None:
    assert members_json(TEAM.members) == (
        '[{"name":"ål","role":"dev","description":"D","soul":"S\u2028\\u0001","skills":["b","a"]},'
        '{"name":"bo","role":"qa"}]'
    )
    assert skills_json(TEAM.skills) == (
        '[{"id":"full","title":"T","description":"D","alwaysApply":false,"globs":["*.ts"],'
        '"userInvocable":true,"body":"B","disableModelInvocation":false,"argumentHint":"[x]"},'
        '{"id":"bare"}]'
    )
    assert platforms_json(TEAM.platforms) == '["cursor","codex"]'
    assert members_json([]) == skills_json([]) == platforms_json([]) == "[]"


def test_a_whole_team() -> None:
    assert team_data(PARTS).decode() == (
        f'{{"id":"t-1","name":"One","knowledge":"k \\"é\\"\\n",{HASHES_JSON},'
        f'"members":{PARTS.members},"skills":{PARTS.skills},"platforms":["cursor","codex"]}}'
    )


def test_a_team_without_knowledge_skills_and_platforms() -> None:
    told = json.loads(team_data(EMPTY))
    assert told["knowledge"] is None
    assert "skills" not in told
    assert "platforms" not in told
    assert told["members"] == [{"name": "a", "role": "dev"}]


def test_the_secret_of_a_claim_is_in_the_answer_that_asks_for_it() -> None:
    assert "owner_claim_secret" not in json.loads(team_data(PARTS))
    told = json.loads(team_data(PARTS, owner_claim_secret="trc_ocs_x"))
    assert told.pop("owner_claim_secret") == "trc_ocs_x"
    assert told == json.loads(team_data(PARTS))


def test_a_preview_has_neither_knowledge_nor_souls() -> None:
    expected = json.loads(team_data(PARTS))
    del expected["knowledge"], expected["members"][0]["soul"]
    assert json.loads(preview_data(PARTS)) == expected
    assert expected["skills"][0]["body"] == "B"


def test_a_clone_has_neither_knowledge_nor_bodies() -> None:
    expected = json.loads(team_data(PARTS))
    del expected["knowledge"], expected["skills"][0]["body"]
    assert json.loads(clone_data(PARTS)) == expected
    del expected["members"][0]["soul"]
    assert json.loads(clone_data(PARTS, hide_souls=True)) == expected
    assert json.loads(clone_data(EMPTY))["skills"] == []


@property_test
@given(contents)
def test_what_is_written_is_read_back(content: Content) -> None:
    parts = parts_of("t", content, hashes_of(content))
    assert content_of(parts) == content


@property_test
@given(contents)
def test_what_is_sent_may_be_sent_back(content: Content) -> None:
    told: dict[str, Any] = json.loads(team_data(parts_of("t", content, hashes_of(content))))
    assert create(read_change(told, creating=True)) == content
