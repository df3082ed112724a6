"""Teams made up to be awkward as files, and what is read back from a bundle."""

from __future__ import annotations

import io
import zipfile
from typing import Any, Final

import yaml
from hypothesis import strategies as st

from services.teams.exports.models import Bundle
from services.teams.exports.rules.formats import LAYOUTS
from services.teams.teams.models import Content, Member, Skill

ZIPPED: Final = sorted(set(LAYOUTS) - {"agents-md"})

# Names that some file system, archive or shell reads otherwise than as a name.
AWKWARD: Final = (
    *("../../etc/passwd", "..", ".", "/etc/passwd", "C:\\Windows", "\\\\host\\share", "~", "-rf"),
    *("con", "CON", "nul.txt", "aux", "LPT1", "com¹", "a/b", "a\\b", "a:b", "a\nb", "a\tb", " "),
    *(
        "Reviewer",
        "reviewer",
        "REVIEWER",
        "\uff52eviewer",
        "reviewer-2",
        "Ämy",
        "A\u0308my",
        "amy",
    ),
    *(
        "你好",
        "好你",
        "🙂",
        "\u202egnp.exe",
        ".hidden",
        "trailing.",
        "trailing ",
        "\ufb01le",
        "\u017f",
        "\u212a",
    ),
    *("x" * 64, "team", "team-knowledge", "knowledge", "skill", "member", "$(id)", "`id`", "*?"),
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
awkward_texts = st.sampled_from(
    (
        *(
            "",
            "---",
            "--- \nname: x",
            "a: b",
            "- a",
            "#",
            "@x",
            "1e3",
            "yes",
            "null",
            '"',
            "'",
            "{",
        ),
        *("[", "*.ts", "'''", '"""', '""""', 'ends in "', "\\", "\x1b[0m", "\x7f", "\u2028"),
        *("\ufeffx", "%", "a\r\nb", "\n\nx\n\n", " x ", "src/**", "a,b", "=", "~", "0o17", "!!str"),
    )
)
names = st.sampled_from(AWKWARD) | texts.filter(lambda text: bool(text.strip()))
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True) | st.sampled_from(
    ["con", "Con", "team", "team-knowledge", "a_b", "a-b", "A-B", "a--b", "a-", "x" * 64, "nul"]
)
flags = st.sampled_from([None, True, False])
some_texts = texts | awkward_texts
members = st.lists(
    st.builds(
        Member,
        name=names,
        role=some_texts,
        description=some_texts,
        soul=some_texts,
        skills=st.lists(ids, max_size=3).map(tuple),
    ),
    max_size=6,
    unique_by=lambda member: member.name,
).map(tuple)
skills = st.lists(
    st.builds(
        Skill,
        id=ids,
        title=some_texts,
        description=some_texts,
        always_apply=flags,
        globs=st.lists(some_texts, max_size=3).map(tuple),
        user_invocable=flags,
        body=some_texts,
        disable_model_invocation=flags,
        argument_hint=some_texts,
    ),
    max_size=6,
    unique_by=lambda skill: skill.id,
).map(tuple)
contents = st.builds(Content, name=names, members=members, skills=skills, knowledge=some_texts)

TEAM: Final = Content(
    name="Payments",
    members=(
        Member("Reviewer", "review", "Use after each change", "Be exact.", ("lint", "Code_Review")),
        Member("Ops", "operations"),
    ),
    skills=(
        Skill("lint", "Lint", "Run the linter", None, ("**/*.ts", "src/*.js"), body="Run it."),
        Skill("Code_Review", description="Review: all of it", body="Read.\n---\nThen say."),
        Skill("always", always_apply=True, body="Be calm."),
        Skill(
            "deploy",
            "Deploy",
            body="Deploy it.",
            user_invocable=True,
            disable_model_invocation=True,
            argument_hint="[stage]",
        ),
    ),
    platforms=("cursor",),
    knowledge="## Ports\n\n8000 is the gateway.\n",
)


def unpacked(body: bytes) -> dict[str, bytes]:
    """Read an archive."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def files_of(made: Bundle) -> dict[str, str]:
    """Read the archive of a bundle that holds texts alone."""
    return {path: content.decode() for path, content in unpacked(made.body).items()}


def head_and_body(text: str) -> tuple[dict[str, Any], str]:
    """Read the head of a Markdown file, and what follows the blank line after it."""
    assert text.startswith("---\n")
    head, body = text[4:].split("\n---\n\n", 1)
    read = yaml.safe_load(head)
    assert isinstance(read, dict)
    return read, body
