"""Stands for the process of an errand: speaks its lines, and does what the order's ``do`` names.

``echo`` tells what is said to it until that is ``stop``; ``hold`` waits until it is cancelled, a
process of its own beside it; every other word is what it ends as.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from typing import Any


class Errand:
    """What it knows."""

    def __init__(self) -> None:
        self.buffer = b""
        self.first: dict[str, Any] = {}
        self.deadline = float("inf")
        self.wishes: list[dict[str, Any]] = []
        self.is_cancelled = False

    def say(self, **line: Any) -> None:
        os.write(1, (json.dumps(line) + "\n").encode())

    def hear(self, seconds: float) -> None:
        if select.select([0], [], [], seconds)[0]:
            piece = os.read(0, 65536)
            if not piece:
                os.killpg(0, 9)
            self.buffer += piece
            *lines, self.buffer = self.buffer.split(b"\n")
            for line in map(json.loads, lines):
                self.take(line)
        if time.monotonic() > self.deadline:
            os.killpg(0, 9)

    def take(self, line: dict[str, Any]) -> None:
        if line["say"] == "errand":
            self.first, self.deadline = line, line["leash"]
        elif line["say"] == "leash":
            self.deadline = line["until"]
        elif line["say"] == "cancel":
            self.is_cancelled = True
        elif line["say"] == "wish":
            self.wishes.append(line["content"])

    def end(self, **outcome: Any) -> None:
        self.say(say="outcome", **outcome)
        sys.exit(0)

    def wait(self) -> None:
        self.hear(0.02)
        self.say(say="alive")
        if self.is_cancelled:
            self.end(reason="The browser was stopped.", code="cancelled")

    def do(self, word: str) -> None:
        order = self.first["order"]
        if word == "echo":
            number = 0
            while True:
                self.wait()
                number += 1
                self.say(say="told", slot="picture", content={"n": number})
                for wish in self.wishes:
                    if wish.get("text") == "stop":
                        self.end(result={"heard": number})
                    self.say(say="told", slot="", content=wish)
                self.wishes = []
        if word == "hold":
            sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
            subprocess.Popen(sleep, start_new_session=True, stdin=subprocess.DEVNULL)
            while True:
                self.wait()
        if word == "crash":
            os.write(2, f"it was {order['password']}\n".encode())
            os._exit(3)
        if word == "fail":
            self.end(reason="It may not be reached.", code="url_not_allowed")
        self.end(result={"did": word, "length": len(order.get("password", ""))})


def main() -> None:
    errand = Errand()
    while not errand.first:
        errand.hear(1)
    errand.say(say="alive")
    errand.do(errand.first["order"]["do"])


if __name__ == "__main__":
    main()
