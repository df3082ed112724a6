"""Stands for the process of a run: speaks its lines, and behaves as the suite's text says.

What it does is written in the job's ``text``: a word and what it needs, behind ``# do:``, one a
line. ``hold PATH`` waits until there is the file PATH; at the end the run has passed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ALIVE = 0.1


class Run:
    """What it knows."""

    def __init__(self) -> None:
        self.buffer = b""
        self.job: dict[str, Any] = {}
        self.deadline = 0.0
        self.is_cancelled = False
        self.is_stubborn = False
        self.events = 0
        self.cases: dict[str, str] = {}
        self.errors: list[dict[str, Any]] = []

    def say(self, **line: Any) -> None:
        os.write(1, (json.dumps(line) + "\n").encode())

    def event(self, kind: str, **more: Any) -> None:
        self.events += 1
        self.say(say="event", event={"ts": "2026-03-02T10:00:00.000Z", "kind": kind, **more})

    def hear(self, seconds: float) -> list[dict[str, Any]]:
        """Read what the worker says meanwhile."""
        heard = []
        if select.select([0], [], [], seconds)[0]:
            piece = os.read(0, 65536)
            if not piece:
                os.killpg(0, 9)
            self.buffer += piece
            *lines, self.buffer = self.buffer.split(b"\n")
            heard = [json.loads(line) for line in lines]
        for line in heard:
            if line["say"] in ("job", "leash"):
                self.deadline = line["leash"] if line["say"] == "job" else line["until"]
            if line["say"] == "job":
                self.job = line
            if line["say"] == "cancel":
                self.is_cancelled = True
        if self.job and time.monotonic() > self.deadline:
            os.killpg(0, 9)
        return heard

    def report(self, status: str) -> dict[str, Any]:
        counted = {
            word: list(self.cases.values()).count(word)
            for word in ("passed", "failed", "broken", "skipped")
        }
        return {
            "run_id": self.job["run_id"],
            "suite": "Stand-in",
            "suite_id": "stand-in",
            "file": self.job["file"],
            "status": status,
            "started_at": "2026-03-02T10:00:00.000Z",
            "finished_at": None if status == "running" else "2026-03-02T10:00:09.000Z",
            "duration_ms": 9000,
            "summary": {"total": len(self.cases), **counted, "flaky": 0, "healed": 0},
            "env": {"base_url": "http://127.0.0.1", "browser": "chromium", "headed": False},
            "cases": [
                {
                    "id": case,
                    "title": case,
                    "tags": [],
                    "verdict": verdict,
                    "flaky": False,
                    "attempt": 1,
                    "reason": None,
                    "duration_ms": 5,
                    "steps": [],
                    "assertions": [
                        {"id": "a1", "assert": "It works", "verdict": verdict, "source": "rule"}
                    ],
                    "captures": {},
                    "shots": [],
                    "network_errors": self.errors,
                    "console_errors": [],
                    "heals": [],
                }
                for case, verdict in self.cases.items()
            ],
            "issues_filed": [],
        }

    def end(self, status: str) -> None:
        self.say(say="end", status=status, report=self.report(status), reason="")
        sys.exit(0)

    def hold(self, path: str) -> None:
        spoke = 0.0
        while not Path(path).exists():
            self.hear(0.02)
            if self.is_cancelled and not self.is_stubborn:
                self.end("cancelled")
            if time.monotonic() > spoke + ALIVE:
                self.say(say="alive")
                spoke = time.monotonic()

    def act(self, word: str, *rest: str) -> None:
        """Do what a word says."""
        getattr(self, f"do_{word}")(*rest)

    @property
    def scratch(self) -> Path:
        return Path(self.job["scratch"])

    def do_event(self, count: str) -> None:
        for _ in range(int(count)):
            self.event("action", tool="click_element", ok=True)

    def do_case(self, case: str, verdict: str) -> None:
        self.cases[case] = verdict
        self.event("case_end", case_id=case, verdict=verdict)

    def do_report(self) -> None:
        self.say(say="report", report=self.report("running"))

    def do_hold(self, path: str) -> None:
        self.hold(path)

    def do_secrets(self, *values: str) -> None:
        self.say(say="secrets", values=values)

    def do_request(self, status: str) -> None:
        url = "http://127.0.0.1/api/orders"
        self.errors.append({"method": "POST", "url": url, "status": int(status)})

    def do_silent(self) -> None:
        while True:
            self.hear(1)

    def do_stubborn(self) -> None:
        self.is_stubborn = True

    def do_family(self) -> None:
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        inner = f"import subprocess, time; subprocess.Popen({sleep!r}); time.sleep(600)"
        subprocess.Popen(
            [sys.executable, "-c", inner], start_new_session=True, stdin=subprocess.DEVNULL
        )

    def do_store(self, path: str, source: str) -> None:
        if not (self.scratch / source).exists() and ".." not in source:
            (self.scratch / source).parent.mkdir(parents=True, exist_ok=True)
            (self.scratch / source).write_text("stored")
        self.say(say="file", path=path, source=source)

    def do_link(self, name: str, target: str) -> None:
        (self.scratch / name).symlink_to(target)

    def do_garble(self) -> None:
        os.write(1, b"{this is no line}\n")

    def do_flood(self) -> None:
        os.write(1, b"x" * (9 * 1024 * 1024))

    def do_crash(self) -> None:
        os._exit(3)

    def do_complain(self, *words: str) -> None:
        os.write(2, " ".join(words).encode() + b"\n")

    def do_ask(self) -> None:
        self.ask("judge", {"claim": "it works"})

    def do_compare(self, name: str, content: str) -> None:
        (self.scratch / "seen.png").write_bytes(base64.b64decode(content))
        self.ask("screenshot", {"name": name, "source": "seen.png", "tol": None})

    def ask(self, kind: str, question: dict[str, Any]) -> None:
        self.say(say="ask", id=1, kind=kind, question=question)
        while not (answers := [line for line in self.hear(1) if line["say"] == "answer"]):
            self.say(say="alive")
        self.event("log", message=answers[0]["error"] or str(answers[0]["answer"]))

    def do_keep(self) -> None:
        target = {"role": "button", "name": "Go"}
        spot = {"case_id": "a", "step_id": "s1", "part": 0, "template": "Click Go", "path": "/"}
        heal = {"before": target, "after": {**target, "name": "Start"}, "score": 90.0}
        self.say(
            say="kept",
            case_id="a",
            entries=[{**spot, "target": target, "action": {}}],
            heals=[{**spot, **heal, "confidence": 0.9}],
        )

    def do_tell(self) -> None:
        self.event("log", message=json.dumps(self.job))

    def do_environment(self) -> None:
        self.event("log", message=json.dumps(dict(os.environ)))

    def do_end(self, status: str) -> None:
        self.end(status)


def main() -> None:
    run = Run()
    while not run.job:
        run.hear(1)
    run.say(say="alive")
    run.event("run_start")
    for line in run.job["text"].splitlines():
        if line.startswith("# do: "):
            run.act(*line.removeprefix("# do: ").split())
    run.end("passed")


if __name__ == "__main__":
    main()
