"""When a cron fires. Five fields, six with seconds last, or `@daily` and its kin, in any IANA time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from robyn_server.errors import InvalidRequest, Unprocessable


def check_schedule(schedule: str, timezone: str | None) -> None:
    """Raises `Unprocessable` when the schedule or the time zone means nothing."""
    if not croniter.is_valid(schedule):
        raise Unprocessable(
            f"Invalid cron schedule: '{schedule}'. Reason: Invalid cron schedule. Ensure the schedule uses the "
            "standard cron format (minute hour day_of_month month day_of_week). "
            "Example: '*/5 * * * *' for every 5 minutes."
        )
    _zone(timezone)


def next_firing(schedule: str, timezone: str | None, after: datetime) -> datetime:
    """The first firing after a moment, in UTC. Raises `InvalidRequest` when there is none (31 February)."""
    try:
        firing: datetime = croniter(schedule, after.astimezone(_zone(timezone))).get_next(datetime)
    except CroniterBadDateError as error:
        raise InvalidRequest(str(error)) from error
    return firing.astimezone(UTC)


def moment(text: str | None) -> datetime | None:
    """What an ISO 8601 text means (UTC when it names no zone), None when it means nothing."""
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _zone(timezone: str | None) -> ZoneInfo:
    if timezone is None:
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(timezone)
    except (ValueError, OSError, KeyError) as error:
        raise Unprocessable(
            f"Invalid timezone: '{timezone}'. Use IANA timezone format (e.g. 'America/New_York')."
        ) from error
