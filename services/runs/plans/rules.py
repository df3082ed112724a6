"""When a plan is due, and what becomes of its test account. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from cronsim import CronSim, CronSimError

from services.runs.plans.models import MASK, Login, PlanAuth, ShownAuth, Timing

FIELDS: Final = 5
WRONG_COUNT: Final = (
    "A schedule has five fields: minute, hour, day of the month, month and day of the week"
)


class BadSchedule(ValueError):
    """A text that is no schedule; its message is for people."""


class NoPassword(ValueError):
    """A test account without a password, where none is stored."""


def next_boundary(schedule: str, after: datetime, zone: tzinfo) -> datetime:
    """Give the first boundary of a schedule after a moment, in UTC.

    Where clocks are put forward, a time of day that is left out is the first one after the gap;
    where they are put back, it is the first of two. Schedules by the minute or the hour go on in
    real time, through both.

    Args:
        schedule: five cron fields.
        after: with its zone.
        zone: in which the schedule is read.

    Raises:
        BadSchedule: it is none, or its boundary never comes.
    """
    if len(schedule.split()) != FIELDS:
        raise BadSchedule(WRONG_COUNT)
    try:
        boundaries = CronSim(schedule, after.astimezone(zone))
        while True:
            found = next(boundaries).astimezone(UTC)
            # In the second of two equal hours the first is what a time of day means.
            if found > after:
                return found
    except CronSimError as error:
        raise BadSchedule(f"{error} in the schedule") from None
    except (StopIteration, ValueError, OverflowError):
        raise BadSchedule("The schedule names a day that never comes") from None


def timed(
    schedule: str | None, now: datetime, zone: tzinfo, before: Timing | None = None
) -> Timing:
    """Arm a schedule for its next boundary, or say what is wrong with it.

    Args:
        schedule: as it was given; nothing but blanks is none.
        now: by the database's clock.
        zone: in which it is read.
        before: of the plan until now: one that stays as it was keeps its boundary, which may have
            come at this very moment.
    """
    if schedule is None or not schedule.strip():
        return Timing()
    if before is not None and before.schedule == schedule and before.next_run is not None:
        return before
    try:
        return Timing(schedule, None, next_boundary(schedule, now, zone))
    except BadSchedule as error:
        return Timing(schedule, str(error), None)


def kept_login(stored: Login | None, said: PlanAuth) -> Login:
    """Give the test account that a request leaves behind.

    Args:
        stored: of the plan until now.
        said: of the request.

    Raises:
        NoPassword: it keeps a password where none is stored.
    """
    is_kept = "password" not in said.model_fields_set or said.password == MASK
    password = said.password
    if is_kept:
        if stored is None or stored.password is None:
            raise NoPassword
        password = stored.password
    return Login(said.username, password, said.login_path or None)


def shown(login: Login | None) -> ShownAuth | None:
    """Give a test account as people see it."""
    if login is None:
        return None
    return ShownAuth(
        username=login.username,
        password=None if login.password is None else MASK,
        login_path=login.login_path,
    )
