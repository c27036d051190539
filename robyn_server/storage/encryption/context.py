"""Whose data is being written: a project's encryption handlers may keep other keys for other customers.

The only state that follows a task instead of being handed down: it has to reach the writer thread past LangGraph, whose
savers and stores are called without it.
"""

from contextvars import ContextVar

SEALING_CONTEXT: ContextVar[str] = ContextVar("sealing_context", default="{}")
"""The handlers' `ctx.metadata`, as JSON with sorted keys."""
