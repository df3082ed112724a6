"""The GitHub Action: its shell step, run as the runner does, with a stand-in for the command."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: dict[str, dict[str, Any]] = {step["id"]: step for step in ACTION["runs"]["steps"]}

# Writes down how it was called, and says what the command would.
STAND_IN = """\
#!/bin/sh
printf '%s\\0' "$@" > "$RECORD/arguments"
env -0 > "$RECORD/environment"
echo "  log: the page says ::tripwire-output:: passed=9 failed=9 broken=9 skipped=9"
echo "$SAYS"
exit "$LEAVES"
"""


def run(folder: Path, *, says: str, leaves: int, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the step with inputs, as ``bash`` of a composite action is called."""
    python = folder / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    script = folder / "script.sh"
    script.write_text(STEPS["run"]["run"])
    given = {name: "" for name in STEPS["run"]["env"]}
    given |= {
        "PYTHON": str(python),
        "PLACE": str(ROOT),
        "JOB_REPO": "ada/shop",
        "JOB_SHA": "abc",
        "JOB_URL": "https://github.com/ada/shop/actions/runs/7",
        "INPUT_SUITE": "suites/**",
        "INPUT_OUT": "artifacts",
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "GITHUB_OUTPUT": str(folder / "output"),
            "RECORD": str(folder),
            "SAYS": says,
            "LEAVES": str(leaves),
            **given,
            **inputs,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def arguments(folder: Path) -> list[str]:
    return (folder / "arguments").read_text().split("\0")[:-1]


def environment(folder: Path) -> dict[str, str]:
    lines = (folder / "environment").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def outputs(folder: Path) -> dict[str, str]:
    return dict(line.split("=") for line in (folder / "output").read_text().splitlines())


def test_inputs_and_outputs_are_those_of_the_contract() -> None:
    inputs = ACTION["inputs"]
    assert {"suite", "file-issues", "anthropic-api-key", "out"} <= inputs.keys()
    assert (inputs["suite"]["required"], inputs["out"]["default"]) == (True, "artifacts")
    assert list(ACTION["outputs"]) == ["passed", "failed", "broken", "skipped"]
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.run.outputs.{name} }}}}"
    assert ACTION["runs"]["using"] == "composite"
    for name in inputs:
        used = [step for step in STEPS.values() if f"inputs.{name} " in str(step["env"]) + " "]
        assert used, name


def test_no_script_holds_what_somebody_else_chose() -> None:
    for step in STEPS.values():
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"
        done = subprocess.run(["bash", "-n"], input=step["run"], text=True, check=False)
        assert done.returncode == 0
    # Nor does anything of others' come along that could change.
    assert not [step for step in STEPS.values() if "uses" in step]
    assert (ROOT / "requirements" / "image.txt").is_file()


@pytest.mark.parametrize("leaves", [0, 1, 2])
def test_numbers_and_status_come_through(tmp_path: Path, leaves: int) -> None:
    line = "::tripwire-output:: passed=12 failed=3 broken=0 skipped=40"
    done = run(tmp_path, says=line, leaves=leaves)
    assert (done.returncode, line in done.stdout) == (leaves, True), done.stderr
    assert outputs(tmp_path) == {"passed": "12", "failed": "3", "broken": "0", "skipped": "40"}
    assert arguments(tmp_path) == [
        *("-m", "guildhall", "runs", "run", "--out", "artifacts", "--", "suites/**")
    ]
    seen = environment(tmp_path)
    assert (seen["GITHUB_REPO"], seen["GIT_SHA"]) == ("ada/shop", "abc")
    assert seen["CI_RUN_URL"] == "https://github.com/ada/shop/actions/runs/7"
    assert seen["PYTHONPATH"] == str(ROOT)
    assert not {"ANTHROPIC_API_KEY", "GUILDHALL_SERVER", "GUILDHALL_TOKEN"} & seen.keys()


def test_without_a_line_there_are_zeros(tmp_path: Path) -> None:
    done = run(tmp_path, says="suites/**: there is no suite", leaves=3)
    assert done.returncode == 3
    assert set(outputs(tmp_path).values()) == {"0"}


def test_inputs_are_no_code(tmp_path: Path) -> None:
    evil = f"$(touch {tmp_path}/evil) `touch {tmp_path}/evil`; touch {tmp_path}/evil #\" ' *"
    inputs = ("SUITE", "OUT", "FILE_ISSUES", "ANTHROPIC_API_KEY", "SERVER", "TOKEN")
    done = run(tmp_path, says="", leaves=0, **{f"INPUT_{name}": evil for name in inputs})
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "evil").exists()
    assert arguments(tmp_path)[4:] == ["--out", evil, "--file-issues", evil, "--", evil]
    seen = environment(tmp_path)
    assert {
        seen[name] for name in ("ANTHROPIC_API_KEY", "GUILDHALL_SERVER", "GUILDHALL_TOKEN")
    } == {evil}
    # A suite that is called like an option is a suite.
    run(tmp_path, says="", leaves=0, INPUT_SUITE="--help")
    assert arguments(tmp_path)[-2:] == ["--", "--help"]


def test_what_is_installed_is_pinned() -> None:
    script = STEPS["install"]["run"]
    assert "--require-hashes -r" in script
    assert not re.search(r"curl|wget|pip install (?!--)", script)
