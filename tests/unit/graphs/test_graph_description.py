import pytest

PARTS = {"input_schema", "output_schema", "state_schema", "config_schema", "context_schema"}
LOG = {
    "properties": {
        "log": {"items": {"type": "string"}, "title": "Log", "type": "array"},
        "note": {"title": "Note", "type": "string"},
    },
    "title": "Log",
    "type": "object",
}


def state_of_log(title):
    properties = {name: {"default": None, **schema} for name, schema in LOG["properties"].items()}
    return {"properties": properties, "title": title, "type": "object"}


async def test_schemas_of_a_graph_without_context(serving):
    registry = serving("plain.py:interrupting")
    assert await registry.schemas("interrupting", {}) == {
        "graph_id": "interrupting",
        "input_schema": LOG,
        "output_schema": LOG,
        "state_schema": state_of_log("interrupting_state"),
        "config_schema": {},
        "context_schema": None,
    }


async def test_the_state_is_titled_by_the_graphs_name(serving):
    found = await serving("plain.py:steps").schemas("steps", {})
    assert found["state_schema"] == state_of_log("Two StepsState")


async def test_both_config_and_context_hold_the_context_schema(serving):
    found = await serving("plain.py:configured").schemas("configured", {})
    assert found["config_schema"] == found["context_schema"]
    assert found["context_schema"] == {
        "properties": {
            "tone": {"default": "calm", "title": "Tone", "type": "string"},
            "size": {"default": 1, "title": "Size", "type": "integer"},
        },
        "title": "Tone",
        "type": "object",
    }


async def test_messages_are_described_with_their_definitions(serving):
    found = await serving("plain.py:echo").schemas("echo", {})
    assert found["input_schema"]["title"] == "Chat"
    assert found["input_schema"]["required"] == ["messages"]
    assert {"AIMessage", "HumanMessage", "ToolCall"} <= set(found["state_schema"]["$defs"])
    assert found["state_schema"]["title"] == "echo_state"


async def test_what_json_schema_cannot_say_is_null(serving):
    found = await serving("plain.py:unspeakable").schemas("unspeakable", {})
    assert [name for name in found if found[name] is None] == [
        "input_schema", "output_schema", "config_schema", "context_schema",
    ]  # fmt: skip
    assert found["state_schema"]["properties"] == {"strange": {"default": None, "title": "Strange"}}


async def test_a_state_that_is_a_list(serving):
    found = await serving("plain.py:listing").schemas("listing", {})
    assert found["state_schema"] == {"default": None, "items": {}, "title": "listing_state", "type": "array"}


async def test_factories_are_described_by_what_they_make(serving):
    registry = serving("factories.py:by_name")
    assert (await registry.schemas("by_name", {}))["state_schema"]["title"] == "by_name_state"
    assert [node["id"] for node in (await registry.drawing("by_name", {}, False))["nodes"]] == [
        "__start__", "tell", "__end__",
    ]  # fmt: skip


async def test_drawing_without_ids_of_code(serving):
    assert await serving("plain.py:looping").drawing("looping", {}, False) == {
        "nodes": [
            {"id": "__start__", "type": "runnable", "data": {"name": "__start__"}},
            {
                "id": "work",
                "type": "runnable",
                "data": {"name": "work"},
                "metadata": {"colour": "red", "__interrupt": "before"},
            },
            {"id": "__end__"},
        ],
        "edges": [
            {"source": "__start__", "target": "work"},
            {"source": "work", "target": "__end__", "data": "enough", "conditional": True},
            {"source": "work", "target": "work", "data": "again", "conditional": True},
        ],
    }


@pytest.mark.parametrize(
    ("xray", "inner"),
    [
        (False, {"top", "child"}),
        (1, {"top", "child:middle", "child:grandchild"}),
        (2, {"top", "child:middle", "child:grandchild:leaf"}),
        (True, {"top", "child:middle", "child:grandchild:leaf"}),
    ],
)
async def test_xray_opens_subgraphs_level_by_level(serving, xray, inner):
    drawn = await serving("plain.py:subgraphs").drawing("subgraphs", {}, xray)
    assert {node["id"] for node in drawn["nodes"]} == inner | {"__start__", "__end__"}


@pytest.mark.parametrize(
    ("namespace", "recurse", "found"),
    [
        (None, False, ["child"]),
        (None, True, ["child", "child|grandchild"]),
        ("child", False, ["child"]),
        ("child|grandchild", True, ["child|grandchild"]),
        ("child|grandchild", False, []),
        ("nope", True, []),
    ],
)
async def test_subgraphs_by_namespace(serving, namespace, recurse, found):
    listed = await serving("plain.py:subgraphs").subgraphs("subgraphs", {}, namespace, recurse)
    assert list(listed) == found
    assert all(set(schemas) == PARTS for schemas in listed.values())
    assert all(schemas["state_schema"] == state_of_log("LangGraphState") for schemas in listed.values())
