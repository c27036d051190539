"""How log lines look: for a terminal, or one JSON object a line. Secrets are removed from both."""

import logging
import sys
from datetime import UTC, datetime

import orjson

from robyn_server.observability.redaction import Redaction
from robyn_server.resources.types import JsonObject
from robyn_server.settings import Settings

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
QUIET = ("httpx", "httpcore", "openai", "asyncio", "mcp", "langsmith")
"""Libraries that tell of every request at INFO; ours is the access log."""


def configure_logging(settings: Settings) -> None:
    """Send every logger's lines to stderr in the chosen format."""
    redaction = Redaction(settings.secret_config_keys)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(redaction) if settings.log_format == "json" else ConsoleLines(redaction))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def extras(record: logging.LogRecord) -> JsonObject:
    """What was given as `extra`, e.g. `request_id` and `run_id`."""
    return {key: value for key, value in vars(record).items() if key not in STANDARD and value is not None}


class ConsoleLines(logging.Formatter):
    """`12:00:01.250 INFO    worker.executor  Run failed  run_id=...`"""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        name = record.name.removeprefix("robyn_server.")
        fields = "".join(f"  {key}={value}" for key, value in self._redaction.value(extras(record)).items())
        line = f"{at} {record.levelname:<8}{name}  {self._redaction.text(record.getMessage())}{fields}"
        return "\n".join((line, *self._trace(record)))

    def _trace(self, record: logging.LogRecord) -> list[str]:
        return [self._redaction.text(self.formatException(record.exc_info))] if record.exc_info else []


class JsonLines(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`, the extra fields, perhaps `exception`."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line: JsonObject = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(self._redaction.value(line), default=str, option=orjson.OPT_NON_STR_KEYS).decode()
