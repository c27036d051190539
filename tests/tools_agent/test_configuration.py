import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from robyn_server.graphs.config_file import read_config_file
from robyn_server.graphs.registry import GraphRegistry
from tools_agent.configuration import configuration_from

ROOT = Path(__file__).parent.parent.parent

KINDS = {
    "model_name": "select",
    "temperature": "slider",
    "max_tokens": "number",
    "system_prompt": "textarea",
    "mcp_config": "mcp",
    "rag": "rag",
    "base_url": "text",
    "custom_model_name": "text",
    "custom_api_key": "text",
}


async def test_the_served_schemas_carry_the_form_hints_where_both_kinds_of_forms_look() -> None:
    registry = GraphRegistry(read_config_file(ROOT / "langgraph.json"))
    schemas = await registry.schemas("agent", {})
    assert schemas["config_schema"] == schemas["context_schema"]
    properties = schemas["config_schema"]["properties"]
    assert {name: field["x_oap_ui_config"]["type"] for name, field in properties.items()} == KINDS
    for field in properties.values():
        assert field["metadata"]["x_oap_ui_config"] == field["x_oap_ui_config"]
        assert {"type": "null"} in field["anyOf"]
    hints = properties["model_name"]["x_oap_ui_config"]
    assert hints["default"] == properties["model_name"]["default"] == "openai:gpt-4o"
    assert len(hints["options"]) == 12
    assert properties["temperature"]["x_oap_ui_config"] == {
        "type": "slider",
        "default": 0.7,
        "min": 0,
        "max": 2,
        "step": 0.1,
        "description": "Controls randomness (0 = deterministic, 2 = creative)",
    }
    assert properties["max_tokens"]["default"] == 4000
    assert properties["rag"]["default"] is None
    assert "messages" in schemas["input_schema"]["properties"]


async def test_the_drawing_has_the_two_nodes_by_their_names() -> None:
    registry = GraphRegistry(read_config_file(ROOT / "langgraph.json"))
    drawing = await registry.drawing("agent", {}, False)
    assert [node["id"] for node in drawing["nodes"]] == ["__start__", "agent", "tools", "__end__"]
    edges = {(edge["source"], edge["target"]): edge.get("conditional", False) for edge in drawing["edges"]}
    assert edges == {
        ("__start__", "agent"): False,
        ("agent", "tools"): True,
        ("agent", "__end__"): True,
        ("tools", "agent"): False,
    }


def test_only_a_given_model_name_is_a_chosen_model() -> None:
    assert configuration_from({}).chosen_model is None
    assert configuration_from({"model_name": ""}).chosen_model is None
    assert configuration_from({"model_name": "openai:o3", "thread_id": "t"}).chosen_model == "openai:o3"


def test_a_wrong_value_is_named_but_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        configuration_from({"temperature": "hot", "custom_api_key": {"secret": "sk-1"}})
    text = str(caught.value)
    assert "temperature" in text
    assert "custom_api_key" in text
    assert "sk-1" not in text


def test_importing_the_agent_leaves_heavy_packages_alone() -> None:
    heavy = ("openai", "langchain_openai", "mcp", "langchain_mcp_adapters", "supabase")
    program = f"import sys, tools_agent.agent; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
