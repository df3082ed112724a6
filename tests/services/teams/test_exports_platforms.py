from __future__ import annotations

import json
import tomllib

import pytest

from services.teams.exports.operations import bundle
from services.teams.exports.rules.platforms.windsurf import LONGEST_BODY, pieces_of
from services.teams.teams.models import Content, Member, Skill
from tests.services.teams.exports_support import TEAM, files_of, head_and_body, unpacked

SKILL = "---\nname: lint\ndescription: Run the linter\n---\n\n# Lint\n\nRun it.\n"
SKILLS = ("always", "code-review", "deploy", "lint")


def exported(format: str) -> dict[str, str]:
    return files_of(bundle(TEAM, format))


def test_skills_follow_the_specification() -> None:
    files = exported("skills")
    assert sorted(files) == [f"{name}/SKILL.md" for name in SKILLS]
    assert files["lint/SKILL.md"] == SKILL
    head, body = head_and_body(files["code-review/SKILL.md"])
    assert head == {
        "name": "code-review",
        "description": "Review: all of it",
        "metadata": {"id": "Code_Review"},
    }
    assert body == "Read.\n---\nThen say.\n"


def test_agents_md_is_one_file() -> None:
    made = bundle(TEAM, "agents-md")
    assert (made.filename, made.media_type) == ("AGENTS.md", "text/markdown; charset=utf-8")
    text = made.body.decode()
    for expected in (
        *("# Payments", "- **Reviewer**: review: Use after each change", "# Member: Ops"),
        *("Be exact.", "# Skill: lint", "Run it.", "# Knowledge\n\n## Ports"),
    ):
        assert expected in text


def test_json_is_the_team_as_it_was_given() -> None:
    made = bundle(TEAM, "json", b'{"team":{}}')
    assert (made.filename, made.media_type) == ("payments.json", "application/json")
    assert made.body == b'{"team":{}}'


def test_claude_code() -> None:
    files = exported("claude-code")
    assert sorted(files) == [
        ".claude/agents/ops.md",
        ".claude/agents/reviewer.md",
        ".claude/knowledge.md",
        *(f".claude/skills/{name}/SKILL.md" for name in SKILLS),
        "CLAUDE.md",
    ]
    head, body = head_and_body(files[".claude/agents/reviewer.md"])
    assert head == {
        "name": "reviewer",
        "description": "review: Use after each change",
        "skills": ["lint", "code-review"],
    }
    assert body == "Be exact.\n\n## Skills\n\n- lint\n- code-review\n"
    head, _ = head_and_body(files[".claude/skills/deploy/SKILL.md"])
    assert head == {
        "name": "deploy",
        "description": "Deploy",
        "argument-hint": "[stage]",
        "disable-model-invocation": True,
        "user-invocable": True,
    }
    head, _ = head_and_body(files[".claude/skills/lint/SKILL.md"])
    assert head["paths"] == ["**/*.ts", "src/*.js"]
    assert files[".claude/knowledge.md"] == TEAM.knowledge
    assert "\n@.claude/knowledge.md\n" in files["CLAUDE.md"]


def test_claude_desktop_has_an_archive_for_each_skill() -> None:
    files = unpacked(bundle(TEAM, "claude-desktop").body)
    assert sorted(files) == [
        "project/instructions.md",
        "project/knowledge.md",
        "project/members/ops.md",
        "project/members/reviewer.md",
        *(f"skills/{name}.zip" for name in SKILLS),
    ]
    assert unpacked(files["skills/lint.zip"]) == {"lint/SKILL.md": SKILL.encode()}
    long = Content("x", skills=(Skill("a", description="word " * 100),))
    inner = unpacked(unpacked(bundle(long, "claude-desktop").body)["skills/a.zip"])
    head, _ = head_and_body(inner["a/SKILL.md"].decode())
    assert len(head["description"]) <= 200


def test_cursor() -> None:
    files = exported("cursor")
    assert sorted(files) == [
        ".cursor/agents/ops.md",
        ".cursor/agents/reviewer.md",
        *(f".cursor/rules/{name}.mdc" for name in SKILLS),
        ".cursor/rules/team-knowledge.mdc",
        ".cursor/rules/team.mdc",
    ]
    # Bare, as Cursor documents it, and by its order still YAML.
    assert files[".cursor/rules/lint.mdc"] == (
        "---\ndescription: Run the linter\nglobs: src/*.js, **/*.ts\nalwaysApply: false\n---\n"
        "\n# Lint\n\nRun it.\n"
    )
    modes = {name: head_and_body(files[f".cursor/rules/{name}.mdc"])[0] for name in SKILLS}
    assert modes["lint"]["globs"] == "src/*.js, **/*.ts"
    assert modes["always"]["alwaysApply"] is True
    assert modes["code-review"]["description"] == "Review: all of it"
    assert modes["deploy"] == {"description": "", "globs": "", "alwaysApply": False}
    team, _ = head_and_body(files[".cursor/rules/team.mdc"])
    assert team["alwaysApply"] is True


@pytest.mark.parametrize("pattern", ["a\nalwaysApply: true", "a # b", "a: b", "'a'", "a --- b"])
def test_a_pattern_for_cursor_cannot_add_a_key(pattern: str) -> None:
    made = bundle(Content("x", skills=(Skill("a", globs=(pattern, "b")),)), "cursor")
    head, _ = head_and_body(files_of(made)[".cursor/rules/a.mdc"])
    assert head["alwaysApply"] is False
    assert head["globs"] == f"{' '.join(pattern.split())}, b"


def test_codex() -> None:
    files = exported("codex")
    assert sorted(files) == [
        *(f".agents/skills/{name}/SKILL.md" for name in SKILLS),
        ".codex/agents/ops.toml",
        ".codex/agents/reviewer.toml",
        ".codex/knowledge.md",
        "AGENTS.md",
    ]
    assert tomllib.loads(files[".codex/agents/reviewer.toml"]) == {
        "name": "reviewer",
        "description": "review: Use after each change",
        "developer_instructions": "Be exact.\n\n## Skills\n\n- lint\n- code-review\n",
    }
    assert "`.codex/knowledge.md`" in files["AGENTS.md"]


def test_gemini() -> None:
    files = exported("gemini")
    assert sorted(files) == [
        ".gemini/agents/ops.md",
        ".gemini/agents/reviewer.md",
        ".gemini/knowledge.md",
        *(f".gemini/skills/{name}/SKILL.md" for name in SKILLS),
        "GEMINI.md",
    ]
    head, body = head_and_body(files[".gemini/agents/ops.md"])
    assert head == {"name": "ops", "description": "operations", "kind": "local"}
    assert body == "You are Ops, operations of the team Payments.\n"
    assert "\n@./.gemini/knowledge.md\n" in files["GEMINI.md"]


def test_copilot() -> None:
    files = exported("copilot")
    assert sorted(files) == [
        ".github/agents/ops.agent.md",
        ".github/agents/reviewer.agent.md",
        ".github/copilot-instructions.md",
        ".github/instructions/always.instructions.md",
        ".github/instructions/lint.instructions.md",
        ".github/instructions/team-knowledge.instructions.md",
        ".github/skills/code-review/SKILL.md",
        ".github/skills/deploy/SKILL.md",
    ]
    head, _ = head_and_body(files[".github/instructions/lint.instructions.md"])
    assert head == {"description": "Run the linter", "applyTo": "**/*.ts,src/*.js"}
    head, _ = head_and_body(files[".github/agents/reviewer.agent.md"])
    assert head == {"name": "Reviewer", "description": "review: Use after each change"}


def test_windsurf() -> None:
    files = exported("windsurf")
    assert sorted(files) == [
        ".windsurf/rules/member-ops.md",
        ".windsurf/rules/member-reviewer.md",
        *(f".windsurf/rules/skill-{name}.md" for name in SKILLS),
        ".windsurf/rules/team-knowledge.md",
        ".windsurf/rules/team.md",
    ]
    triggers = {
        name: head_and_body(files[f".windsurf/rules/skill-{name}.md"])[0]["trigger"]
        for name in SKILLS
    }
    assert triggers == {
        "always": "always_on",
        "code-review": "model_decision",
        "deploy": "manual",
        "lint": "glob",
    }


def test_no_rule_of_windsurf_is_longer_than_it_reads() -> None:
    knowledge = "\n".join(f"{number} lines" for number in range(9000))
    souls = (Member("a", "r" * 256, "d" * 1024, "s" * 10_000),)
    content = Content("x", souls, (Skill("b", "t", "d" * 900, body="b" * 10_000),), (), knowledge)
    files = files_of(bundle(content, "windsurf"))
    assert all(len(text) <= 12_000 for text in files.values())
    pieces = [text for path, text in files.items() if "/team-knowledge" in path]
    assert len(pieces) > 8


@pytest.mark.parametrize(
    "text", ["", "a", "a" * 25, "a\n" * 20, "\n" * 25, "aaaa\nbbbbbbbbbbbb\nc"]
)
def test_pieces_are_short_and_together_the_whole(text: str) -> None:
    pieces = list(pieces_of(text, 10))
    assert "".join(pieces) == text
    assert all(len(piece) <= 10 for piece in pieces)
    assert LONGEST_BODY < 12_000


def test_cline() -> None:
    files = exported("cline")
    assert sorted(files) == [
        ".cline/skills/code-review/SKILL.md",
        ".cline/skills/deploy/SKILL.md",
        ".clinerules/always.md",
        ".clinerules/lint.md",
        ".clinerules/team-knowledge.md",
        ".clinerules/team.md",
        ".clinerules/workflows/ops.md",
        ".clinerules/workflows/reviewer.md",
    ]
    head, _ = head_and_body(files[".clinerules/lint.md"])
    assert head == {"paths": ["**/*.ts", "src/*.js"]}


def test_amazon_q() -> None:
    files = exported("amazon-q")
    assert sorted(files) == [
        ".amazonq/cli-agents/ops.json",
        ".amazonq/cli-agents/reviewer.json",
        *(f".amazonq/rules/{name}.md" for name in SKILLS),
        ".amazonq/rules/team-knowledge.md",
        ".amazonq/rules/team.md",
    ]
    agent = json.loads(files[".amazonq/cli-agents/reviewer.json"])
    assert agent["prompt"].startswith("Be exact.")
    assert "allowedTools" not in agent


def test_openclaw() -> None:
    files = exported("openclaw")
    assert sorted(files) == [
        *(f"skills/{name}/SKILL.md" for name in (*SKILLS, "team-knowledge")),
        *(f"workspace-ops/{name}.md" for name in ("AGENTS", "IDENTITY", "SOUL")),
        *(f"workspace-reviewer/{name}.md" for name in ("AGENTS", "IDENTITY", "SOUL")),
    ]


@pytest.mark.parametrize("format", ["cursor", "copilot", "cline", "amazon-q", "openclaw"])
def test_a_skill_with_the_name_of_a_file_of_ours_gives_way(format: str) -> None:
    content = Content("x", skills=(Skill("team"), Skill("team-knowledge")), knowledge="k")
    files = files_of(bundle(content, format))
    assert any("team-knowledge-2" in path for path in files)
    assert any("team-knowledge" in path and "-2" not in path for path in files)


def test_skills_whose_names_differ_only_in_case_stay_apart() -> None:
    content = Content(
        "x", (Member("a", "r", skills=("lint", "Lint")),), (Skill("Lint"), Skill("lint"))
    )
    files = files_of(bundle(content, "claude-code"))
    head, _ = head_and_body(files[".claude/agents/a.md"])
    assert head["skills"] == ["lint-2", "lint"]
    second, _ = head_and_body(files[".claude/skills/lint-2/SKILL.md"])
    assert second["metadata"] == {"id": "lint"}


@pytest.mark.parametrize("format", ["cline", "amazon-q", "claude-code", "codex", "gemini"])
def test_no_text_becomes_a_head(format: str) -> None:
    hostile = "---\npaths: [none]\n---\nx"
    skill = Skill("a", always_apply=True, body=hostile)
    files = files_of(bundle(Content("x", skills=(skill,), knowledge=hostile), format))
    heads = [head_and_body(text)[0] for text in files.values() if text.startswith("---")]
    assert all("paths" not in head for head in heads)


def test_the_parts_of_a_long_rule_hide_no_other_rule() -> None:
    skills = (Skill("a", description="d " * 20_000), *(Skill(f"a-{n}") for n in range(2, 6)))
    files = files_of(bundle(Content("x", skills=skills), "windsurf"))
    parts = [path for path in files if path.startswith(".windsurf/rules/skill-a.")]
    assert len(parts) == len([path for path in files if "skill-a-" in path]) == 4
