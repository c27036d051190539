"""What an assistant's `configurable` may say, with hints for the forms that Open Agent Platform makes of it."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tools_agent.prompts import DEFAULT_SYSTEM_PROMPT

DEFAULT_MODEL = "openai:gpt-4o"
DEFAULT_TEMPERATURE = 0.7
DEFAULT_MAX_TOKENS = 4000

MODEL_OPTIONS = [
    {"label": "Claude Sonnet 4", "value": "anthropic:claude-sonnet-4-0"},
    {"label": "Claude 3.7 Sonnet", "value": "anthropic:claude-3-7-sonnet-latest"},
    {"label": "Claude 3.5 Sonnet", "value": "anthropic:claude-3-5-sonnet-latest"},
    {"label": "Claude 3.5 Haiku", "value": "anthropic:claude-3-5-haiku-latest"},
    {"label": "o4 mini", "value": "openai:o4-mini"},
    {"label": "o3", "value": "openai:o3"},
    {"label": "o3 mini", "value": "openai:o3-mini"},
    {"label": "GPT 4o", "value": "openai:gpt-4o"},
    {"label": "GPT 4o mini", "value": "openai:gpt-4o-mini"},
    {"label": "GPT 4.1", "value": "openai:gpt-4.1"},
    {"label": "GPT 4.1 mini", "value": "openai:gpt-4.1-mini"},
    {"label": "Custom OpenAI-compatible endpoint", "value": "custom:"},
]

CUSTOM_ONLY = {"model_name": "custom:"}


def ui(**hints: Any) -> dict[str, Any]:
    """A field's form hints, in both places where a form looks for them."""
    return {"x_oap_ui_config": hints, "metadata": {"x_oap_ui_config": hints}}


class _Part(BaseModel):
    # Values are left out of validation errors: clients see those, and one of the values is a key.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True, protected_namespaces=())


class McpServer(_Part):
    """One of several MCP servers. Without `tools` all of its tools are used."""

    name: str = "default"
    url: str | None = None
    tools: list[str] | None = None
    auth_required: bool | None = False


class MCPConfig(_Part):
    """One MCP server (only the tools that `tools` names), or several in `servers`."""

    url: str | None = None
    tools: list[str] | None = None
    auth_required: bool | None = False
    servers: list[McpServer] | None = None
    on_interaction_required: Literal["message", "interrupt"] | None = "message"


class RagConfig(_Part):
    """Document collections of a LangConnect server."""

    rag_url: str | None = None
    collections: list[UUID] | None = None


class GraphConfigPydantic(_Part):
    """The settings of one assistant. Other keys of `configurable` are none of its business."""

    model_name: str | None = Field(
        default=DEFAULT_MODEL,
        json_schema_extra=ui(
            type="select",
            default=DEFAULT_MODEL,
            description="The model to use in all generations",
            options=MODEL_OPTIONS,
        ),
    )
    temperature: float | None = Field(
        default=DEFAULT_TEMPERATURE,
        json_schema_extra=ui(
            type="slider",
            default=DEFAULT_TEMPERATURE,
            min=0,
            max=2,
            step=0.1,
            description="Controls randomness (0 = deterministic, 2 = creative)",
        ),
    )
    max_tokens: int | None = Field(
        default=DEFAULT_MAX_TOKENS,
        json_schema_extra=ui(
            type="number",
            default=DEFAULT_MAX_TOKENS,
            min=1,
            description="The maximum number of tokens to generate",
        ),
    )
    system_prompt: str | None = Field(
        default=DEFAULT_SYSTEM_PROMPT,
        json_schema_extra=ui(
            type="textarea",
            placeholder="Enter a system prompt...",
            description="The system prompt to use in all generations. A fixed sentence on signing in to tools is "
            "always put after it.",
            default=DEFAULT_SYSTEM_PROMPT,
        ),
    )
    mcp_config: MCPConfig | None = Field(default=None, json_schema_extra=ui(type="mcp"))
    rag: RagConfig | None = Field(default=None, json_schema_extra=ui(type="rag"))
    base_url: str | None = Field(
        default=None,
        json_schema_extra=ui(
            type="text",
            placeholder="http://localhost:7374/v1",
            description="An OpenAI-compatible endpoint to use instead of the provider's own",
            visible_when=CUSTOM_ONLY,
        ),
    )
    custom_model_name: str | None = Field(
        default=None,
        json_schema_extra=ui(
            type="text",
            description="The model's name at that endpoint; without it model_name is sent",
            visible_when=CUSTOM_ONLY,
        ),
    )
    custom_api_key: str | None = Field(
        default=None,
        json_schema_extra=ui(
            type="text",
            description="The key of that endpoint, if it wants one",
            visible_when=CUSTOM_ONLY,
        ),
    )

    @property
    def chosen_model(self) -> str | None:
        """The model that was asked for by name, None when nobody chose one."""
        return (self.model_name or None) if "model_name" in self.model_fields_set else None


def configuration_from(configurable: Mapping[str, Any]) -> GraphConfigPydantic:
    """Read a `configurable`. Raises `ValueError` (pydantic's own), naming the fields that are wrong."""
    fields = GraphConfigPydantic.model_fields
    return GraphConfigPydantic.model_validate(
        {name: configurable[name] for name in fields if name in configurable}
    )
