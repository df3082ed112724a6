"""Writing the children's log lines: as they are into a file, readable into a terminal."""

from __future__ import annotations

import json
from typing import Final

from rich.console import Console
from rich.text import Text

_COLOURS: Final = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green")
_LEVELS: Final = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}
_OWN_FIELDS: Final = frozenset({"event", "level", "timestamp", "process", "exception"})
_WIDTH: Final = 9


class Screen(Console):
    """A console that falls silent when its reader goes, where rich would end the program."""

    def on_broken_pipe(self) -> None:
        """Go on without writing."""
        self.quiet = True


class LogLines:
    """Prints lines with the name of the process in front, each process in its own colour.

    ``recent`` keeps the last lines of each process, for telling why it would not start.
    """

    def __init__(self, console: Screen) -> None:
        self._console = console
        self._names: list[str] = []
        self.recent: dict[str, list[str]] = {}

    def write(self, name: str, line: str) -> None:
        """Print one line of a process."""
        recent = self.recent.setdefault(name, [])
        recent.append(line)
        del recent[:-20]
        if name not in self._names:
            self._names.append(name)
        text = Text(f"{name:<{_WIDTH}} ", style=_COLOURS[self._names.index(name) % len(_COLOURS)])
        text.append("| ", style="dim")
        text.append_text(_readable(line) if self._console.is_terminal else Text(line))
        self._print(text)

    def say(self, message: str, style: str = "") -> None:
        """Print a line of our own."""
        self._print(Text(message, style=style))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)


def _readable(line: str) -> Text:
    try:
        fields = json.loads(line)
    except ValueError:
        return Text.from_ansi(line)
    if not isinstance(fields, dict) or "event" not in fields:
        return Text(line)
    level = str(fields.get("level", "info"))
    text = Text(f"{fields['event']}", style=_LEVELS.get(level, ""))
    for key, value in fields.items():
        if key not in _OWN_FIELDS:
            text.append(f"  {key}=", style="dim")
            text.append(value if isinstance(value, str) else json.dumps(value))
    if "exception" in fields:
        text.append(f"\n{fields['exception']}", style="dim")
    return text
