import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from tools_agent.calculator import calculator
from tools_agent.demo_model import DemoModel, arithmetic_in


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("What is 2 + 2? Answer with just the number.", "2 + 2"),
        ("what's 12*34?", "12*34"),
        ("compute (1 + 2) * 3 please", "(1 + 2) * 3"),
        ("2 plus 2", "2 + 2"),
        ("How much is 10 divided by 4?", "10 / 4"),
        ("7 × 6", "7 * 6"),
        ("2^8", "2 ** 8"),
        ("-3 - -4", "-3 - -4"),
        ("It is 1.5 + 2.25.", "1.5 + 2.25"),
        ("hello", None),
        ("the 3 little pigs and 7 dwarfs", None),
        ("Let us meet on 2026-11-20", None),
        ("see docs/1/2 or v1-2", None),
        ("call 555", None),
        ("", None),
    ],
)
def test_arithmetic_is_found_in_a_text(text: str, expression: str | None) -> None:
    assert arithmetic_in(text) == expression


async def test_it_streams_words_of_one_message_and_says_that_it_is_a_demo() -> None:
    chunks = [chunk async for chunk in DemoModel().astream([HumanMessage("Who are you?")])]
    assert len(chunks) > 20
    assert len({chunk.id for chunk in chunks}) == 1
    whole = sum(chunks[1:], start=chunks[0])
    assert "demo model" in whole.text
    assert "OPENAI_API_KEY" in whole.text
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] == len(chunks)


async def test_it_calls_the_calculator_and_says_what_came_out() -> None:
    model = DemoModel().bind_tools([calculator])
    question = HumanMessage("What is 2 + 2?")
    chunks = [chunk async for chunk in model.astream([question])]
    call = sum(chunks[1:], start=chunks[0])
    assert [(c["name"], c["args"]) for c in call.tool_calls] == [("calculator", {"expression": "2 + 2"})]
    assert call.response_metadata["finish_reason"] == "tool_calls"
    result = ToolMessage("4", tool_call_id=call.tool_calls[0]["id"])
    answer = await model.ainvoke([question, AIMessage("", tool_calls=call.tool_calls), result])
    assert answer.text.startswith("2 + 2 = 4. ")
    assert "demo model" in answer.text


def test_it_works_without_an_event_loop_and_without_tools() -> None:
    assert "demo model" in DemoModel().invoke("What is 2 + 2?").text
    assert DemoModel().bind_tools([calculator]).invoke("What is 2 + 2?").tool_calls
    assert "".join(chunk.text for chunk in DemoModel().stream("hello")).startswith(
        "I am the built-in demo model"
    )


def test_a_failed_calculation_is_told() -> None:
    call = {"name": "calculator", "args": {"expression": "1 / 0"}, "id": "c"}
    failed = ToolMessage("Division by zero.", tool_call_id="c", status="error")
    answer = DemoModel().invoke([HumanMessage("1 / 0"), AIMessage("", tool_calls=[call]), failed])
    assert "could not do that: Division by zero." in answer.text
