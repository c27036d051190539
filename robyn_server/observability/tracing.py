"""Traces of runs, for LangSmith or an OpenTelemetry collector, without secrets.

The LangSmith SDK reads LANGSMITH_* and OTEL_* itself and sends in the background: a run waits for nothing here, and
does not notice when nobody answers.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from langsmith import Client, configure, tracing_context
from langsmith.run_trees import RunTree, get_cached_client
from langsmith.utils import LangSmithError, tracing_is_enabled

from robyn_server.errors import StartupError
from robyn_server.observability.redaction import Redaction
from robyn_server.resources.types import Json
from robyn_server.settings import Settings

logger = logging.getLogger(__name__)


def redact_traces(settings: Settings) -> None:
    """Give the process one client, whose traces are without secrets; to be called before graphs are imported. Nothing
    is done where no traces are asked for. Raises `StartupError` for variables that the SDK refuses."""
    if not tracing_is_enabled():
        return
    try:
        configure(client=Client(anonymizer=Redaction(settings.secret_config_keys).value))
    except LangSmithError as error:
        raise StartupError(f"Traces cannot be sent ({error}): correct the LANGSMITH_ variables.") from error


@contextmanager
def traced(configurable: Mapping[str, Json]) -> Iterator[None]:
    """Below this the traces of a run go to the project that its request names, and under the trace that its caller
    is in, where they do."""
    project, header = configurable.get("__langsmith_project__"), configurable.get("langsmith-trace")
    if not tracing_is_enabled() or not (project or header):
        yield
        return
    with tracing_context(project_name=project, parent=_parent(header)):
        yield


def _parent(header: Json) -> RunTree | None:
    """Of the header alone: what `baggage` names as receivers of the trace is not a caller's to choose."""
    try:
        return RunTree.from_headers({"langsmith-trace": header}) if header else None
    except ValueError:
        logger.info("A langsmith-trace header cannot be read")
        return None


async def send_last_traces(within: float) -> None:
    """Give what is still waiting so many seconds to leave; at shutdown."""
    if tracing_is_enabled():
        sending = asyncio.create_task(asyncio.to_thread(_send_last, within))
        await asyncio.wait({sending}, timeout=within)


def _send_last(within: float) -> None:
    client = get_cached_client()
    client.flush(within)
    if client.otel_exporter is not None:
        from opentelemetry.trace import get_tracer_provider  # noqa: PLC0415 - installed only where it is wanted

        flush = getattr(get_tracer_provider(), "force_flush", None)
        if flush is not None:
            flush(round(within * 1000))
