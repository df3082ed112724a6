from __future__ import annotations

import io
import json

import pytest

from guildhall.log_lines import LogLines, Screen


def written(*lines: str, terminal: bool) -> str:
    file = io.StringIO()
    console = Screen(file=file, force_terminal=terminal, color_system=None, width=40)
    output = LogLines(console)
    for line in lines:
        output.write("auth", line)
    return file.getvalue()


def test_a_file_gets_the_lines_as_they_are() -> None:
    line = json.dumps({"event": "it [happened]", "level": "info", "n": 1, "long": "x" * 80})
    assert written(line, terminal=False) == f"auth      | {line}\n"


def test_a_terminal_gets_them_readable() -> None:
    line = json.dumps(
        {"event": "refused", "level": "warning", "timestamp": "t", "process": "auth", "path": "/v1"}
    )
    assert written(line, terminal=True) == "auth      | refused  path=/v1\n"


def test_an_exception_keeps_its_lines() -> None:
    line = json.dumps({"event": "failed", "level": "error", "exception": "Traceback\n  line"})
    assert written(line, terminal=True) == "auth      | failed\nTraceback\n  line\n"


@pytest.mark.parametrize("line", ["plain", "[1, 2]", '{"no": "event"}', "{broken", "[/not markup]"])
def test_what_is_no_event_stays_as_it_is(line: str) -> None:
    assert written(line, terminal=True) == f"auth      | {line}\n"


def test_only_the_last_lines_are_remembered() -> None:
    output = LogLines(Screen(file=io.StringIO()))
    for number in range(50):
        output.write("auth", str(number))
    assert output.recent["auth"] == [str(number) for number in range(30, 50)]


def test_a_reader_that_has_gone_does_not_matter() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    LogLines(Screen(file=Gone())).write("auth", "line")
