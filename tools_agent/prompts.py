"""What the model is told before the conversation, and the conversation as a model may be shown it."""

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, SystemMessage, ToolMessage

DEFAULT_SYSTEM_PROMPT = "You are a helpful assistant that has access to a variety of tools."

FIXED_ENDING = (
    "\nIf the tool throws an error requiring authentication, provide the user with a Markdown link to the "
    "authentication page and prompt them to authenticate."
)

NOT_ANSWERED = "This call was cut off before it gave a result."


def system_message(system_prompt: str | None, missing: Sequence[str] = ()) -> SystemMessage:
    """The assistant's prompt and our fixed ending; `missing` are sentences on tools that cannot be used now."""
    text = (system_prompt or DEFAULT_SYSTEM_PROMPT) + FIXED_ENDING
    if missing:
        text += (
            "\nSome tools are missing at the moment; say so when one of them would be needed:\n- "
            + "\n- ".join(missing)
        )
    return SystemMessage(text)


def with_all_calls_answered(messages: Sequence[AnyMessage]) -> list[BaseMessage]:
    """The messages, with a result for each tool call that has none.

    A run that was cancelled between a call and its result leaves such a call in the thread, and model providers
    refuse the whole conversation from then on.
    """
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    whole: list[BaseMessage] = []
    for message in messages:
        whole.append(message)
        if isinstance(message, AIMessage):
            whole += [
                ToolMessage(NOT_ANSWERED, tool_call_id=call["id"] or "", name=call["name"], status="error")
                for call in message.tool_calls
                if call["id"] not in answered
            ]
    return whole
