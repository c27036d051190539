"""When crons fire."""

from datetime import UTC, datetime

import pytest

from robyn_server.errors import InvalidRequest, Unprocessable
from robyn_server.resources.schedule import check_schedule, moment, next_firing

START = datetime(2026, 11, 20, 9, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "timezone", "firing"),
    [
        ("0 0 1 1 *", None, "2027-01-01T00:00:00+00:00"),
        ("0 12 * * *", "Asia/Tokyo", "2026-11-21T03:00:00+00:00"),
        ("@daily", None, "2026-11-21T00:00:00+00:00"),
        ("* * * * * */10", None, "2026-11-20T09:30:10+00:00"),
        ("30 2 * * *", "America/New_York", "2026-11-20T07:30:00+00:00"),
    ],
)
def test_next_firing(schedule: str, timezone: str | None, firing: str):
    check_schedule(schedule, timezone)
    after = START if timezone != "America/New_York" else START.replace(hour=1)
    assert next_firing(schedule, timezone, after).isoformat() == firing


def test_an_hour_that_a_clock_change_leaves_out_still_fires_that_day():
    before = datetime(2027, 3, 14, 6, 0, tzinfo=UTC)
    assert next_firing("30 2 * * *", "America/New_York", before).date() == before.date()


@pytest.mark.parametrize("schedule", ["nope", "99 * * * *", "* * *", ""])
def test_bad_schedules(schedule: str):
    with pytest.raises(Unprocessable, match=f"Invalid cron schedule: '{schedule.replace('*', '.')}'"):
        check_schedule(schedule, None)


@pytest.mark.parametrize("timezone", ["Mars/Base", "", "../etc/passwd"])
def test_bad_time_zones(timezone: str):
    with pytest.raises(Unprocessable, match="Use IANA timezone format"):
        check_schedule("@daily", timezone)


def test_a_day_that_never_comes():
    with pytest.raises(InvalidRequest, match="failed to find next date"):
        next_firing("0 0 31 2 *", None, START)


def test_end_times():
    assert moment("2099-01-01T00:00:00Z") == datetime(2099, 1, 1, tzinfo=UTC)
    assert moment("2099-01-01T00:00:00") == datetime(2099, 1, 1, tzinfo=UTC)
    assert moment("nope") is None
    assert moment(None) is None
