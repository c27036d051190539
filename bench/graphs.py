"""What the benchmark runs: graphs that do next to nothing themselves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langgraph.graph import START, MessagesState, StateGraph

TOKENS = 200


PAUSE = 0.02
"""Seconds between the tokens of `paced`; fifty of them take one second."""


class TokenModel(BaseChatModel):
    """Streams its tokens as fast as it can, or with a pause before each."""

    count: int = TOKENS
    pause: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "tokens"

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        raise NotImplementedError("It only streams.")

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for number in range(self.count):
            if self.pause or number % 20 == 0:
                await asyncio.sleep(self.pause)
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=f"tok{number} "))
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


async def _answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"echo: {state['messages'][-1].content}")]}


async def _speak(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await TokenModel().ainvoke(state["messages"][-1:])]}


async def _speak_slowly(state: MessagesState) -> dict[str, Any]:
    # Streamed also where nobody asks for messages: the pauses are the point.
    model = TokenModel(count=50, pause=PAUSE)
    return {
        "messages": [AIMessage("".join([part.text async for part in model.astream(state["messages"][-1:])]))]
    }


echo = StateGraph(MessagesState).add_node("agent", _answer).add_edge(START, "agent").compile()
tokens = StateGraph(MessagesState).add_node("agent", _speak).add_edge(START, "agent").compile()
paced = StateGraph(MessagesState).add_node("agent", _speak_slowly).add_edge(START, "agent").compile()
