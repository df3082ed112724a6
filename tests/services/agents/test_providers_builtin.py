"""The built-in provider: useful, without a model, and always the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agents.providers.models import Line, Passage, Question, Speaker
from services.agents.providers.rules import tools
from services.agents.providers.rules.builtin import Reply, Wanted, arguments_of, understood
from services.agents.providers.rules.todo import todo
from tests.services.agents.providers_support import many, question, weather


def reply(asked: Question) -> str:
    found = understood(asked, tools.read(asked.agent.tools)[0])
    assert isinstance(found, Reply)
    return found.text


def wanted(asked: Question) -> Wanted:
    found = understood(asked, tools.read(asked.agent.tools)[0])
    assert isinstance(found, Wanted)
    return found


def test_it_states_the_agent_and_quotes_the_last_message() -> None:
    text = reply(question("How are you?"))
    assert "Ada" in text
    assert '"How are you?"' in text


def test_it_answers_from_instructions_passages_and_history() -> None:
    asked = question(
        "When do we deploy the gateway?",
        instructions="Be calm. Deploy the gateway on Tuesdays only. Never shout.",
        passages=[
            Passage("teams", "Lunch", "Soup is served at noon."),
            Passage("learnings", "Rolling out", "Tests first. A gateway deploy takes an hour."),
        ],
        history=[
            Line("USER", "bob", "I broke the gateway yesterday. Sorry."),
            Line("AGENT", "Ada", "The gateway is fine."),
        ],
        starting_prompt="We plan releases here.",
    )
    text = reply(asked)
    assert '- "Deploy the gateway on Tuesdays only."' in text
    assert 'Rolling out (learnings): "A gateway deploy takes an hour."' in text
    assert 'Earlier in this session: "I broke the gateway yesterday."' in text
    assert "Soup" not in text
    assert "shout" not in text


def test_the_first_answer_says_where_the_session_began() -> None:
    assert "We plan releases." in reply(question(starting_prompt="We plan releases. Now."))


def test_a_mention_may_stand_before_a_command() -> None:
    assert "/todo" in reply(question("@Ada /help"))
    assert reply(question("/HELP")) == reply(question("  /help  "))


def test_an_unknown_command_is_said_to_be_so_and_a_path_is_none() -> None:
    assert "/help" in reply(question("/nonsense"))
    assert '"/etc/passwd is what?"' in reply(question("/etc/passwd is what?"))


def test_a_search_looks_through_passages_only() -> None:
    passages = [
        Passage("learnings", f"Title {n}", f"About ships. Word{n} sails.") for n in range(9)
    ]
    text = reply(question("/search word3 sails", passages=passages))
    assert text.splitlines()[0] == '- Title 3 (learnings): "Word3 sails."'
    assert len(text.splitlines()) == 5
    assert reply(question("/search nothing", passages=passages)) == "Nothing was found."
    assert "Use" in reply(question("/search"))


def test_tools_are_listed_and_called_by_name() -> None:
    listed = [weather("http://tool.example"), {"type": "http", "name": "now", "url": "http://t.x/"}]
    assert reply(question("/tools", tools=listed)) == (
        "/weather <city> <days>: Tells the weather of a city.\n/now"
    )
    assert reply(question("/tools")) == "This agent has no tools."
    found = wanted(question("/Weather New York", tools=listed))
    assert (found.tool.name, found.words) == ("weather", "New York")
    assert arguments_of(found.tool, found.words) == {"city": "New York"}
    assert arguments_of(found.tool, '{"days": 3}') == '{"days": 3}'
    assert arguments_of(wanted(question("/now", tools=listed)).tool, "") == ""


def test_a_phrase_calls_a_tool() -> None:
    tool = weather("http://tool.example", triggers=["weather in", 5, "  "])
    found = wanted(question("What is the WEATHER  in Rome?", tools=[tool]))
    assert (found.tool.name, found.words) == ("weather", "Rome")
    assert "You said" in reply(question("weathering in Rome", tools=[tool]))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "5", 5),
        ("integer", "five", "five"),
        ("number", "-1.5", -1.5),
        ("boolean", "True", True),
        ("string", "5", "5"),
        (["x"], "5", "5"),
    ],
)
def test_words_become_what_the_tool_wants(kind: Any, text: str, value: Any) -> None:
    parameters = {"type": "object", "properties": {"n": {"type": kind}}}
    (tool,), _ = tools.read(
        [{"type": "http", "name": "t", "url": "http://t/", "parameters": parameters}]
    )
    assert arguments_of(tool, text) == {"n": value}


def test_a_list_is_kept() -> None:
    memory: Any = {"other": 1}
    for words in ("add buy  milk", "add sing", "done 1", "update #2 sing loudly"):
        _, memory = todo(words, memory)
    assert todo("list", memory)[0] == "1. [x] buy milk\n2. [ ] sing loudly"
    assert memory["other"] == 1
    for words in ("done 3", "done 0", "done", "update 1", "add", "fly", "done x", "done 999999"):
        text, after = todo(words, memory)
        assert text
        assert after is memory


def test_a_list_has_an_end() -> None:
    memory: Any = {}
    for number in range(101):
        text, memory = todo(f"add {number} {'x' * 1000}", memory)
    assert "full" in text
    assert len(memory["todo"]) == 100
    assert all(len(item["text"]) <= 500 for item in memory["todo"])


LINES = st.builds(
    Line, st.sampled_from(["USER", "AGENT", "SYSTEM"]), st.text(max_size=10), st.text(max_size=100)
)
PASSAGES = st.builds(Passage, st.text(max_size=10), st.text(max_size=30), st.text(max_size=300))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["todo", "text", "done", "x"]), inner, max_size=4)
    ),
    max_leaves=10,
)
MESSAGES = st.text(min_size=1, max_size=300) | st.builds(
    "/{} {}".format,
    st.sampled_from(["help", "todo add", "todo done", "todo update", "search", "tools", "x"]),
    st.text(max_size=50),
)
QUESTIONS = st.builds(
    Question,
    st.text(max_size=10),
    st.builds(Speaker, st.text(max_size=20), st.text(max_size=300), st.just("builtin")),
    st.text(max_size=100),
    st.lists(LINES, max_size=6),
    MESSAGES,
    st.lists(PASSAGES, max_size=4),
    st.dictionaries(st.sampled_from(["todo", "x"]), JSON, max_size=2),
)


@many
@given(QUESTIONS)
def test_the_same_question_has_the_same_answer(asked: Question) -> None:
    first, second = understood(asked, ()), understood(asked, ())
    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    assert first.text.strip()
    assert (first.text, first.memory) == (second.text, second.memory)
    assert len(first.text) < 100_000


@many
@given(st.text(alphabet=st.characters(exclude_characters="/@\x00"), min_size=1, max_size=500))
def test_a_message_that_is_no_command_is_quoted(message: str) -> None:
    assert f'You said: "{message.strip()}"' in reply(question(message))


@many
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "done", "update"]), st.integers(0, 6), st.text(max_size=9)
        ),
        max_size=30,
    )
)
def test_a_list_is_what_was_done_to_it(steps: list[tuple[str, int, str]]) -> None:
    memory: Any = {}
    model: list[tuple[str, bool]] = []
    for verb, number, text in steps:
        clean = " ".join(text.replace("\x00", "\ufffd").split())
        words = f"add {text}" if verb == "add" else f"{verb} {number} {text}"
        _, memory = todo(words, memory)
        if verb == "add" and clean:
            model.append((clean, False))
        elif 1 <= number <= len(model):
            before = model[number - 1]
            if verb == "done":
                model[number - 1] = (before[0], True)
            elif verb == "update" and clean:
                model[number - 1] = (clean, before[1])
    assert [(item["text"], item["done"]) for item in memory.get("todo", [])] == model
