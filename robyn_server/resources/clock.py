"""Time as it is stored and sent: aware UTC datetimes, ISO 8601 with `+00:00`."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """`2026-11-20T07:12:31.450319+00:00`; the fraction is left out when it is exactly zero."""
    return moment.isoformat()
