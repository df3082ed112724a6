"""What the built-in provider makes of a message: a command, a tool to call, or an answer.

It asks no model: the same question has the same answer, made of what the question holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.agents.providers.models import Passage, Question
from services.agents.providers.rules import relevance
from services.agents.providers.rules.texts import shortened
from services.agents.providers.rules.todo import todo
from services.agents.providers.rules.tools import Tool

LONGEST_QUOTE: Final = 2_000
"""Characters of the message that are quoted."""

LONGEST_TRIGGERED: Final = 2_000
"""Characters of it in which tools' phrases are looked for."""

MOST_INSTRUCTIONS: Final = 2
MOST_PASSAGES: Final = 3
MOST_FOUND: Final = 5
MOST_LOOKED_AT: Final = 20
"""Passages and lines of history that are looked through."""

LONGEST_TITLE: Final = 200

_MENTION: Final = re.compile(r"\s*@[a-zA-Z0-9_.-]{1,255}[:,]?\s+")
_COMMAND: Final = re.compile(r"\s*/([A-Za-z0-9_-]{1,64})(?:\s+(.*))?", re.DOTALL)

_HELP: Final = """\
/help shows this.
/todo add <text>, /todo list, /todo done <number>, /todo update <number> <text> keep a list.
/search <words> looks through what the agent's knowledge bases have on them.
/tools shows the agent's tools; /<tool> <words or JSON> calls one.
Anything else is answered from the agent's instructions, its knowledge bases and this session."""


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An answer, and the memory afterwards."""

    text: str
    memory: Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Wanted:
    """A tool that the message asks for, and what it says to it: words, or a JSON object."""

    tool: Tool
    words: str


def understood(question: Question, tools: Sequence[Tool]) -> Reply | Wanted:
    """Decide what a message is about."""
    message = question.message
    mention = _MENTION.match(message)
    if mention is not None:
        message = message[mention.end() :]
    command = _COMMAND.fullmatch(message)
    if command is not None:
        return _commanded(command[1], (command[2] or "").strip(), question, tools)
    for tool in tools:
        for trigger in tool.triggers:
            found = _trigger(trigger).search(message, 0, LONGEST_TRIGGERED)
            if found is not None:
                return Wanted(tool, message[found.end() :].strip(" \t\r\n:,?!."))
    return Reply(_composed(question, message), question.memory)


def after_call(question: Question, tool: Tool, text: str) -> str:
    """Give the answer after a tool was called."""
    return f"This is {question.agent.name}. The tool {tool.name} answered:\n{text}"


def arguments_of(tool: Tool, text: str) -> str | Mapping[str, Any]:
    """Give a tool's arguments: JSON as it stands, words as the first argument that is required."""
    if text.startswith("{") or not text:
        return text
    names = tool.accepted if tool.accepted is not None else ("input",)
    name = next((each for each in names if each in tool.required), next(iter(names), None))
    return {} if name is None else {name: _typed(tool, name, text)}


def _typed(tool: Tool, name: str, text: str) -> Any:
    schema = tool.parameters["properties"].get(name)
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind in ("integer", "number") and re.fullmatch(r"-?[0-9]{1,15}", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", text):
        return float(text)
    if kind == "boolean" and text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    return text


def _trigger(phrase: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _commanded(name: str, rest: str, question: Question, tools: Sequence[Tool]) -> Reply | Wanted:
    text, memory = "", question.memory
    match name.casefold():
        case "help":
            text = f"This is {question.agent.name}, answering without a model.\n{_HELP}"
        case "todo":
            text, memory = todo(rest, question.memory)
        case "tools":
            text = _tools(tools)
        case "search":
            text = _search(rest, question.passages)
        case _:
            for tool in tools:
                if tool.name.casefold() == name.casefold():
                    return Wanted(tool, rest)
            text = f"This is {question.agent.name}. I know no /{name}; /help shows what I know."
    return Reply(text, memory)


def _tools(tools: Sequence[Tool]) -> str:
    if not tools:
        return "This agent has no tools."
    return "\n".join(
        f"/{tool.name} {' '.join(f'<{name}>' for name in tool.accepted or ())}".rstrip()
        + (f": {shortened(tool.description, LONGEST_TITLE)}" if tool.description else "")
        for tool in tools
    )


def _search(words: str, passages: Sequence[Passage]) -> str:
    wanted = relevance.words(words)
    if not wanted:
        return "Use /search <words>."
    found = _passages(passages, wanted, MOST_FOUND)
    return "\n".join(found) if found else "Nothing was found."


def _passages(passages: Sequence[Passage], wanted: frozenset[str], most: int) -> list[str]:
    """Quote the best sentence of each of the best passages."""
    scored = [
        (relevance.overlap(f"{passage.title}\n{passage.text}", wanted), passage)
        for passage in passages[:MOST_LOOKED_AT]
    ]
    ranked = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    return [f"- {_passage(passage, wanted)}" for _, passage in ranked[:most]]


def _passage(passage: Passage, wanted: frozenset[str]) -> str:
    told = relevance.sentences(passage.text)
    quoted = relevance.best(told, wanted, 1) or told[:1]
    title = " ".join(shortened(passage.title, LONGEST_TITLE).split())
    source = " ".join(shortened(passage.source, LONGEST_TITLE).split())
    head = f"{title} ({source})" if title else source
    return f'{head}: "{quoted[0]}"' if quoted else head


def _composed(question: Question, message: str) -> str:
    wanted = relevance.words(message)
    agent = question.agent
    parts = [
        f"This is {agent.name}, answering without a model.",
        f'You said: "{shortened(message.strip(), LONGEST_QUOTE)}"',
    ]
    rules = relevance.best(relevance.sentences(agent.instructions), wanted, MOST_INSTRUCTIONS)
    if rules:
        parts.append("My instructions on this:\n" + "\n".join(f'- "{rule}"' for rule in rules))
    found = _passages(question.passages, wanted, MOST_PASSAGES)
    if found:
        parts.append("I found:\n" + "\n".join(found))
    parts += _earlier(question, wanted)
    if len(parts) == 2:
        parts.append("I have nothing else on this; /help shows what I can do.")
    return "\n\n".join(parts)


def _earlier(question: Question, wanted: frozenset[str]) -> list[str]:
    """Quote what was said before on the same: in the session, and where it began."""
    parts = []
    lines = question.history[-MOST_LOOKED_AT:]
    said = [line.content for line in lines if line.role == "USER"]
    best = relevance.best((each for text in said for each in relevance.sentences(text)), wanted, 1)
    if best:
        parts.append(f'Earlier in this session: "{best[0]}"')
    prompt = relevance.sentences(question.starting_prompt)
    quoted = relevance.best(prompt, wanted, 1) or (prompt[:1] if not lines else [])
    if quoted:
        parts.append(f'This session began with: "{quoted[0]}"')
    return parts
