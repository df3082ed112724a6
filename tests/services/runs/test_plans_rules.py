"""When a plan is due, and what becomes of its test account (runs contract, section 3.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs.plans import rules
from services.runs.plans.models import MASK, Login, PlanAuth, Timing

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 10, 30, 15, 500_000, UTC)


def times(schedule: str, begin: str, count: int, zone: ZoneInfo = BERLIN) -> list[str]:
    """Give the boundaries after a moment of UTC, as the scheduler arms them one by one."""
    found, after = [], datetime.fromisoformat(begin).replace(tzinfo=UTC)
    for _ in range(count):
        after = rules.next_boundary(schedule, after, zone)
        found.append(after.strftime("%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("0 2 * * *", "2026-03-03 02:00"),
        ("30 10 * * *", "2026-03-03 10:30"),
        ("31 10 * * *", "2026-03-02 10:31"),
        ("*/15 * * * *", "2026-03-02 10:45"),
        ("0 9 * * MON-FRI", "2026-03-03 09:00"),
        ("0 0 1 jan *", "2027-01-01 00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("  5   4  *  *  0 ", "2026-03-08 04:05"),
    ],
)
def test_a_schedule_is_five_fields_in_utc(schedule: str, wanted: str) -> None:
    found = rules.next_boundary(schedule, NOW, UTC)
    assert found.strftime("%Y-%m-%d %H:%M") == wanted
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "schedule",
    [
        "nightly",
        "@daily",
        "* * * *",
        "0 0 2 * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 31 2 *",
        "* * 30 2 *",
        "* * * * MON#5#2",
        "*/0 * * * *",
        "5-1 * * * *",
        "* * * 13 *",
        "٣ * * * *",
        "* * * * 5L/2",
        "1, * * * *",
    ],
)
def test_what_is_no_schedule_is_kept_and_flagged(schedule: str) -> None:
    timing = rules.timed(schedule, NOW, UTC)
    assert (timing.schedule, timing.next_run) == (schedule, None)
    assert timing.error
    assert schedule not in timing.error or len(schedule) < 3


@pytest.mark.parametrize("schedule", [None, "", "  "])
def test_nothing_is_no_schedule(schedule: str | None) -> None:
    assert rules.timed(schedule, NOW, UTC) == Timing()


def test_a_time_of_day_that_is_left_out_is_the_first_after_the_gap() -> None:
    # On the 29th of March 2026, 02:00 becomes 03:00 in Berlin: 01:00 in UTC.
    assert times("30 2 * * *", "2026-03-27T12:00", 4) == [
        "28 01:30",
        "29 01:00",
        "30 00:30",
        "31 00:30",
    ]


def test_a_time_of_day_that_comes_twice_is_the_first_of_both() -> None:
    # On the 25th of October 2026, 03:00 becomes 02:00 in Berlin: 01:00 in UTC.
    assert times("30 2 * * *", "2026-10-24T12:00", 3) == ["25 00:30", "26 01:30", "27 01:30"]
    # Also for what is saved between the two.
    assert times("30 2 * * *", "2026-10-25T01:10", 1) == ["26 01:30"]


def test_what_comes_each_hour_or_minute_goes_on_in_real_time() -> None:
    assert times("0 * * * *", "2026-10-24T23:30", 4) == [
        "25 00:00",
        "25 01:00",
        "25 02:00",
        "25 03:00",
    ]
    assert times("*/30 * * * *", "2026-03-29T00:10", 4) == [
        "29 00:30",
        "29 01:00",
        "29 01:30",
        "29 02:00",
    ]


_FIELD = st.sampled_from(["*", "*/7", "0", "5", "1-5", "3,11", "2-22/4"])
_ZONES = st.sampled_from(
    [UTC, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]
)


@given(
    minute=_FIELD,
    hour=_FIELD,
    zone=_ZONES,
    after=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
)
def test_boundaries_are_always_ahead(
    minute: str, hour: str, zone: ZoneInfo, after: datetime
) -> None:
    seen = [after]
    for _ in range(4):
        seen.append(rules.next_boundary(f"{minute} {hour} * * *", seen[-1], zone))
    assert all(one < two for one, two in pairwise(seen))
    assert all(each.second == 0 for each in seen[1:])
    assert seen[-1] - after < timedelta(days=5)


def test_saving_again_leaves_the_boundary_that_is_armed() -> None:
    before = Timing("*/5 * * * *", None, NOW - timedelta(seconds=1))
    assert rules.timed("*/5 * * * *", NOW, UTC, before) == before
    moved = rules.timed("*/6 * * * *", NOW, UTC, before)
    assert moved.next_run == datetime(2026, 3, 2, 10, 36, tzinfo=UTC)
    assert rules.timed(None, NOW, UTC, before) == Timing()


def test_a_password_stays_unless_another_is_sent_or_it_is_removed() -> None:
    stored = Login("ada", "s3cret", "/login")
    for said in ({"username": "bob"}, {"username": "bob", "password": MASK}):
        kept = rules.kept_login(stored, PlanAuth.model_validate(said))
        assert kept == Login("bob", "s3cret", None)
    other = PlanAuth(username="bob", password="other", login_path="/in")
    assert rules.kept_login(stored, other) == Login("bob", "other", "/in")
    removed = rules.kept_login(stored, PlanAuth(username="ada", password=None))
    assert removed == Login("ada", None, None)
    for nothing in (None, removed):
        with pytest.raises(rules.NoPassword):
            rules.kept_login(nothing, PlanAuth(username="ada"))
        with pytest.raises(rules.NoPassword):
            rules.kept_login(nothing, PlanAuth(username="ada", password=MASK))


def test_a_password_is_shown_nowhere() -> None:
    login = Login("ada", "s3cret", "/login")
    shown = rules.shown(login)
    assert shown is not None
    assert shown.model_dump() == {"username": "ada", "password": MASK, "login_path": "/login"}
    said = PlanAuth(username="ada", password="s3cret")
    assert "s3cret" not in f"{login!r} {said!r} {said!s}"
    none = rules.shown(Login("ada", None, None))
    assert none is not None
    assert none.password is None
