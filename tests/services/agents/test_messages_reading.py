"""Listing and counting messages (agents contract, section 4.6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from services.agents.messages.operations import reading
from services.agents.messages.store import reading as store
from tests.services.agents.conftest import Agents, new_name, rule
from tests.services.agents.messages_support import Talk, begin

MESSAGE = {"role": "USER", "content": "x"}


def links_of(header: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Read ``Link`` into path and query by relation."""
    found = {}
    for part in header.split(", "):
        target, _, relation = part.partition("; rel=")
        split = urlsplit(target.strip("<>"))
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        found[relation.strip('"')] = split.path, query
    return found


async def fill(talk: Talk, count: int) -> None:
    """Put messages into a session without the worker's doings."""
    await talk.agents.sql.execute(
        """
        INSERT INTO agents.message (session_id, number, id, role, content, created_at)
        SELECT $1, 1000 + n, gen_random_uuid(),
               CASE n % 3 WHEN 0 THEN 'USER' WHEN 1 THEN 'AGENT' ELSE 'SYSTEM' END, 'm' || n,
               timestamptz '2026-01-01Z' + n * interval '1 second'
          FROM generate_series(0, $2 - 1) AS n
        """,
        UUID(talk.id),
        count,
    )


async def test_lists_the_oldest_hundred_first(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    await fill(talk, 150)
    assert await talk.contents() == [f"m{n}" for n in range(100)]
    answer = await talk.send("GET", "/messages")
    assert answer.headers["x-total-count"] == "150"
    links = links_of(answer.headers["link"])
    path = f"/api/v0/sessions/{talk.id}/messages"
    assert links == {
        "first": (path, {"offset": "0", "limit": "100"}),
        "next": (path, {"offset": "100", "limit": "100"}),
        "last": (path, {"offset": "100", "limit": "100"}),
    }


@pytest.mark.parametrize(
    ("limit", "offset", "first", "count"),
    [(10, 0, 0, 10), (10, 10, 10, 10), (10, 145, 145, 5), (1000, 0, 0, 150), (1, 149, 149, 1)],
)
async def test_pages(agents: Agents, limit: int, offset: int, first: int, count: int) -> None:
    talk = await begin(agents, state="INIT")
    await fill(talk, 150)
    found = await talk.contents(limit=limit, offset=offset)
    assert found == [f"m{n}" for n in range(first, first + count)]


async def test_links_lead_through_all_pages_with_the_filters(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    await fill(talk, 50)
    query: dict[str, Any] = {"limit": 7, "role": "user", "since": "2026-01-01T00:00:02Z"}
    seen: list[str] = []
    steps = 0
    target: dict[str, Any] | None = query
    while target is not None:
        answer = await talk.send("GET", "/messages", params=target)
        seen += [one["content"] for one in answer.json()]
        assert answer.headers["x-total-count"] == "16"
        links = links_of(answer.headers["link"])
        target = links["next"][1] if "next" in links else None
        steps += 1
    assert seen == [f"m{n}" for n in range(3, 50, 3)]
    assert steps == 3
    assert links["prev"][1]["offset"] == "7"
    assert links["last"][1] == {
        "limit": "7",
        "offset": "14",
        "role": "USER",
        "since": "2026-01-01T00:00:02.000000Z",
    }


async def test_a_page_behind_the_end_is_empty(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send("GET", "/messages")
    assert (answer.json(), answer.headers["x-total-count"]) == ([], "0")
    assert set(links_of(answer.headers["link"])) == {"first", "last"}
    await fill(talk, 20)
    answer = await talk.send("GET", "/messages", params={"offset": 500, "limit": 10})
    assert (answer.json(), answer.headers["x-total-count"]) == ([], "20")
    links = links_of(answer.headers["link"])
    assert links["prev"][1]["offset"] == "10"
    assert "next" not in links


async def test_the_space_dialect_shows_up_to_a_thousand_unless_told(agents: Agents) -> None:
    """CLI 0.2 counts what a list without a limit shows, and waits for one more."""
    space = new_name("ns")
    owner = await agents.robot("developer", namespace=space)
    talk = await begin(agents, space, owner, "INIT", space=space)
    await fill(talk, 1001)
    assert len(await talk.contents()) == 1000
    assert len(await talk.contents(limit=10)) == 10
    answer = await talk.send("GET", "/messages")
    assert links_of(answer.headers["link"])["next"][1] == {"offset": "1000", "limit": "1000"}


async def test_is_written_without_blanks(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    said = await talk.send("POST", "/messages", json={"role": "USER", "content": "a: b, c"})
    listed = await talk.send("GET", "/messages")
    for answer in (said, listed):
        assert answer.text.replace("a: b, c", "").count(" ") == 0
    assert listed.text == f"[{said.text}]"


@pytest.mark.parametrize("role", ["AGENT", "agent", "Agent"])
async def test_filters_by_role_in_any_case(agents: Agents, role: str) -> None:
    talk = await begin(agents, state="INIT")
    await fill(talk, 9)
    assert await talk.contents(role=role) == ["m1", "m4", "m7"]
    assert await talk.contents(role="") == [f"m{n}" for n in range(9)]


@pytest.mark.parametrize(
    ("since", "first"),
    [
        ("2026-01-01T00:00:02Z", 3),
        ("2026-01-01T00:00:02.000000Z", 3),
        ("2026-01-01T00:00:01.999999Z", 2),
        ("2026-01-01T00:00:02.0000009Z", 3),
        ("2026-01-01t00:00:02z", 3),
        ("2026-01-01 00:00:02+00:00", 3),
        ("2026-01-01T02:00:02+02:00", 3),
        ("2025-12-31T19:00:02-05:00", 3),
        ("0001-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59Z", 9),
        ("", 0),
    ],
)
async def test_since_is_strictly_later(agents: Agents, since: str, first: int) -> None:
    talk = await begin(agents, state="INIT")
    await fill(talk, 9)
    assert await talk.contents(since=since) == [f"m{n}" for n in range(first, 9)]


async def test_a_plus_that_was_not_escaped_is_understood(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    await fill(talk, 9)
    answer = await talk.send("GET", "/messages?since=2026-01-01T02:00:02+02:00")
    assert len(answer.json()) == 6


async def test_what_a_list_shows_is_what_since_takes(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    said = [await talk.say(f"message {n}") for n in range(5)]
    assert await talk.messages(since=said[2]["created_at"]) == said[3:]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1e3",
        "limit=" + "9" * 400,
        "offset=-1",
        "offset=x",
        "offset=99999999999999999999",
        "role=%00",
        "since=yesterday",
        "since=2026-01-01",
        "since=2026-01-01T00:00:00",
        "since=2026-13-01T00:00:00Z",
        "since=2026-01-01T00:00:00%2B99:99",
        "since=0001-01-01T00:00:00%2B14:00",
        "since=9999-12-31T23:59:59-14:00",
        "since=1767225600",
        "since=%D9%A2026-01-01T00:00:00Z",
        "since=2026-01-01T00:00:00Z%00",
    ],
)
async def test_bad_values_are_422(agents: Agents, query: str) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send("GET", f"/messages?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"][0]["loc"] == ["query", query.partition("=")[0]]


async def test_a_role_that_is_none_is_a_bad_request(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send("GET", "/messages?role=robot")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BAD_REQUEST")
    assert answer.json()["message"] == "Invalid role 'ROBOT': one of USER, AGENT, SYSTEM"


async def test_a_reply_is_there_a_second_after_its_message(agents: Agents) -> None:
    """CLI 0.2 counts right after it has posted, and waits for one more."""
    talk = await begin(agents)
    said = await talk.say("question")
    assert await talk.reply(await talk.number_of(said))
    assert await talk.contents() == ["question"]
    answer = await talk.send("GET", "/messages", params={"limit": 1})
    assert answer.headers["x-total-count"] == "1"
    count = await talk.send("GET", "/messages/count")
    assert count.json() == {"count": 1, "session_id": talk.id}
    assert await talk.state() == "BUSY"
    gap = await agents.sql.fetchval(
        "SELECT r.created_at - m.created_at FROM agents.message m JOIN agents.message r "
        "ON r.session_id = m.session_id AND r.reply_to = m.number WHERE m.session_id = $1",
        UUID(talk.id),
    )
    assert gap.total_seconds() == 1.0
    await talk.show_replies()
    assert await talk.contents() == ["question", "an answer"]
    assert await talk.state() == "READY"
    shown = (await talk.messages())[1]
    assert (shown["agent_id"], shown["agent_name"], shown["metadata"]) == (None, "assistant", {})


async def test_counts(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send("GET", "/messages/count")
    assert (answer.status_code, answer.json()) == (200, {"count": 0, "session_id": talk.id})
    await fill(talk, 1500)
    answer = await talk.send("GET", "/messages/count/")
    assert answer.json() == {"count": 1500, "session_id": talk.id}


async def test_a_long_list_comes_in_pieces_and_is_whole(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await begin(agents, state="INIT")
    await fill(talk, 40)
    expected = await talk.messages()
    for budget in (0, 1, 5, 50):
        monkeypatch.setattr(reading, "AT_ONCE", budget)
        assert await talk.messages() == expected
        assert await talk.messages(limit=3, offset=38) == expected[38:]


async def test_what_is_cleared_while_it_is_listed_is_left_out(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await begin(agents, state="INIT")
    await fill(talk, 5)
    monkeypatch.setattr(reading, "AT_ONCE", 0)
    find = store.find_items
    calls = 0

    async def clearing(*arguments: Any) -> dict[int, str]:
        nonlocal calls
        calls += 1
        if calls == 3:
            assert (await talk.send("DELETE", "/messages")).status_code == 200
        return await find(*arguments)

    monkeypatch.setattr(store, "find_items", clearing)
    assert await talk.contents() == ["m0", "m1"]


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", "/messages"),
        ("POST", "/messages"),
        ("GET", "/messages/count"),
        ("DELETE", "/messages"),
        ("POST", "/complete"),
        ("GET", "/events"),
    ],
)
class TestRights:
    """Each route, for who may not."""

    async def test_no_id_is_400(self, agents: Agents, method: str, rest: str) -> None:
        robot = await agents.robot("admin")
        for bad in ("x", "1", "0" * 32, f"{uuid4()}x"):
            answer = await agents.send(method, f"sessions/{bad}{rest}", robot, json=MESSAGE)
            assert answer.status_code == 400
            assert answer.json()["message"] == "Invalid session ID format"

    async def test_unknown_is_404(self, agents: Agents, method: str, rest: str) -> None:
        robot = await agents.robot("admin")
        answer = await agents.send(method, f"sessions/{uuid4()}{rest}", robot, json=MESSAGE)
        assert answer.status_code == 404
        assert answer.json()["message"] == "Session not found"

    async def test_deleted_is_404(self, agents: Agents, method: str, rest: str) -> None:
        talk = await begin(agents, state="INIT")
        await talk.say()
        assert (await talk.send("DELETE")).status_code == 204
        assert (await talk.send(method, rest, json=MESSAGE)).status_code == 404

    async def test_a_stranger_finds_nothing(self, agents: Agents, method: str, rest: str) -> None:
        talk = await begin(agents, state="INIT")
        stranger = await agents.robot("admin", namespace=new_name("ns"))
        answer = await talk.send(method, rest, stranger, json=MESSAGE)
        assert answer.status_code == 404
        assert answer.json()["message"] == "Session not found"

    async def test_a_neighbour_is_refused(self, agents: Agents, method: str, rest: str) -> None:
        """One who may list and get in the namespace, and sees no others' sessions."""
        talk = await begin(agents, state="INIT")
        await talk.say()
        neighbour = await agents.robot("viewer", namespace=talk.namespace)
        answer = await talk.send(method, rest, neighbour, json=MESSAGE)
        assert answer.status_code == 403
        message = answer.json()["message"]
        assert message.startswith("Cannot ")
        assert message.endswith(" other users' sessions")
        assert len(await talk.contents()) == 1

    async def test_nobody_is_401(self, agents: Agents, method: str, rest: str) -> None:
        talk = await begin(agents, state="INIT")
        answer = await agents.client.request(method, f"/api/v0/{talk.path}{rest}", json=MESSAGE)
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("verb", "method", "rest", "status"),
    [
        ("get-all", "GET", "/messages", 200),
        ("get-all", "GET", "/messages/count", 200),
        ("update", "POST", "/messages", 201),
        ("update", "POST", "/complete", 200),
        ("delete", "DELETE", "/messages", 200),
    ],
)
async def test_others_need_the_verb_and_no_more(
    agents: Agents, verb: str, method: str, rest: str, status: int
) -> None:
    talk = await begin(agents, state="BUSY")
    other = await agents.holding(rule("sessions", verb), namespace=talk.namespace)
    answer = await talk.send(method, rest, other, json=MESSAGE)
    assert answer.status_code == status, answer.text
    verbs = {"get-all", "update", "delete", "get", "list", "create", "list-all", "remix-all"}
    rest_of = await agents.holding(
        rule("sessions", " ".join(verbs - {verb})), namespace=talk.namespace
    )
    answer = await talk.send(method, rest, rest_of, json=MESSAGE)
    assert answer.status_code == 403


async def test_a_rule_that_names_the_session_reaches_it_alone(agents: Agents) -> None:
    talk = await begin(agents, state="INIT", name="named")
    other = await begin(agents, talk.namespace, talk.owner, state="INIT")
    reader = await agents.holding(
        rule("sessions", "get-all", names=("named",)), namespace=talk.namespace
    )
    assert (await talk.send("GET", "/messages", reader)).status_code == 200
    assert (await other.send("GET", "/messages", reader)).status_code == 403


async def test_a_subject_called_like_an_account_reads_nothing(agents: Agents) -> None:
    namespace = new_name("ns")
    owner = await agents.robot("developer", namespace=namespace, name="alice")
    talk = await begin(agents, namespace, owner, state="INIT")
    for name in ("alice", owner.subject):
        subject = agents.subject(name)
        await agents.bind("developer", subject, namespace)
        for method, rest in (("GET", "/messages"), ("GET", "/messages/count")):
            answer = await talk.send(method, rest, subject)
            assert answer.status_code == 403


@pytest.mark.parametrize("rest", ["/messages", "/messages/count", "/complete", "/events"])
async def test_other_methods_are_405(agents: Agents, rest: str) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send("PATCH", rest, json={})
    assert answer.status_code == 405
    assert answer.headers["allow"]
