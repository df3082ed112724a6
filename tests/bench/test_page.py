from __future__ import annotations

import re

import pytest

from bench import gateway_bodies, gateway_idle, gateway_requests, gateway_targets
from bench.figures import with_blocks
from bench.gateway import PAGE
from bench.gateway_bodies import Carried
from bench.gateway_idle import SOCKET, Held
from bench.gateway_requests import ENVOY_CHECKS, HAPROXY_CHECKS, Result
from bench.gateway_targets import HAPROXY, JWT, OURS, Figures
from bench.table import Table


def _result(name: str, cost: float, p99: float) -> Result:
    return Result(name, cost, cost / 2, 10_000, 100, p99, 0)


FIGURES = Figures(
    requests=[
        _result(JWT, 60, 300),
        _result(HAPROXY_CHECKS, 54, 200),
        _result(ENVOY_CHECKS, 150, 400),
    ],
    bodies=[Carried(OURS, "down", 800, 8, 1.5, 0), Carried(HAPROXY, "down", 1000, 9, 0, 0)],
    held=[Held(OURS, SOCKET, 31.5, 1000)],
    idle={OURS: 55_000_000},
)


def test_what_a_person_wrote_survives_new_figures() -> None:
    page = "# Costs\n\n<!-- figures: idle -->\nold\n<!-- end of idle -->\n\nA remark.\n"
    once = with_blocks(page, {"idle": "new", "bodies": "more"})
    assert once.startswith(
        "# Costs\n\n<!-- figures: idle -->\nnew\n<!-- end of idle -->\n\nA remark."
    )
    assert once.endswith("<!-- figures: bodies -->\nmore\n<!-- end of bodies -->\n")
    assert with_blocks(once, {"idle": "new", "bodies": "more"}) == once


def test_a_page_is_begun_where_there_is_none() -> None:
    assert with_blocks("", {"idle": "x"}) == "<!-- figures: idle -->\nx\n<!-- end of idle -->\n"


def test_a_block_without_an_end_takes_nothing_with_it() -> None:
    with pytest.raises(ValueError, match="no end"):
        with_blocks("<!-- figures: idle -->\nall the rest", {"idle": "x"})


def test_the_page_has_a_place_for_every_block() -> None:
    page = PAGE.read_text()
    for name in ("machine", "rivals", "targets", "requests", "bodies", "idle"):
        assert len(re.findall(f"<!-- figures: {name} -->", page)) == 1
        assert len(re.findall(f"<!-- end of {name} -->", page)) == 1


def test_a_table_is_drawn_for_a_terminal_and_for_a_page() -> None:
    table = Table(("name", "us"), [("a", "1.0"), ("long name", "12.5")])
    assert table.text() == "name         us\na           1.0\nlong name  12.5"
    assert table.markdown().splitlines()[1:3] == ["| --- | --: |", "| a | 1.0 |"]


def test_requests_stand_beside_haproxy_and_envoy() -> None:
    ours = gateway_requests.table(FIGURES.requests).rows[0]
    assert ours == (JWT, "60.0", "30.0", "1.11", "0.40", "10,000", "100", "300", "1.50", "0")


def test_without_rivals_there_are_no_ratios() -> None:
    ours = gateway_requests.table(FIGURES.requests[:1]).rows[0]
    assert ours.count("-") == 3


def test_bodies_and_memory_stand_beside_haproxy() -> None:
    bodies = gateway_bodies.table(FIGURES.bodies, HAPROXY)
    assert bodies.rows[0] == (OURS, "down", "800", "0.80", "8.0", "0.89", "1.5", "0")
    held = [*FIGURES.held, Held(HAPROXY, SOCKET, 6.3, 1000)]
    memory = gateway_idle.table(held, {OURS: 55_000_000, HAPROXY: 15_000_000}, HAPROXY)
    assert memory.rows[0] == [OURS, "55", "-", "-", "31.5", "5.00"]


def test_targets_stand_beside_what_was_seen() -> None:
    rows = {row[0]: list(row[1:]) for row in gateway_targets.table(FIGURES).rows}
    assert rows["us a request: JWT cached"] == ["<= 25", "18", "60.0", "20.0"]
    assert rows["times Envoy, the same checks"][2] == "0.40"
    assert rows["p99, times HAProxy"][2] == "1.50"
    assert rows["10 MB down, throughput, times HAProxy"][2] == "0.80"
    assert rows["10 MB up, throughput, times HAProxy"][2] == "-"
    assert rows["10 MB, memory at the peak, MB more"][2] == "1.5"
    assert rows["KiB an idle WebSocket, both legs"][2] == "31.5"
    assert rows["MB resident, idle"][2] == "55"


def test_targets_can_be_drawn_of_nothing() -> None:
    assert all("-" in row for row in gateway_targets.table(Figures()).rows)
