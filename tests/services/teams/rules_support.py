"""Teams made up by hypothesis, and the client's own computations on Node.js."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from services.teams.teams.models import Change, Content, Member, NewMember, Skill
from tests.support.npm import has_node

CLIENT: Final = Path(__file__).with_name("client.js")
TIMEOUT: Final = 120.0

# A slow machine fails no property.
property_test = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
OUR_ICU = 78
"""The version of ICU that our collation comes from."""

needs_node = pytest.mark.skipif(not has_node(), reason="node is needed")


def ask_client(what: str, given: object) -> Any:
    """Let the client compute; its order is that of an English locale, which is the root's."""
    done = subprocess.run(
        ("node", str(CLIENT)),
        input=json.dumps({"what": what, "given": given}),
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "en_US.UTF-8"},
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def is_client_as_new() -> bool:
    """Tell whether the client's ICU orders as ours does beyond letters and printable ASCII.

    Older ones, such as that of Debian 12's Node, put some signs and what is ignorable elsewhere.
    """
    asked = subprocess.run(
        ("node", "-p", "process.versions.icu"), capture_output=True, text=True, timeout=TIMEOUT
    )
    return int(asked.stdout.partition(".")[0]) >= OUR_ICU


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
# Few, so that writers meet.
names = st.sampled_from(["a", "A", "b", "B", "_", "-x", "z10", "z2", "amy", "Zed", "Ämy", "你好"])
ids = st.sampled_from(["lint", "Lint", "test", "a-b", "a_b", "a1", "9"])
platforms = st.lists(st.sampled_from(["cursor", "codex", "cline"]), unique=True).map(tuple)
lines = st.sampled_from(["", " ", "x", " x", "x ", "y", "\ty\r", "é", "\u3000é", "## s", "### t"])
knowledge = st.lists(lines, max_size=12).map("\n".join)
flags = st.sampled_from([None, True, False])

some_members = st.builds(
    Member,
    name=names,
    role=texts.map("r{}".format),
    description=st.just("") | texts,
    soul=st.just("") | texts,
    skills=st.lists(texts, max_size=3).map(tuple),
)
some_skills = st.builds(
    Skill,
    id=ids,
    title=st.just("") | texts,
    description=st.just("") | texts,
    always_apply=flags,
    globs=st.lists(texts, max_size=3).map(tuple),
    user_invocable=flags,
    body=st.just("") | texts,
    disable_model_invocation=flags,
    argument_hint=st.just("") | texts,
)
members = st.lists(some_members, max_size=5, unique_by=lambda each: each.name).map(tuple)
skills = st.lists(some_skills, max_size=5, unique_by=lambda each: each.id).map(tuple)
contents = st.builds(
    Content,
    name=st.sampled_from(["One", "Two"]),
    members=members,
    skills=skills,
    platforms=platforms,
    knowledge=knowledge,
)
new_members = st.lists(
    st.builds(NewMember, member=some_members, is_described=st.booleans()),
    max_size=5,
    unique_by=lambda each: each.member.name,
).map(tuple)
changes = st.builds(
    Change,
    name=st.none() | st.sampled_from(["One", "Two"]),
    members=st.none() | new_members,
    skills=st.none() | skills,
    platforms=st.none() | platforms,
    knowledge=st.none() | knowledge,
)
