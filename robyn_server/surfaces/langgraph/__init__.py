"""The LangGraph Agent Server API: the engine's native surface."""

from robyn_server.surfaces.langgraph import (
    assistants,
    crons,
    stateless_runs,
    store,
    thread_events,
    thread_protocol,
    thread_runs,
    thread_state,
    threads,
)
from robyn_server.surfaces.langgraph.schemas import SCHEMAS
from robyn_server.web.routing import Surface

SURFACE = Surface(
    "langgraph",
    (
        *assistants.ROUTES,
        *threads.ROUTES,
        *thread_state.ROUTES,
        *thread_events.ROUTES,
        *thread_protocol.ROUTES,
        *thread_runs.ROUTES,
        *stateless_runs.ROUTES,
        *crons.ROUTES,
        *store.ROUTES,
    ),
    SCHEMAS,
    thread_protocol.REFUSALS,
)
