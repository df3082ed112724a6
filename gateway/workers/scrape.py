"""Metrics of all workers as one: each worker's, with the label ``worker``, beside the parent's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import generate_latest

from gateway.pipeline.metrics import Watched
from gateway.workers.parent import Parent

PATIENCE: Final = 2.0
"""Seconds that a worker has to give its metrics; one that is late is left out and shown as down."""

LABEL: Final = "worker"
PARENT: Final = "parent"


def text(parent: Parent) -> Callable[[], bytes]:
    """Make what gives the metrics of all; call this on the loop, and the result in a thread."""
    loop = asyncio.get_running_loop()

    def write() -> bytes:
        texts = asyncio.run_coroutine_threadsafe(_ask(parent), loop).result(PATIENCE + 1)
        up = {(str(number),): float(number in texts) for number in range(parent.size)}
        own = (
            Watched("worker_up", "Whether a worker answers", lambda: up, (LABEL,)),
            Watched("worker_deaths", "Ends nobody asked for", lambda: parent.deaths, (), "counter"),
        )
        named = {str(number): found for number, found in sorted(texts.items())}
        named[PARENT] = generate_latest().decode()
        return "".join(line for one in own for line in one.lines()).encode() + joined(named)

    return write


async def _ask(parent: Parent) -> dict[int, str]:
    workers = parent.workers
    found = await asyncio.gather(*(worker.metrics(PATIENCE) for worker in workers.values()))
    pairs = zip(workers, found, strict=True)
    return {number: answer.decode() for number, answer in pairs if answer is not None}


def joined(texts: Mapping[str, str]) -> bytes:
    """Join Prometheus' texts, each sample with the name of its worker as a label.

    Args:
        texts: by the worker's name; as our own exposition and Prometheus' library write them, a
            sample a line, each family behind its head.
    """
    families: dict[str, list[str]] = {}
    lines: list[str] = []
    for worker, written in texts.items():
        label = f'{LABEL}="{worker}"'
        head = ""
        for line in written.splitlines():
            if line.startswith("# HELP"):
                head = line
            elif line.startswith("#"):
                lines = families.setdefault(f"{head}\n{line}", [])
            else:
                name, brace, rest = line.partition("{")
                if brace:
                    lines.append(f"{name}{{{label},{rest}")
                else:
                    name, _, value = line.partition(" ")
                    lines.append(f"{name}{{{label}}} {value}")
    pieces = (line for head, lines in families.items() for line in (head, *lines))
    return ("\n".join(pieces) + "\n").encode()
