"""Putting questions to a log service, whatever it is called."""

from __future__ import annotations

from typing import Final

from services.runs.causes import rules
from services.runs.causes.models import NAMES, LogLine, NoLines, Question, Remote
from shared.fetch import NOT_ALLOWED, Exchanged, Fetcher, FetchFailed

SECONDS: Final = 10.0
"""For one request: resolving, connecting, and the whole answer."""

LARGEST: Final = 4 * 1_048_576
"""Bytes of an answer."""

REFUSED: Final = (401, 403)


async def lines_of(fetcher: Fetcher, backend: Remote, question: Question) -> list[LogLine]:
    """Give the lines with an id, oldest first.

    Args:
        fetcher: reaches only what may be reached.
        backend: whom to ask.
        question: for which id, and when.

    Raises:
        NoLines: they could not be had.
    """
    for wanted in rules.wanted(backend, question):
        try:
            answer = await fetcher.exchange(
                wanted.method,
                wanted.url,
                wanted.headers,
                wanted.body,
                seconds=SECONDS,
                most=LARGEST,
            )
        except FetchFailed as failed:
            raise NoLines(_failure(backend, failed.reason)) from None
        if problem := _problem(backend, answer):
            raise NoLines(problem)
        if found := rules.read(backend, answer.body):
            return found[-question.limit :]
    return []


def _failure(backend: Remote, reason: str) -> str:
    name = NAMES[type(backend)]
    if reason == NOT_ALLOWED:
        return (
            f"{name} stands at an address that may not be reached: see GUILDHALL_URL_ALLOW "
            "(or TRIPWIRE_URL_ALLOW)."
        )
    return f"{name} could not be asked: {reason}."


def _problem(backend: Remote, answer: Exchanged) -> str:
    name = NAMES[type(backend)]
    if answer.status in REFUSED:
        return f"{name} refuses the credentials ({answer.status})."
    if not 200 <= answer.status < 300:
        return f"{name} answered {answer.status}."
    return "" if answer.is_whole else f"{name} answered with too much."
