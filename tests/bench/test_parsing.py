from __future__ import annotations

from pathlib import Path

import pytest

from bench import load, load_process
from bench.gateway_bodies import Transfer
from bench.gateway_profile import render
from bench.gateway_requests import Result, Turn
from bench.load import Load, Requests
from bench.load_bodies import length_of
from bench.process import Cpu


def test_the_result_of_a_load_is_found_among_other_words() -> None:
    output = "Running 2s test\n  2 threads\nRESULT 1000 3 250 900\nbye\n"
    assert load.parse(output, 2) == Load(2, 1000, 3, 250, 900)


def test_a_load_without_a_result_shows_what_was_said() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        load.parse("unable to connect", 1)


def test_numbered_paths_differ_in_every_request() -> None:
    made = load_process.requests("/v1/learnings/L-%d", ["a", "b"])
    heads = [next(made) for _ in range(3)]
    assert [head.split()[1] for head in heads] == [
        b"/v1/learnings/L-1",
        b"/v1/learnings/L-2",
        b"/v1/learnings/L-3",
    ]
    assert [head.split()[-1] for head in heads] == [b"a", b"b", b"a"]


def test_the_script_of_wrk_numbers_paths_likewise(tmp_path: Path) -> None:
    tokens = tmp_path / "one.tokens"
    assert 'string.format("/L-%d", number)' in load.wrk_script(Requests("/L-%d", tokens))
    assert '"GET", "/L", {' in load.wrk_script(Requests("/L", tokens))


def test_the_result_of_bodies_is_read() -> None:
    assert Transfer.parse("RESULT 20000000 2 0 500\n", 0.02) == Transfer(
        20_000_000, 2, 0, 0.5, 0.02
    )
    with pytest.raises(RuntimeError):
        Transfer.parse("", 0)


def test_a_length_is_read_from_a_head() -> None:
    assert length_of(b"http/1.1 200 ok\r\ncontent-length: 12\r\nserver: x") == 12
    assert length_of(b"http/1.1 204 no content") == 0


def test_turns_are_summed_up_by_their_medians() -> None:
    turns = [
        Turn(Cpu(user, 0.01), Load(1, 1000, failures, 100, p99))
        for user, failures, p99 in ((0.01, 1, 900), (0.02, 0, 300), (0.09, 2, 500))
    ]
    result = Result.of("x", turns)
    assert result.cost == pytest.approx(30)
    assert result.user == pytest.approx(20)
    assert (result.rate, result.median, result.p99, result.failures) == (1000, 100, 500, 3)


def test_a_profile_names_functions_alone_and_with_what_they_call() -> None:
    lines = ["6 loop.run;turn.begin;chain.decide", "2 loop.run;turn.begin", "2 loop.run"]
    assert render(lines, 50.0, 2).splitlines()[1:] == [
        "     30.0       30.0  chain.decide",
        "     10.0       40.0  turn.begin",
    ]
