"""Tells during a long run what failed, what is under way and how far it got.

The dots of a run that is cut off name nobody. With ``CI`` set, failures are named as they happen,
and once a while the tests that are under way, longest first.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import pytest

PERIOD: Final = 180.0
"""Seconds between two lines."""

MOST: Final = 8


class Progress:
    """A plugin of the process that hands tests out."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = time.monotonic()
        self._running: dict[str, float] = {}
        self._done = 0
        self._over = threading.Event()
        # A thread, because the loop of the tests says nothing while all of them hang.
        self._teller = threading.Thread(target=self._tell, name="progress", daemon=True)

    def pytest_sessionstart(self) -> None:
        """Begin to tell."""
        self._teller.start()

    def pytest_sessionfinish(self) -> None:
        """Tell no more."""
        self._over.set()
        self._teller.join()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note when a test began."""
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note that a test has ended."""
        self._running.pop(nodeid, None)
        self._done += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Name a failure at once."""
        if report.failed:
            self._write(f"FAILED {report.nodeid} ({report.when})")

    def _tell(self) -> None:
        while not self._over.wait(PERIOD):
            now = time.monotonic()
            longest = sorted(self._running.copy().items(), key=lambda each: each[1])[:MOST]
            under_way = ", ".join(f"{nodeid} for {now - since:.0f} s" for nodeid, since in longest)
            self._write(f"{(now - self._began) / 60:.0f} min: {self._done} done; now {under_way}")

    def _write(self, line: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)
