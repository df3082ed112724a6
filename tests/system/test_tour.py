"""The README's tour, run as printed; only the port is the test's own."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.support.stack import MakeStack

README = Path(__file__).resolve().parents[2] / "README.md"

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def printed() -> str:
    """Every shell block of the README, in order."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL))


async def test_the_tour_runs_as_printed(make_stack: MakeStack) -> None:
    stack = make_stack()
    script = "set -eu\n" + printed().replace("http://127.0.0.1:8000", stack.base_url)
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script.replace("curl -sS", "curl -sS -w '\\n'"),
        cwd=stack.data_dir.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        out, errors = await shell.communicate()
    assert shell.returncode == 0, errors.decode()
    answers = [json.loads(line) for line in out.decode().splitlines() if line.strip()]
    *answers, suite, run = answers
    *answers, agent, asked, talk = answers
    *answers, made, pushed, invited, head, bundle = answers
    registered, verified, me, *surfaces, recorded, listed, searched, pulled, by_key, refused = (
        answers
    )
    runs, agents, teams = surfaces
    assert registered["email"] == "ada@example.com"
    assert verified == {"verified": True}
    assert me["email"] == "ada@example.com"
    assert runs == me
    assert (agents["user"], agents["id"]) == (me["email"], me["id"])
    assert teams == {"account": {"id": me["id"], "email": me["email"]}, "machines": []}
    assert recorded["id"].startswith("L-")
    assert listed["items"] == [recorded]
    assert [item["id"] for item in searched["results"]] == [recorded["id"]]
    assert [row["source_learning_id"] for row in pulled["team_learnings"]] == [recorded["id"]]
    assert by_key["total"] == 1
    assert refused == {"detail": "Invalid or expired token"}
    assert [member["name"] for member in made["team"]["members"]] == ["reviewer"]
    assert pushed["knowledge_hash"] == head["knowledge_hash"] != made["team"]["knowledge_hash"]
    assert invited["invite_code"].startswith("trc_inv_")
    assert ".claude/agents/reviewer.md" in [file["path"] for file in bundle["files"]]
    assert (agent["name"], agent["namespace"]) == ("librarian", "ada-lovelace")
    assert asked["role"] == "USER"
    assert [message["role"] for message in talk] == ["USER", "AGENT"]
    assert "three weeks" in talk[1]["content"]
    assert suite["warnings"] == []
    assert run["summary"]["passed"] == run["summary"]["total"] == 1, run["report"]
