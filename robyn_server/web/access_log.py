"""One line for each answered request, two for a stream. No query, no body, and no header but those that a project
asked for: they may hold secrets."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

import orjson

from robyn_server.auth.secrets import is_secret_name
from robyn_server.resources.header_rules import means
from robyn_server.resources.types import Json
from robyn_server.web.application import RequestObserver
from robyn_server.web.routing import Headers, Request

LINES_EVERY = 0.1
"""Seconds. Lines are written together: one at a time they would cost as much as the request."""


Moment: TypeAlias = Literal["", "stream opened", "stream closed", "stream left by client"]


class Line(NamedTuple):
    """What is known of one answer; `moment` tells the two lines of a stream apart."""

    at: float
    method: str
    path: str
    status: int
    milliseconds: float
    request_id: str
    caller: str
    moment: Moment
    headers: Headers


class AccessLog:
    """Call from the loop's thread. `observer` counts every answered request, also when no line is written;
    `header_rules` name the headers that lines show."""

    def __init__(
        self,
        log_format: Literal["json", "console"],
        enabled: bool,
        observer: RequestObserver | None = None,
        header_rules: Mapping[str, Json] | None = None,
    ) -> None:
        self._form: Callable[[Line], str] = _json if log_format == "json" else _console
        self._enabled = enabled
        self._observer = observer
        self._header_rules = header_rules or {}
        self._lines: list[Line] = []

    def answered(self, request: Request, route_path: str, status: int, started: float) -> None:
        """A whole answer was given; `started` is a `time.perf_counter()`."""
        self._add(request, route_path, status, started, "")

    def opened(
        self, request: Request, route_path: str, status: int, started: float
    ) -> Callable[[bool], None]:
        """A stream was opened: it counts as answered now. To be called when it is over, with whether its reader left
        early; it does not keep the request in memory."""
        self._add(request, route_path, status, started, "stream opened")
        if not self._enabled:
            return _nothing
        line = self._line(request, status, started, "stream closed")
        return partial(self._closed, line, started)

    def _closed(self, opened: Line, started: float, left_early: bool) -> None:
        moment: Moment = "stream left by client" if left_early else "stream closed"
        milliseconds = (time.perf_counter() - started) * 1_000
        self._write(opened._replace(at=time.time(), milliseconds=milliseconds, moment=moment))

    def _add(self, request: Request, route_path: str, status: int, started: float, moment: Moment) -> None:
        if self._observer is not None:
            milliseconds = (time.perf_counter() - started) * 1_000
            self._observer.request_ended(request.method, route_path, status, milliseconds)
        if self._enabled:
            self._write(self._line(request, status, started, moment))

    def _line(self, request: Request, status: int, started: float, moment: Moment) -> Line:
        return Line(
            time.time(),
            request.method,
            request.path,
            status,
            (time.perf_counter() - started) * 1_000,
            request.request_id,
            request.caller.identity,
            moment,
            self._shown(request.headers) if self._header_rules else {},
        )

    def _write(self, line: Line) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_later(LINES_EVERY, self.flush)
        self._lines.append(line)

    def _shown(self, headers: Headers) -> Headers:
        return {
            name: value
            for name, value in headers.items()
            if means(self._header_rules, name) and not is_secret_name(name)
        }

    def flush(self) -> None:
        """Write the lines collected so far to stderr."""
        lines, self._lines = self._lines, []
        if lines:
            sys.stderr.write("".join(map(self._form, lines)))
            sys.stderr.flush()


def _nothing(left_early: bool) -> None:
    """No lines are written."""


def _console(line: Line) -> str:
    at = datetime.fromtimestamp(line.at).strftime("%H:%M:%S.%f")[:-3]
    moment = f"  {line.moment}" if line.moment else ""
    caller = f"  caller={_printable(line.caller)}" if line.caller else ""
    headers = "".join(f"  {name}={_printable(value)}" for name, value in line.headers.items())
    return (
        f"{at} INFO    web.access  {line.method} {_printable(line.path)} {line.status} "
        f"{line.milliseconds:.1f} ms{moment}  request_id={line.request_id}{caller}{headers}\n"
    )


def _json(line: Line) -> str:
    fields = {
        "time": datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds"),
        "level": "INFO",
        "logger": "robyn_server.web.access",
        "message": line.moment or "answered",
        "method": line.method,
        "path": line.path,
        "status": line.status,
        "ms": round(line.milliseconds, 1),
        "request_id": line.request_id,
        "caller": line.caller,
        **({"headers": line.headers} if line.headers else {}),
    }
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE).decode()


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
