"""Reading the end of a log file on the worker's machine."""

from __future__ import annotations

import os
import stat
from typing import Final

from services.runs.causes import rules
from services.runs.causes.models import LogFile, LogLine, NoLines, Question

END: Final = 8 * 1_048_576
"""Bytes of the file's end that are looked through."""


def lines_of(backend: LogFile, questions: tuple[Question, ...]) -> list[list[LogLine]]:
    """Give, for each question, the lines with its id, oldest first. Blocks; call it in a thread.

    Args:
        backend: the file; what was rotated away is not looked for.
        questions: put all at once, because the file is read once.

    Raises:
        NoLines: the file cannot be read.
    """
    try:
        text = _end_of(backend.path).decode(errors="replace")
    except OSError as error:
        why = error.strerror or "no regular file"
        raise NoLines(f"LOG_FILE cannot be read: {why}.") from None
    found: list[list[LogLine]] = [[] for _ in questions]
    for joined in rules.joined(text.splitlines()):
        for number, question in enumerate(questions):
            if question.trace_id in joined:
                found[number].append(rules.read_line(joined))
    return [each[-question.limit :] for each, question in zip(found, questions, strict=True)]


def _end_of(path: str) -> bytes:
    """Read the end of a file; never waits for whoever writes into a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError
        file.seek(max(0, status.st_size - END))
        return file.read(END)
