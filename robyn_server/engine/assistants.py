"""Assistants: graphs with a configuration, in versions, and what their graphs look like."""

from dataclasses import replace
from typing import cast

from langchain_core.runnables import RunnableConfig

from robyn_server.engine.access import Access
from robyn_server.engine.assistant_secrets import AssistantSecrets
from robyn_server.engine.parts import Parts
from robyn_server.engine.run_config import BOTH_GIVEN
from robyn_server.engine.threads import Threads
from robyn_server.errors import Conflict, InvalidRequest, NotFound, Unprocessable
from robyn_server.graphs.interfaces import Graphs
from robyn_server.resources.assistant import (
    Assistant,
    AssistantChange,
    AssistantSearch,
    AssistantVersion,
    NewAssistant,
)
from robyn_server.resources.ids import canonical_id, random_id, system_assistant_id
from robyn_server.resources.metadata_filter import EVERYTHING, MetadataFilter
from robyn_server.resources.page import Page
from robyn_server.resources.reserved import own_configurable, own_metadata
from robyn_server.resources.types import JsonObject

INVALID_ID = "Invalid assistant ID: must be a UUID"


def check_graph(graphs: Graphs, graph_id: str) -> None:
    """Raises `NotFound` when langgraph.json names no such graph."""
    if graph_id not in graphs.ids():
        raise NotFound(f"Graph '{graph_id}' not found. Expected one of: {sorted(graphs.ids())}")


class Assistants:
    """Assistants as one caller may see and change them, with masks in place of the secrets in their configuration."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._graphs = parts.graphs
        self._rows = parts.storage.assistants
        self._access = access
        self._secrets = AssistantSecrets(parts.sealer, parts.settings.secret_config_keys)

    async def create(
        self,
        graph_id: str,
        *,
        assistant_id: str | None = None,
        config: JsonObject | None = None,
        context: JsonObject | None = None,
        metadata: JsonObject | None = None,
        if_exists: str = "raise",
        name: str | None = None,
        description: str | None = None,
    ) -> Assistant:
        """A new assistant, or with `if_exists="do_nothing"` the one that has this id.

        Raises `NotFound` (graph), `Conflict` (id taken), `InvalidRequest` (configurable and context both given).
        """
        check_graph(self._graphs, graph_id)
        own_config, own_context = _mirrored(_own_config(config or {}), own_configurable(context))
        asked: JsonObject = {
            "assistant_id": assistant_id or random_id(),
            "graph_id": graph_id,
            "config": own_config or {},
            "context": own_context or {},
            "metadata": own_metadata(metadata),
            "if_exists": if_exists,
            "name": name or "Untitled",
            "description": description,
        }
        visible = await self._access.check("assistants", "create", asked)
        del asked["if_exists"]
        new = NewAssistant(**self._secrets.sealed(asked))
        created = await self._rows.create(new)
        if created is None and if_exists == "do_nothing":
            created = await self._rows.get(new.assistant_id, visible)
        if created is None:
            raise Conflict(f"Assistant {new.assistant_id} already exists")
        return self._secrets.shown(created)

    async def get(self, assistant_id: str) -> Assistant:
        """Raises `NotFound`."""
        return self._secrets.shown(await self._existing(assistant_id))

    async def find(self, reference: str) -> Assistant | None:
        """The assistant that an assistant id or graph id stands for, None when there is none for this caller. Its
        secrets are sealed."""
        if reference in self._graphs.ids():
            return await self._rows.get(system_assistant_id(reference))
        assistant_id = canonical_id(reference)
        return None if assistant_id is None else await self._readable(assistant_id)

    async def resolve(self, reference: str) -> Assistant:
        """The assistant a run names, with its secrets. Raises `Unprocessable` for a word that is no graph, `NotFound`
        for an id, `Conflict` for secrets that cannot be opened."""
        found = await self.find(reference)
        if found is not None:
            return self._secrets.opened(found)
        if canonical_id(reference) is None:
            raise Unprocessable(
                f"Invalid assistant: '{reference}'. Must be either:\n- A valid assistant UUID, or\n"
                f"- One of the registered graphs: {', '.join(self._graphs.ids())}"
            )
        raise NotFound("Thread or assistant not found.")

    async def update(
        self,
        assistant_id: str,
        *,
        graph_id: str | None = None,
        config: JsonObject | None = None,
        context: JsonObject | None = None,
        metadata: JsonObject | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> Assistant:
        """A new version; what is None stays. Raises `NotFound` (assistant or graph), `InvalidRequest`."""
        if graph_id is not None:
            check_graph(self._graphs, graph_id)
        own_config, own_context = _mirrored(
            None if config is None else _own_config(config),
            None if context is None else own_configurable(context),
        )
        change: JsonObject = {
            "graph_id": graph_id,
            "config": own_config,
            "context": own_context,
            "metadata": own_metadata(metadata),
            "name": name,
            "description": description,
        }
        asked = {"assistant_id": assistant_id, **change}
        visible = await self._access.check("assistants", "update", asked)
        sealed = self._secrets.sealed(asked, await self._rows.get(assistant_id, visible))
        updated = await self._rows.update(
            assistant_id, AssistantChange(**{key: sealed[key] for key in change}), visible
        )
        if updated is None:
            raise NotFound(f"Assistant {assistant_id} not found")
        return self._secrets.shown(updated)

    async def delete(self, assistant_id: str, *, delete_threads: bool = False) -> None:
        """Delete it with its versions and crons, stop its runs, and with `delete_threads` delete the threads whose
        metadata names it. Raises `NotFound`."""
        visible = await self._access.check("assistants", "delete", {"assistant_id": assistant_id})
        if await self._rows.get(assistant_id, visible) is None:
            raise NotFound(f"Assistant with ID {assistant_id} not found")
        threads = Threads(self._parts, self._access)
        if delete_threads:
            await threads.delete_matching({"assistant_id": assistant_id})
        if not await self._rows.delete(assistant_id, visible):
            raise NotFound(f"Assistant with ID {assistant_id} not found")
        await threads.stop_runs_of(assistant_id)

    async def search(self, query: AssistantSearch) -> Page[Assistant]:
        """Raises `NotFound` for a graph that is not served."""
        page = await self._rows.search(await self._allowed(query))
        return replace(page, items=tuple(self._secrets.shown(found) for found in page.items))

    async def count(self, query: AssistantSearch) -> int:
        """How many match, whatever the paging."""
        return await self._rows.count(await self._allowed(query))

    async def versions(
        self, assistant_id: str, *, metadata: JsonObject | None = None, limit: int = 10, offset: int = 0
    ) -> list[AssistantVersion]:
        """Newest first. Raises `NotFound`, also for an empty page as the reference does."""
        found: list[AssistantVersion] = []
        if await self._readable(assistant_id) is not None:
            found = await self._rows.versions(assistant_id, metadata or {}, limit, offset)
        if not found:
            raise NotFound(f"Assistant {assistant_id} not found")
        return [self._secrets.shown(version) for version in found]

    async def set_latest(self, assistant_id: str, version: int | None) -> Assistant:
        """Go back (or forth) to a version, without making a new one. Raises `NotFound`."""
        asked: JsonObject = {"assistant_id": assistant_id, "version": version, "metadata": {}}
        visible = await self._access.check("assistants", "update", asked)
        if await self._rows.get(assistant_id, visible) is None:
            raise NotFound(f"Assistant {assistant_id} not found")
        latest = None if version is None else await self._rows.set_latest(assistant_id, version, visible)
        if latest is None:
            raise NotFound(f"Version {version} not found for assistant {assistant_id}")
        return self._secrets.shown(latest)

    async def graph(self, reference: str, *, xray: bool | int = False) -> JsonObject:
        """`{"nodes", "edges"}`; the one read that also takes a graph id. Raises `NotFound`, `Unprocessable`."""
        found = await self.find(reference)
        if found is None:
            raise Unprocessable(INVALID_ID) if canonical_id(reference) is None else NotFound()
        check_graph(self._graphs, found.graph_id)
        return await self._graphs.drawing(found.graph_id, _runnable_config(self._secrets.opened(found)), xray)

    async def schemas(self, assistant_id: str) -> JsonObject:
        """JSON schemas of the graph's input, output, state, config and context. Raises `NotFound`."""
        found = self._secrets.opened(await self._existing(assistant_id))
        check_graph(self._graphs, found.graph_id)
        return await self._graphs.schemas(found.graph_id, _runnable_config(found))

    async def subgraphs(
        self, assistant_id: str, *, namespace: str | None = None, recurse: bool = False
    ) -> JsonObject:
        """Namespace -> schemas. Raises `NotFound`."""
        found = self._secrets.opened(await self._existing(assistant_id))
        check_graph(self._graphs, found.graph_id)
        return await self._graphs.subgraphs(found.graph_id, _runnable_config(found), namespace, recurse)

    async def register_system_assistants(self) -> None:
        """At start: one assistant for every graph, in langgraph.json's order; a changed name or description of the
        graph becomes a new version of an assistant that is there already."""
        for graph_id in self._graphs.ids():
            name, description = await self._graphs.name(graph_id), self._graphs.description(graph_id)
            assistant_id = system_assistant_id(graph_id)
            found = await self._rows.get(assistant_id)
            if found is None:
                await self._rows.create(
                    NewAssistant(assistant_id, graph_id, name, description, metadata={"created_by": "system"})
                )
            elif found.name != name or (description is not None and found.description != description):
                await self._rows.update(assistant_id, AssistantChange(name=name, description=description))

    async def _existing(self, assistant_id: str) -> Assistant:
        found = await self._readable(assistant_id)
        if found is None:
            raise NotFound
        return found

    async def _readable(self, assistant_id: str) -> Assistant | None:
        visible = await self._access.check(
            "assistants", "read", {"assistant_id": assistant_id, "metadata": {}}
        )
        if self._is_system(assistant_id):
            visible = EVERYTHING
        return await self._rows.get(assistant_id, visible)

    def _is_system(self, assistant_id: str) -> bool:
        return any(assistant_id == system_assistant_id(graph_id) for graph_id in self._graphs.ids())

    async def _allowed(self, query: AssistantSearch) -> AssistantSearch:
        if query.graph_id is not None:
            check_graph(self._graphs, query.graph_id)
        asked: JsonObject = {
            "graph_id": query.graph_id,
            "metadata": dict(query.metadata),
            "limit": query.limit,
            "offset": query.offset,
        }
        visible: MetadataFilter = await self._access.check("assistants", "search", asked)
        return replace(query, metadata=asked["metadata"] or {}, visible=visible)


def _own_config(config: JsonObject) -> JsonObject:
    own = dict(config)
    if "configurable" in own:
        own["configurable"] = own_configurable(own["configurable"])
    if isinstance(own.get("metadata"), dict):
        own["metadata"] = own_metadata(own["metadata"])
    return own


def _mirrored(
    config: JsonObject | None, context: JsonObject | None
) -> tuple[JsonObject | None, JsonObject | None]:
    """Each of configurable and context is shown in the other, whichever was given."""
    configurable = (config or {}).get("configurable")
    if configurable and context:
        raise InvalidRequest(BOTH_GIVEN)
    if configurable:
        return config, dict(configurable)
    if context:
        return {**(config or {}), "configurable": dict(context)}, context
    return config, context


def _runnable_config(assistant: Assistant) -> RunnableConfig:
    return cast(
        RunnableConfig, {**assistant.config, "configurable": assistant.config.get("configurable") or {}}
    )
