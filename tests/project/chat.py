"""Graphs as a chat page has them: `messages` in the state, word by word, and one that asks before it acts."""

import asyncio
from typing import Annotated, Any, TypedDict

from graphs import SENTENCE, row
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, message_chunk_to_message
from langchain_core.runnables import RunnableConfig
from langgraph.graph.message import add_messages
from langgraph.types import interrupt

from robyn_server.testing.scripted_model import ScriptedModel


class Conversation(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    pause: float


_model = ScriptedModel(script=[SENTENCE])


async def _answer(state: Conversation, config: RunnableConfig) -> dict[str, Any]:
    whole: AIMessageChunk | None = None
    async for piece in _model.astream(state["messages"], config):
        whole = piece if whole is None else whole + piece
        await asyncio.sleep(state.get("pause", 0.02))
    assert whole is not None
    return {"messages": [message_chunk_to_message(whole)]}


async def _approve(state: Conversation) -> dict[str, Any]:
    request = {"name": "send", "args": {"to": "somebody"}}
    answer = interrupt(
        {
            "action_requests": [request],
            "review_configs": [{"action_name": "send", "allowed_decisions": ["approve", "reject"]}],
        }
    )
    return {"messages": [AIMessage(content=f"decided: {answer['decisions'][0]['type']}")]}


chat = row(Conversation, ("answer", _answer)).compile()
"""Says `SENTENCE`, with `pause` seconds after each word."""

approval = row(Conversation, ("answer", _answer), ("approve", _approve)).compile()
"""Says it, then asks for a decision in the way of LangChain's human-in-the-loop middleware."""
