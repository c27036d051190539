"""Names and input schemas of tools."""

from langchain_core.messages import AnyMessage
from pydantic import BaseModel

from robyn_server.wire.tool_schema import tool_input_schema, tool_name


class Place(BaseModel):
    city: str


class State(BaseModel):
    messages: list[AnyMessage]
    place: Place


def test_names() -> None:
    assert tool_name("Counter Graph") == "Counter_Graph"
    assert tool_name("a b/c:d é") == "a_bcd_"
    assert len(tool_name("x" * 200)) == 128
    assert tool_name("!!!") == ""


def test_messages_become_a_string_and_their_definitions_go() -> None:
    schema = tool_input_schema(State.model_json_schema())
    assert schema["properties"]["messages"] == {
        "type": "string",
        "title": "Messages",
        "description": "The user message to send to the agent.",
    }
    assert list(schema["$defs"]) == ["Place"] and schema["required"] == ["messages", "place"]


def test_other_inputs_stay_and_missing_ones_take_anything() -> None:
    schema = {"properties": {"messages": {"type": "string"}}, "type": "object"}
    assert tool_input_schema(schema) == schema
    assert tool_input_schema(None) == {"type": "object"}
