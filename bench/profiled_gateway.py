"""The gateway with a sampler inside: ``python -m bench.profiled_gateway FILE``.

The first SIGUSR2 starts the sampling, the second ends it and writes the file: one line for each
stack that was seen, innermost function last, and how often. Samples are taken each millisecond of
processor time, at the next line of Python: what C code burns is told of the function that runs
after it, so a kernel's share belongs to whoever follows the write.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

from gateway.__main__ import main

INTERVAL: Final = 0.001
DEPTH: Final = 30

_Stack = tuple[CodeType, ...]


class Sampler:
    """Counts the stacks that run.

    Args:
        file: written when the sampling ends.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: Counter[_Stack] = Counter()
        self._is_on = False

    def switch(self, number: int, frame: FrameType | None) -> None:
        """Start, or end and write."""
        self._is_on = not self._is_on
        interval = INTERVAL if self._is_on else 0.0
        signal.setitimer(signal.ITIMER_PROF, interval, interval)
        if not self._is_on:
            lines = [f"{count} {_name(stack)}" for stack, count in self._seen.most_common()]
            part = self._file.with_suffix(".part")
            part.write_text("\n".join(lines) + "\n")
            part.rename(self._file)
            self._seen.clear()

    def sample(self, number: int, frame: FrameType | None) -> None:
        """Count the stack that runs."""
        stack: list[CodeType] = []
        while frame is not None and len(stack) < DEPTH:
            stack.append(frame.f_code)
            frame = frame.f_back
        self._seen[tuple(reversed(stack))] += 1


def _name(stack: _Stack) -> str:
    return ";".join(f"{Path(code.co_filename).stem}.{code.co_qualname}" for code in stack)


if __name__ == "__main__":
    sampler = Sampler(Path(sys.argv[1]))
    signal.signal(signal.SIGPROF, sampler.sample)
    signal.signal(signal.SIGUSR2, sampler.switch)
    del sys.argv[1:]
    main()
