"""A chat model for the first minute: needs no key, says that it is a demo, sends arithmetic to the calculator."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

MODEL_NAME = "demo"
CALCULATOR = "calculator"

SIGNATURE = (
    "(This is the built-in demo model. Set OPENAI_API_KEY, or give the assistant a base_url and a model_name, "
    "to talk to a real one.)"
)
INTRODUCTION = (
    "I am the built-in demo model: I show how runs stream and call tools, but I do not understand what you write. "
    "I can do arithmetic with the calculator tool: ask me, for example, what 12 * 34 is. To talk to a real model, "
    "set OPENAI_API_KEY and start the server again, or give the assistant a base_url and a model_name in its "
    "configurable. DEMO_MODEL=0 turns me off."
)

WORDS = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "multiplied by": "*",
    "divided by": "/",
    "over": "/",
    "to the power of": "**",
    "×": "*",
    "·": "*",
    "÷": "/",
    "−": "-",
    "^": "**",
}
WORD = re.compile(
    "|".join(rf"(?<=[\d)\s]){re.escape(word)}(?=[\s\d(-])" for word in sorted(WORDS, key=len, reverse=True)),
    re.IGNORECASE,
)
NUMBER = r"[-+]?\s*\(*\s*[-+]?(?:\d+(?:\.\d+)?|\.\d+)\s*\)*"
# Not inside words, paths, dates or versions: `a/1/2`, `2026-11-20` and `v1-2` are no arithmetic.
ARITHMETIC = re.compile(
    rf"(?<![\w/.:\-])(?!\d{{4}}-\d\d?-\d\d?\b){NUMBER}(?:\s*(?:\*\*|//|[-+*/%])\s*{NUMBER})+(?![\w/])"
)


class DemoModel(BaseChatModel):
    """A real chat model in all but understanding. Deterministic; tokens are words."""

    model_name: str = MODEL_NAME

    @property
    def _llm_type(self) -> str:
        return "demo"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Only a tool named `calculator` is ever called."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        first, *rest = _chunks(messages, **kwargs)
        whole = first
        for chunk in rest:
            whole += chunk
        message = AIMessage(
            content=whole.content,
            tool_calls=whole.tool_calls,
            usage_metadata=whole.usage_metadata,
            response_metadata=whole.response_metadata,
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for message in _chunks(messages, **kwargs):
            chunk = ChatGenerationChunk(message=message)
            if run_manager:
                run_manager.on_llm_new_token(message.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for message in _chunks(messages, **kwargs):
            chunk = ChatGenerationChunk(message=message)
            if run_manager:
                await run_manager.on_llm_new_token(message.text, chunk=chunk)
            yield chunk
            # Otherwise the whole answer would be one step of the event loop and leave as one piece.
            await asyncio.sleep(0)


def arithmetic_in(text: str) -> str | None:
    """The first arithmetic expression in a text, in Python's spelling: `2 + 2` of "What is 2 plus 2?"."""
    spelled = WORD.sub(lambda found: f" {WORDS[found.group().lower()]} ", text)
    for found in ARITHMETIC.finditer(spelled):
        expression = re.sub(r"\s+", " ", found.group()).strip()
        if expression.count("(") == expression.count(")"):
            return expression
    return None


def _chunks(
    messages: Sequence[BaseMessage], *, tools: Sequence[dict[str, Any]] = (), **_: Any
) -> list[AIMessageChunk]:
    question = next((message.text for message in reversed(messages) if isinstance(message, HumanMessage)), "")
    expression = arithmetic_in(question)
    last = messages[-1] if messages else None
    if isinstance(last, ToolMessage):
        chunks, reason = _words(_verdict(last, messages)), "stop"
    elif expression and any(tool["function"]["name"] == CALCULATOR for tool in tools):
        chunks, reason = _call(expression, f"call_{len(messages)}"), "tool_calls"
    else:
        chunks, reason = _words(INTRODUCTION), "stop"
    heard = sum(len(message.text.split()) for message in messages)
    end = chunks[-1]
    end.response_metadata = {"finish_reason": reason, "model_name": MODEL_NAME, "model_provider": "demo"}
    end.usage_metadata = UsageMetadata(
        input_tokens=heard, output_tokens=len(chunks), total_tokens=heard + len(chunks)
    )
    end.chunk_position = "last"
    return chunks


def _verdict(result: ToolMessage, messages: Sequence[BaseMessage]) -> str:
    calls = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    asked = next((call for call in reversed(calls) if call["id"] == result.tool_call_id), None)
    if asked is None or asked["name"] != CALCULATOR:
        return f"The tool answered: {result.text} {SIGNATURE}"
    if result.status == "error":
        return f"The calculator could not do that: {result.text} {SIGNATURE}"
    return f"{asked['args']['expression']} = {result.text}. {SIGNATURE}"


def _call(expression: str, call_id: str) -> list[AIMessageChunk]:
    arguments = re.findall(r"\S+\s*", json.dumps({"expression": expression}))
    pieces = [tool_call_chunk(name=CALCULATOR, args="", id=call_id, index=0)]
    pieces += [tool_call_chunk(args=piece, index=0) for piece in arguments]
    return [AIMessageChunk(content="", tool_call_chunks=[piece]) for piece in pieces]


def _words(text: str) -> list[AIMessageChunk]:
    return [AIMessageChunk(content=word) for word in re.findall(r"\S+\s*", text)]
