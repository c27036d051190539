"""A chat model that says what it is told to: a real `BaseChatModel`, no network, the same answer every time."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, TypeAlias

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

Said: TypeAlias = str | list[AIMessageChunk] | Exception
"""Text (streamed word by word), chunks as they are, or an exception to fail with."""


class ScriptedModel(BaseChatModel):
    """Answers call after call with `script`, then from its start again. An exception in place of an answer is
    raised after the words of `before_failing`. Usage is counted in words and chunks."""

    script: list[Any]
    before_failing: str = ""
    calls: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """The tools are the script's business."""
        return self

    def _next(self, messages: list[BaseMessage]) -> tuple[list[AIMessageChunk], Exception | None]:
        said: Said = self.script[self.calls % len(self.script)]
        self.calls += 1
        if isinstance(said, Exception):
            return _words(self.before_failing), said
        chunks = _words(said) if isinstance(said, str) else [chunk.model_copy(deep=True) for chunk in said]
        heard = sum(len(message.text.split()) for message in messages)
        chunks[-1].usage_metadata = {
            "input_tokens": heard,
            "output_tokens": len(chunks),
            "total_tokens": heard + len(chunks),
        }
        return chunks, None

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chunks, failure = self._next(messages)
        if failure is not None:
            raise failure
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole = whole + chunk
        message = AIMessage(
            content=whole.content, tool_calls=whole.tool_calls, usage_metadata=whole.usage_metadata
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        chunks, failure = self._next(messages)
        for chunk in chunks:
            generated = ChatGenerationChunk(message=chunk)
            if run_manager:
                run_manager.on_llm_new_token(generated.text, chunk=generated)
            yield generated
        if failure is not None:
            raise failure

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        chunks, failure = self._next(messages)
        for chunk in chunks:
            generated = ChatGenerationChunk(message=chunk)
            if run_manager:
                await run_manager.on_llm_new_token(generated.text, chunk=generated)
            yield generated
        if failure is not None:
            raise failure


def _words(text: str) -> list[AIMessageChunk]:
    words = text.split(" ")
    spaced = [word + " " for word in words[:-1]] + words[-1:]
    return [AIMessageChunk(content=word) for word in spaced if word] or [AIMessageChunk(content="")]


def tool_call(name: str, arguments: Sequence[str], call_id: str, index: int = 0) -> list[AIMessageChunk]:
    """The chunks of one tool call, its JSON arguments in pieces."""
    chunks = [tool_call_chunk(name=name, args="", id=call_id, index=index)]
    chunks += [tool_call_chunk(args=piece, index=index) for piece in arguments]
    return [AIMessageChunk(content="", tool_call_chunks=[chunk]) for chunk in chunks]
