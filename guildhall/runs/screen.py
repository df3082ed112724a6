"""What people see of runs: as they go on, and in the end.

On a terminal the step under way stands in a line that changes; in the log of a CI job there are
plain lines only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.status import Status
from rich.text import Text

from guildhall.log_lines import Screen as Terminal
from guildhall.runs.models import Outcome, SuiteFile
from guildhall.runs.totals import Totals, output_line, totals_of
from guildhall.runs.words import LONGEST, plain, seconds
from services.runs.engine.evidence import Masker, read

_STYLES: Final = {
    "passed": "green",
    "failed": "bold red",
    "broken": "bold magenta",
    "skipped": "yellow",
}
_WIDTH: Final = 8
_OTHER: Final = "yellow"


class Screen:
    """Shows runs.

    Args:
        terminal: where.
        masker: knows the secrets of the caller, which are shown nowhere.
        has_steps: whether each step gets a line.
        has_names: whether lines say whose they are, because several suites run at once.
    """

    def __init__(
        self,
        terminal: Terminal,
        masker: Masker,
        *,
        has_steps: bool = False,
        has_names: bool = False,
    ) -> None:
        self._terminal = terminal
        self._masker = masker
        self._has_steps = has_steps
        self._has_names = has_names
        self._status: Status | None = None
        self._titles: dict[tuple[str, str], str] = {}
        self._steps: dict[tuple[str, str, str], str] = {}

    @contextmanager
    def working(self) -> Iterator[None]:
        """Show that something goes on, until the context is left."""
        if not self._terminal.is_terminal:
            yield
            return
        with self._terminal.status("") as self._status:
            try:
                yield
            finally:
                self._status = None

    def say(self, text: str, style: str = "", *, most: int = LONGEST) -> None:
        """Show one line of at most so many characters."""
        self._line(Text(self._plain(text, most), style=style))

    def event(self, suite: SuiteFile, event: Mapping[str, Any]) -> None:
        """Show what happens in the run of a suite."""
        case_id = str(event.get("case_id") or "")
        case = (suite.folder or suite.file, case_id)
        match event.get("kind"):
            case "run_start":
                self.say(f"{suite.suite.name} ({suite.file}): {_count(event)}", "bold")
            case "case_start":
                self._titles[case] = str(event.get("title") or case_id)
                self._doing(suite, self._titles[case])
            case "step_start":
                self._steps[*case, str(event.get("step_id"))] = str(event.get("do") or "")
                self._doing(suite, str(event.get("do") or ""))
            case "step_end" if self._has_steps:
                do = self._steps.pop((*case, str(event.get("step_id"))), "")
                self._step(self._named(suite, do), event)
            case "case_end":
                self._case(self._named(suite, self._titles.pop(case, case_id)), event)
            case "healed":
                self._note("healed", f"{_named(event, 'before')} is now {_named(event, 'after')}")
            case "log" | "error" if event.get("message"):
                self._note(str(event["kind"]), str(event["message"]))
            case _:
                pass  # kinds of later days

    def _named(self, suite: SuiteFile, text: str) -> str:
        return f"{suite.suite.name}: {text}" if self._has_names else text

    def _doing(self, suite: SuiteFile, text: str) -> None:
        if self._status is not None:
            self._status.update(Text(self._plain(f"{suite.suite.name}: {text}", 120)))

    def _step(self, do: str, event: Mapping[str, Any]) -> None:
        status = str(event.get("status") or "")
        text = Text("    ")
        text.append("ok  " if status == "passed" else f"{status}  ", _STYLES.get(status, _OTHER))
        text.append(self._plain(do))
        if error := event.get("error"):
            text.append(f" - {self._plain(str(error))}")
        self._line(text)

    def _case(self, title: str, event: Mapping[str, Any]) -> None:
        verdict = self._plain(str(event.get("verdict") or ""), _WIDTH)
        text = Text("  ")
        text.append(f"{verdict:<{_WIDTH}}", _STYLES.get(verdict, _OTHER))
        text.append(f" {self._plain(title)} ({seconds(_number(event, 'duration_ms'))})")
        if event.get("flaky"):
            text.append(" flaky", _OTHER)
        self._line(text)

    def _note(self, kind: str, message: str) -> None:
        self._line(Text(f"  {kind}: {self._plain(message)}", style="dim"))

    def summary(self, outcome: Outcome) -> None:
        """Show how a suite went, with a line for each case that did not pass."""
        totals, suite = totals_of(outcome), outcome.suite
        text = Text()
        text.append(self._plain(outcome.status, 20).upper(), _STYLES.get(outcome.status, _OTHER))
        text.append(f" {self._plain(suite.suite.name)} ({self._plain(suite.file)}): {totals}")
        try:
            report = read(outcome.report)
        except ValueError:
            self._line(text)
            return
        text.append(f" in {seconds(report.duration_ms)}")
        self._line(text)
        if outcome.reason:
            self._line(Text(f"  {self._plain(outcome.reason)}"))
        for case in report.cases:
            if case.verdict == "passed":
                continue
            verdict = case.verdict or "broken"
            line = Text("  ")
            line.append(f"{self._plain(verdict, _WIDTH):<{_WIDTH}}", _STYLES.get(verdict, _OTHER))
            reason = f": {self._plain(case.reason)}" if case.reason else ""
            line.append(f" {self._plain(case.id, 100)} - {self._plain(case.title)}{reason}")
            if case.issue is not None:
                line.append(f" [{self._plain(case.issue.id, 100)}]")
            self._line(line)
            if case.root_cause is not None:
                cause = self._plain(case.root_cause.suspected_cause)
                self._line(Text(f"{'':<{_WIDTH + 3}}{cause}", style="dim"))

    def end(self, totals: Totals, reports: Path) -> None:
        """Show the sum of everything, and where the reports are."""
        self._line(Text(f"TOTAL {totals}", style="bold"))
        self._line(Text(f"Reports: {self._plain(str(reports), 1000)}"))
        self._line(Text(output_line(totals)))

    def _plain(self, text: str, most: int = LONGEST) -> str:
        return plain(self._masker.mask(text), most)

    def _line(self, text: Text) -> None:
        self._terminal.print(text, soft_wrap=True, highlight=False)


def _count(event: Mapping[str, Any]) -> str:
    cases = event.get("cases")
    number = len(cases) if isinstance(cases, list) else 0
    return "1 case" if number == 1 else f"{number} cases"


def _number(event: Mapping[str, Any], name: str) -> int:
    value = event.get(name)
    return value if isinstance(value, int) else 0


def _named(event: Mapping[str, Any], name: str) -> str:
    place = event.get(name)
    return str(place.get("name") or "an element") if isinstance(place, Mapping) else "an element"
