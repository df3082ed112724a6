"""The line between a worker and its parent: a socket pair that the worker inherits.

The parent says single letters, a request for metrics with its number. The worker answers in frames:
letter, number, length, content. When the line ends, the parent is dead, however it died: the worker
then drains and ends, and is made to if it does not. Read by a thread, so that metrics are written
outside the event loop and a loop that hangs does not outlive its parent.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final

STOP: Final = b"S"
"""To a worker: nobody comes after you. Accept who waits, drain, end."""

REPLACED: Final = b"R"
"""To a worker: another accepts in your place. Drain, end."""

MEASURE: Final = b"M"
"""To a worker, followed by a number: give your metrics."""

READY: Final = b"r"
"""From a worker: it accepts."""

LEAVING: Final = b"l"
"""From a worker: it was told to end, and accepts until it is replaced."""

MEASURED: Final = b"m"
"""From a worker: the metrics asked for."""

NUMBER: Final = struct.Struct("!I")
FRAME: Final = struct.Struct("!cII")

GRACE: Final = 15.0
"""Seconds that requests under way get when a process is told to stop."""

ORPHAN_GRACE: Final = 18.0
"""Seconds that a worker without a parent gets: a little more than it takes to drain."""


class Link:
    """A worker's end of the line.

    Args:
        line: the inherited socket.
        measure: gives the worker's metrics; called in a thread.
        on_word: told STOP or REPLACED; called in a thread.
    """

    def __init__(
        self, line: socket.socket, measure: Callable[[], bytes], on_word: Callable[[bytes], None]
    ) -> None:
        line.setblocking(True)
        self._line = line
        self._measure = measure
        self._on_word = on_word
        self._sending = threading.Lock()

    def open(self) -> None:
        """Listen to the parent from now on."""
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def say(self, letter: bytes, number: int = 0, content: bytes = b"") -> None:
        """Tell the parent; one that is gone is not told."""
        frame = FRAME.pack(letter, number, len(content)) + content
        try:
            with self._sending:
                self._line.sendall(frame)
        except OSError:
            pass  # the listening thread hears of it and ends us

    def _listen(self) -> None:
        while word := self._receive(1):
            if word != MEASURE:
                self._on_word(word)
            elif number := self._receive(NUMBER.size):
                self.say(MEASURED, NUMBER.unpack(number)[0], self._measure())
        self._on_word(STOP)
        time.sleep(ORPHAN_GRACE)  # this is a thread of its own
        os._exit(1)

    def _receive(self, size: int) -> bytes:
        try:
            return self._line.recv(size, socket.MSG_WAITALL)
        except OSError:
            return b""
