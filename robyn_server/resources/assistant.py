"""An assistant: a graph with a configuration, in numbered versions."""

from dataclasses import dataclass, field
from datetime import datetime

from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.types import JsonObject


@dataclass(frozen=True, slots=True)
class Assistant:
    """One assistant as it stands; `version` counts from 1 and grows with every change."""

    assistant_id: str
    graph_id: str
    name: str
    description: str | None
    config: JsonObject
    context: JsonObject
    metadata: JsonObject
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AssistantVersion:
    """One earlier or present form of an assistant."""

    assistant_id: str
    version: int
    graph_id: str
    name: str
    description: str | None
    config: JsonObject
    context: JsonObject
    metadata: JsonObject
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewAssistant:
    """What it takes to create one."""

    assistant_id: str
    graph_id: str
    name: str
    description: str | None = None
    config: JsonObject = field(default_factory=dict)
    context: JsonObject = field(default_factory=dict)
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssistantChange:
    """A patch: None means "leave it"; metadata is merged one level deep, the rest replaced."""

    graph_id: str | None = None
    name: str | None = None
    description: str | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class AssistantSearch:
    """Which assistants, in which order. `sort_by` is a column name; default newest first."""

    metadata: JsonObject = field(default_factory=dict)
    graph_id: str | None = None
    name: str | None = None
    limit: int = 10
    offset: int = 0
    sort_by: str = "created_at"
    descending: bool = True
    visible: MetadataFilter = EVERYTHING
