"""Stream mode `events`: LangChain's `astream_events`, read so late that what it tells of is finished."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from langchain_core.runnables.schema import StreamEvent

_RESULTS = frozenset({"on_tool_end", "on_chain_stream", "on_chain_end"})
_TURNS = 30
"""Of the event loop. Up to 15 were seen to be needed, by two tools at once with subgraphs streamed."""


async def settled(events: AsyncIterator[StreamEvent]) -> AsyncIterator[StreamEvent]:
    """The same events, results held back for a few turns of the event loop.

    Messages get their id when the step that made them is applied, a few turns after its events were sent; read at
    once they would say `"id": null`, and a client could not tell them for those in `values`. Tokens pass at once.
    """
    async with aclosing(events) as source:  # type: ignore[type-var]
        async for event in source:
            if event["event"] in _RESULTS:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
            yield event
